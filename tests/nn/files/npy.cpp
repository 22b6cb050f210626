#include "tests/nn/files/damaged.hpp"
#include "tests/nn/files/memory_peak.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <autograd/tensor/creation.hpp>
#include <nn/files/npy.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

/// As the format describes it (numpy.lib.format), whatever the header says.
std::string image(const std::string& header, const std::string& values = "", char major = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += major;
  bytes += '\0';
  const std::uint32_t length = static_cast<std::uint32_t>(header.size());
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) bytes += static_cast<char>(length >> (8 * i) & 0xFF);
  return bytes + header + values;
}

std::string header_of(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

template <class T>
std::string values_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

Tensor parse(const std::string& bytes) { return nn::parse_npy(bytes, "x"); }
std::string error_of(const std::string& bytes) {
  return expect::error_of([&] { parse(bytes); });
}

}  // namespace

TEST_CASE("a file has numpy.save's bytes") {
  // numpy 1.24.2: numpy.save(f, numpy.array([[1, 2], [3, 4]], '<f4'))
  const Folder folder;
  nn::write_npy(folder.file("a"), tensor({{1, 2}, {3, 4}}));
  nn::InputFile file("test", folder.file("a"));
  const std::string header = header_of("<f4", "(2, 2)");
  const std::string padded = header.substr(0, header.size() - 1) + std::string(128 - 10 - header.size(), ' ') + "\n";
  CHECK(file.read_text(static_cast<std::size_t>(file.size())) == image(padded, values_of<float>({1, 2, 3, 4})));
}

TEST_CASE("arrays of every dtype, rank and size are read back with every bit") {
  for (const Tensor& x : {tensor(1.5), tensor({1, 2, 3}, float64), zeros({0, 3}), tensor({{-1}, {1}}, int64),
                          expect::random_tensor({2, 3, 4, 1, 2}, 1, float32)}) {
    const Folder folder;
    nn::write_npy(folder.file("a"), x);
    const Tensor y = nn::read_npy(folder.file("a"));
    CHECK(y.shape() == x.shape());
    CHECK(y.dtype() == x.dtype());
    CHECK(nn::bytes_of(y) == nn::bytes_of(x));
  }
}

TEST_CASE("big-endian, column-major, half precision, integers and the later versions are read") {
  const Tensor big = parse(image(header_of(">f4", "(2,)"), std::string("\x3F\x80\0\0\xC0\0\0\0", 8)));
  CHECK(expect::values(big) == std::vector<double>{1, -2});
  const Tensor columns = parse(image(header_of("<i4", "(2, 3)", "True"), values_of<std::int32_t>({1, 4, 2, 5, 3, 6})));
  CHECK(columns.shape() == Shape{2, 3});
  CHECK(columns.dtype() == int64);
  CHECK(expect::values(columns) == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(parse(image(header_of("<f2", "()"), values_of<std::uint16_t>({0x3C00}))).item() == 1);
  CHECK(parse(image(header_of("|b1", "(1,)"), "\1")).item() == 1);
  CHECK(parse(image(header_of("|u1", "(1,)"), "\xFF")).item() == 255);
  CHECK(parse(image(header_of(">u2", "(1,)"), "\1\2")).item() == 258);
  CHECK(parse(image(header_of("<i8", "(1,)"), values_of<std::int64_t>({-7}))).item() == -7);
  CHECK(parse(image(header_of("<f8", "()"), values_of<double>({0.1}), 2)).item() == 0.1);
  CHECK(parse(image(header_of("<f8", "()"), values_of<double>({0.1}), 3)).item() == 0.1);
  CHECK(
      parse(image("{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"<f4\"}\n", values_of<float>({1, 2}))).size() ==
      2);
}

TEST_CASE("each way in which an .npy file can be wrong is an error of its own") {
  const std::string one = values_of<float>({1});
  const std::string good = header_of("<f4", "(1,)");
  CHECK(error_of(image(good, one)) == "no error");
  std::string version = image(good, one);
  version[7] = 1;
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "found 0 bytes; an .npy file has at least 10"},
      {"\x93NUMPX\1...", "is no .npy file: it does not begin with"},
      {version, "is of version 1.1; known are 1.0, 2.0 and 3.0"},
      {image(good, one, 4), "is of version 4.0; known are 1.0, 2.0 and 3.0"},
      {image(std::string(65537, ' '), "", 2), "claims a header of 65537 bytes; need at most 65536"},
      {image(good, one).substr(0, 30), "found 20 bytes where"},
      {image("{}"), "the header does not end with a line end"},
      {image("\n"), "found at character 2 of the header no {"},
      {image("{}\n"), "found at character 4 of the header a dictionary without descr, fortran_order or shape"},
      {image("{'descr': '<f4', 'descr': '<f4'}\n"), "found at character 26 of the header key 'descr'; need descr,"},
      {image("{'more': 1}\n"), "found at character 9 of the header key 'more'; need descr, fortran_order and shape"},
      {image("{'descr' '<f4'}\n"), "found at character 10 of the header no :"},
      {image("{'descr': '<f4'\n"), "found at character 17 of the header no }"},
      {image("{'descr': '<f4}\n"), "found at character 12 of the header a text that does not end"},
      {image("{'d\\x': 1}\n"), "found at character 3 of the header a backslash"},
      {image("{'descr': [('a', '<f4')], }\n"),
       "found at character 11 of the header a structured dtype; need a plain one"},
      {image(header_of("<c8", "(1,)")), "found at character 59 of the header the dtype '<c8'; known are"},
      {image(header_of("<U5", "(1,)")), "found at character 59 of the header the dtype '<U5'; known are"},
      {image(header_of("|O", "(1,)")), "found at character 58 of the header the dtype '|O'; known are"},
      {image(header_of("f4", "(1,)")), "found at character 58 of the header the dtype 'f4'; known are"},
      {image(header_of("|f4", "(1,)")), "found at character 59 of the header the dtype '|f4'; known are"},
      {image(header_of("", "(1,)")), "found at character 56 of the header the dtype ''; known are"},
      {image(header_of("<f4", "(1,)", "true")), "found at character 35 of the header no True or False"},
      {image(header_of("<f4", "1")), "found at character 51 of the header no ("},
      {image(header_of("<f4", "(1)")), "found at character 54 of the header (n); need (n,) for one extent"},
      {image(header_of("<f4", "(-1,)")), "found at character 52 of the header no extent; need a whole number"},
      {image(header_of("<f4", "(9223372036854775808,)")), "found at character 52 of the header no extent"},
      {image(header_of("<f4", "(1,1,1,1,1,1,1,1,1)")), "found at character 68 of the header a shape of more than 8"},
      {image(header_of("<f4", "(1,)") + "x\n"), "found at character 59 of the header text behind the dictionary"},
      {image(header_of("<f4", "(2305843009213693952,)")),
       "the array claims the shape (2305843009213693952,), more than"},
      {image(header_of("<f4", "(288230376151711744,)")), "the array of shape (288230376151711744,) takes"},
      {image(good), "the array of shape (1,) takes 4 bytes, 0 are left; the file is truncated"},
      {image(good, one + "x"), "found 5 bytes behind the header; need 4 for the shape (1,)"},
      {image(header_of("<u8", "()"), std::string(8, '\xFF')), "the array has the number 18446744073709551615; need"},
  };
  for (const auto& [bytes, expected] : wrong) {
    const std::string& message = expected;
    CAPTURE(message);
    const std::string error = error_of(bytes);
    CHECK_MESSAGE(error.starts_with("FileError: read_npy: x: " + message), error);
  }
}

TEST_CASE("an array that claims more than there is takes no memory for it") {
  const MemoryPeak peak;
  for (const char* const shape :
       {"(2305843009213693952,)", "(288230376151711744,)", "(25000000000,)", "(0, 2305843009213693952)"})
    CHECK(error_of(image(header_of("<f4", shape), std::string(1000, 'x'))).starts_with("FileError: read_npy: x: "));
  CHECK(peak.risen() < 64);
}

TEST_CASE("every truncation of an array is an error, and every flipped bit one or another valid file") {
  const std::string bytes =
      nn::npy_header(zeros({224})) + std::string(nn::bytes_of(expect::random_tensor({224}, 1, float32)));
  REQUIRE(bytes.size() == 1024);
  damaged::truncations(bytes, parse, [](std::size_t) { return false; });
  const std::size_t refused = damaged::flips(bytes, [](const std::string& damage) {
    const Tensor x = parse(damage);
    CHECK(x.bytes() <= 8 * 896);
  });
  CHECK(refused > 8 * 70);   // nearly all of the header's bits
  CHECK(refused < 8 * 128);  // the values' all stand for numbers
}
