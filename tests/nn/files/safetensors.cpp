#include "tests/nn/files/damaged.hpp"
#include "tests/nn/files/memory_peak.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <autograd/tensor/creation.hpp>
#include <nn/files/safetensors.hpp>
#include <nn/files/whole_file.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

std::string number(std::uint64_t value, std::size_t bytes = 8) {
  std::string text(bytes, '\0');
  std::memcpy(text.data(), &value, bytes);
  return text;
}

/// A file as the format describes it.
std::string image(const std::string& header, const std::string& values = "") {
  return number(header.size()) + header + values;
}

template <class T>
std::string values_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

nn::TensorFile parse(const std::string& bytes) { return nn::parse_safetensors(bytes, "x"); }

std::string error_of(const std::string& bytes) {
  return expect::error_of([&] { parse(bytes); });
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

std::string written(const nn::TensorFile& content) {
  std::string bytes;
  nn::write_safetensors(content, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && nn::bytes_of(a) == nn::bytes_of(b);
}

bool same(const nn::TensorFile& a, const nn::TensorFile& b) {
  if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
  for (const auto& [name, tensor] : a.tensors)
    if (!b.tensors.contains(name) || !same_bits(tensor, b.tensors.at(name))) return false;
  return true;
}

nn::TensorFile mixed() {
  return {.tensors = {{"b", tensor({{1.5, -2}, {0, 1e-40}})},
                      {"a", tensor({1, 1e300, -0.0}, float64)},
                      {"scalar", tensor(3)},
                      {"none", zeros({0, 3})},
                      {"labels", tensor({-1, 9e15}, int64)},
                      {"grün.weight", tensor({std::numeric_limits<double>::infinity(), std::nan("")})}},
          .metadata = {{"format", "pt"}, {"ключ", "text \" \\ \n"}}};
}

}  // namespace

TEST_CASE("a file is laid out as the published format says, to the byte") {
  // By hand: 8 bytes first (a), then by name; the header is padded to a multiple of 8.
  const std::string header = R"({"__metadata__":{"k":"v"},"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const nn::TensorFile content = {{{"b", tensor({1, 2})}, {"a", tensor({3}, float64)}}, {{"k", "v"}}};
  CHECK(written(content) == image(padded, values_of<double>({3}) + values_of<float>({1, 2})));
  CHECK(written({}) == image("{}      "));
}

TEST_CASE("what was written is read with every bit, of every dtype, rank and size") {
  const nn::TensorFile content = mixed();
  const std::string bytes = written(content);
  CHECK(same(parse(bytes), content));
  CHECK(written(parse(bytes)) == bytes);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  CHECK(length % 8 == 0);
  const Folder folder;
  nn::write_safetensors(folder.file("a"), content);
  CHECK(same(nn::read_safetensors(folder.file("a")), content));
  const nn::SafetensorsListing listing = nn::list_safetensors(folder.file("a"));
  CHECK(listing.metadata == content.metadata);
  REQUIRE(listing.tensors.size() == 6);
  CHECK(listing.tensors[0].name == "a");
  CHECK(listing.tensors[0].bytes == 24);
  CHECK(nn::safetensors_name(listing.tensors[1].kind) == "I64");
  CHECK(folder.entries() == 1);
}

TEST_CASE("entries may stand in any order, and the header may end with spaces") {
  const std::string header =
      R"( {"b":)" + entry("F32", "[]", "[4,8]") + R"(,"a":)" + entry("F32", "[1]", "[0,4]") + "}  ";
  const nn::TensorFile file = parse(image(header.substr(1), values_of<float>({1, 2})));
  CHECK(file.tensors.at("a").item({0}) == 1);
  CHECK(file.tensors.at("b").item() == 2);
  CHECK(file.tensors.at("b").rank() == 0);
}

TEST_CASE("half precision is read as float32, booleans and other integers as int64") {
  // IEEE 754-2008, binary16: 0x3C00 is 1, 0x0001 the least, 2^-24, 0x7BFF the largest, 65504, 0xFC00 -inf.
  const auto read = [](const std::string& dtype, const std::string& values, std::size_t count) {
    return parse(
               image(R"({"x":)" +
                         entry(dtype, "[" + std::to_string(count) + "]", "[0," + std::to_string(values.size()) + "]") +
                         "}",
                     values))
        .tensors.at("x");
  };
  const Tensor half =
      read("F16", values_of<std::uint16_t>({0x3C00, 0x0001, 0x7BFF, 0xFC00, 0x8000, 0x83FF, 0x3555}), 7);
  CHECK(half.dtype() == float32);
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(expect::values(half) == std::vector<double>{1, 0x1p-24, 65504, -inf, 0, -1023 * 0x1p-24, 0x1.554p-2});
  CHECK(std::signbit(expect::values(half)[4]));
  CHECK(std::isnan(read("F16", values_of<std::uint16_t>({0x7E00}), 1).item({0})));
  // bfloat16: the upper half of a float32.
  const Tensor brain = read("BF16", values_of<std::uint16_t>({0x3F80, 0xC040, 0x7F80, 0x0001}), 4);
  CHECK(brain.dtype() == float32);
  CHECK(expect::values(brain) == std::vector<double>{1, -3, inf, 0x1p-133});
  const auto integers = [&](const std::string& dtype, const std::string& values, std::size_t count) {
    const Tensor x = read(dtype, values, count);
    CHECK(x.dtype() == int64);
    return expect::values(x);
  };
  CHECK(integers("BOOL", std::string("\0\1", 2), 2) == std::vector<double>{0, 1});
  CHECK(integers("U8", values_of<std::uint8_t>({0, 255}), 2) == std::vector<double>{0, 255});
  CHECK(integers("I8", values_of<std::int8_t>({-128, 127}), 2) == std::vector<double>{-128, 127});
  CHECK(integers("U16", values_of<std::uint16_t>({65535}), 1) == std::vector<double>{65535});
  CHECK(integers("I16", values_of<std::int16_t>({-32768}), 1) == std::vector<double>{-32768});
  CHECK(integers("U32", values_of<std::uint32_t>({4294967295u}), 1) == std::vector<double>{4294967295.0});
  CHECK(integers("I32", values_of<std::int32_t>({-5}), 1) == std::vector<double>{-5});
  CHECK(integers("U64", values_of<std::uint64_t>({std::uint64_t{1} << 62}), 1) == std::vector<double>{0x1p62});
}

TEST_CASE("each way in which a file can be wrong is an error of its own") {
  const std::string four = values_of<float>({1});
  const auto with = [&](const std::string& entry_text) { return image(R"({"x":)" + entry_text + "}", four); };
  const std::string good = entry("F32", "[1]", "[0,4]");
  CHECK(error_of(with(good)) == "no error");
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "found 0 bytes; a safetensors file has at least 8"},
      {"1234567", "found 7 bytes; a safetensors file has at least 8"},
      {number(100'000'001), "claims a header of 100000001 bytes; need at most 100000000"},
      {number(~std::uint64_t{0}), "claims a header of 18446744073709551615 bytes; need at most 100000000"},
      {number(3) + "{}", "claims a header of 3 bytes, 2 are left; the file is truncated"},
      {image(""), "the header does not begin with {; this is no safetensors file"},
      {image(" {}"), "the header does not begin with {; this is no safetensors file"},
      {image("[]"), "the header does not begin with {; this is no safetensors file"},
      {image("{"), "the header is no JSON at byte 2: "},
      {image("{}x"), "the header is no JSON at byte 3: "},
      {image(std::string("{}\0\0", 4)), "the header is no JSON at byte 3: it has a zero byte"},
      {image("{\"a\xFF\":1}"), "the header is no JSON at byte 4: "},
      {image(R"({"x":1})"), "the header has the number 1 at 'x'; need an object"},
      {image(R"({"x":null})"), "the header has null at 'x'; need an object"},
      {image(R"({"x":true})"), "the header has a boolean at 'x'; need an object"},
      {image(R"({"x":"y"})"), "the header has a text at 'x'; need an object"},
      {image(R"({"x":[]})"), "the header has a list at 'x'; need an object"},
      {image(R"({"__metadata__":{"a":1}})"), "the metadata has the number 1 at 'a'; need a text"},
      {image(R"({"__metadata__":{"a":{}}})"), "the metadata has an object at 'a'; need a text"},
      {image(R"({"__metadata__":{"a":[]}})"), "the metadata has a list at 'a'; need a text"},
      {image(R"({"__metadata__":{"a":"1","a":"2"}})"), "the header has the key 'a' twice"},
      {image(R"({"__metadata__":{},"__metadata__":{}})"), "the header has the key '__metadata__' twice"},
      {image(R"({"x":)" + good + R"(,"x":)" + good + "}", four), "the header has the key 'x' twice"},
      {with(R"({"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]})"), "tensor 'x' has dtype twice"},
      {with(R"({"shape":[1],"data_offsets":[0,4]})"), "tensor 'x' has no dtype"},
      {with(R"({"dtype":"F32","data_offsets":[0,4]})"), "tensor 'x' has no shape"},
      {with(R"({"dtype":"F32","shape":[1]})"), "tensor 'x' has no data_offsets"},
      {with(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1})"),
       "tensor 'x' has the member 'more'; known are dtype, shape and data_offsets"},
      {with(R"({"dtype":32,"shape":[1],"data_offsets":[0,4]})"), "tensor 'x' has the number 32 in dtype; need a text"},
      {with(R"({"dtype":["F32"],"shape":[1],"data_offsets":[0,4]})"), "tensor 'x' has a list in dtype; need a text"},
      {with(entry("F31", "[1]", "[0,4]")), "tensor 'x' has the dtype 'F31'; known are BOOL, U8,"},
      {with(entry("F32", "1", "[0,4]")), "tensor 'x' has the number 1 in shape; need a list of whole numbers >= 0"},
      {with(entry("F32", "[-1]", "[0,4]")), "tensor 'x' has the number -1 in shape; need a list of whole"},
      {with(entry("F32", "[1.0]", "[0,4]")), "tensor 'x' has the number 1.0 in shape; need a list of whole"},
      {with(entry("F32", "[[1]]", "[0,4]")), "tensor 'x' has a list in shape; need a list of whole"},
      {with(entry("F32", "[{}]", "[0,4]")), "tensor 'x' has an object in shape; need a list of whole"},
      {with(entry("F32", "[\"1\"]", "[0,4]")), "tensor 'x' has a text in shape; need a list of whole"},
      {with(entry("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]")), "tensor 'x' has a shape of more than 8 numbers"},
      {with(entry("F32", "[9223372036854775808]", "[0,4]")),
       "tensor 'x' claims an extent of 9223372036854775808, more than any memory holds"},
      {with(entry("F32", "[99999999999999999999]", "[0,4]")),
       "tensor 'x' has the number 99999999999999999999 in shape"},
      {with(entry("F32", "[2305843009213693952]", "[0,4]")),
       "tensor 'x' claims the shape (2305843009213693952,), more than any memory holds"},
      {with(entry("F32", "[4294967296,4294967296]", "[0,4]")),
       "tensor 'x' claims the shape (4294967296, 4294967296), more than any memory holds"},
      {with(entry("F32", "[4294967296,4294967296,0]", "[0,0]")),
       "tensor 'x' claims the shape (4294967296, 4294967296, 0), more than any memory holds"},
      {with(entry("F32", "[1152921504606846976]", "[0,4611686018427387904]")),
       "the tensors end at offset 4611686018427387904, the file has 4 bytes behind its header; need as many: it is "
       "truncated"},
      {with(entry("F32", "[1]", "[]")), "tensor 'x' has 0 data_offsets; need a begin and an end"},
      {with(entry("F32", "[1]", "[0]")), "tensor 'x' has 1 data_offsets; need a begin and an end"},
      {with(entry("F32", "[1]", "[0,2,4]")), "tensor 'x' has 3 data_offsets; need a begin and an end"},
      {with(entry("F32", "[1]", "[4,0]")), "tensor 'x' has data_offsets [4, 0]; need 4 bytes for F32 (1,)"},
      {with(entry("F32", "[1]", "[0,8]")), "tensor 'x' has data_offsets [0, 8]; need 4 bytes for F32 (1,)"},
      {with(entry("F32", "[2]", "[0,4]")), "tensor 'x' has data_offsets [0, 4]; need 8 bytes for F32 (2,)"},
      {image(R"({"x":)" + entry("F32", "[1]", "[4,8]") + "}", four + four),
       "tensor 'x' begins at offset 4; need 0, where the one before ends: there is a hole"},
      {image(R"({"x":)" + good + R"(,"y":)" + good + "}", four),
       "tensor 'y' begins at offset 0; need 4, where the one before ends: there is an overlap"},
      {image(R"({"x":)" + good + "}", four + "z"),
       "the tensors end at offset 4, the file has 5 bytes behind its header; need as many"},
      {image("{}", "z"), "the tensors end at offset 0, the file has 1 bytes behind its header; need as many"},
      {image(R"({"x":)" + entry("U64", "[1]", "[0,8]") + "}", number(~std::uint64_t{0})),
       "tensor 'x' has the number 18446744073709551615; need at most 2^63 - 1, as int64 holds"},
  };
  for (const auto& [bytes, expected] : wrong) {
    const std::string& message = expected;
    CAPTURE(message);
    const std::string error = error_of(bytes);
    CHECK_MESSAGE(error.starts_with("FileError: read_safetensors: x: " + message), error);
  }
}

TEST_CASE("a header of deep lists or of very many keys is refused where it goes too far") {
  CHECK(expect::contains(error_of(image("{\"x\":" + std::string(100'000, '['))), "has a list at 'x'"));
  CHECK(expect::contains(error_of(image("{\"x\":" + std::string(100'000, '{'))), "is no JSON"));
  std::string many = "{\"__metadata__\":{";
  for (int i = 0; i < 1'000'001; ++i) many += "\"" + std::to_string(i) + "\":\"\",";
  many.back() = '}';
  CHECK(expect::contains(error_of(image(many + "}")), "the header has more than 1000000 keys"));
}

TEST_CASE("a file that claims more than there is takes no memory for it") {
  const MemoryPeak peak;
  for (const std::string& claim :
       {entry("F32", "[2305843009213693952]", "[0,9223372036854775808]"),
        entry("F64", "[576460752303423488]", "[0,4611686018427387904]"),
        entry("F32", "[25000000000]", "[0,100000000000]"), entry("F32", "[25000000000]", "[0,1000]"),
        entry("F32", "[0,2305843009213693952]", "[0,1000]")})
    CHECK(
        error_of(image(R"({"x":)" + claim + "}", std::string(1000, 'x'))).starts_with("FileError: read_safetensors: "));
  CHECK(error_of(number(100'000'000) + std::string(1000, '{')).starts_with("FileError: read_safetensors: "));
  CHECK(peak.risen() < 64);
}

TEST_CASE("reading takes no more memory than its tensors: of half precision at most twice the file") {
  if (!MemoryPeak::is_exact) {
    MESSAGE("skipped: under a sanitizer memory is not the program's alone");
    return;
  }
  const Folder folder;
  constexpr std::size_t count = std::size_t{12} << 20;
  struct Stored {
    const char* dtype;
    std::size_t size, in_tensor;
  };
  for (const Stored& stored : {Stored{"F32", 4, 4}, Stored{"F16", 2, 4}}) {
    const std::string shape = "[" + std::to_string(count) + "]";
    const std::string header =
        image(R"({"x":)" + entry(stored.dtype, shape, "[0," + std::to_string(count * stored.size) + "]") + "}");
    std::ofstream(folder / "a", std::ios::binary) << header;
    std::filesystem::resize_file(folder / "a", header.size() + count * stored.size);
    const MemoryPeak peak;
    CHECK(nn::read_safetensors(folder.file("a")).tensors.at("x").size() == count);
    CHECK(peak.risen() < static_cast<double>(count * stored.in_tensor >> 20) + 4);
  }
}

TEST_CASE("text with control characters is shown in messages without them") {
  CHECK(expect::contains(error_of(image(R"({"a\u0007b":1})")),
                         "at 'a\xEF\xBF\xBD"
                         "b'"));
}

TEST_CASE("every truncation of a file is an error, and every flipped bit one or another valid file") {
  nn::TensorFile content = mixed();
  content.tensors["filler"] = expect::random_tensor({100}, 1, float32);
  const std::string bytes = written(content);
  REQUIRE(bytes.size() > 900);
  damaged::truncations(
      bytes, [](const std::string& damage) { parse(damage); }, [](std::size_t) { return false; });
  damaged::flips(bytes, [](const std::string& damage) {
    const nn::TensorFile file = parse(damage);
    CHECK(same(parse(written(file)), file));
  });
}

TEST_CASE("what cannot be written is refused") {
  CHECK(expect::error_of([] {
          written({{{"__metadata__", tensor(1)}}, {}});
        }) == "ValueError: write_safetensors: a tensor is called __metadata__; need another name");
  CHECK(expect::error_of([] {
          written({{{"x", Tensor()}}, {}});
        }) == "ValueError: write_safetensors: tensor 'x' has no value");
  CHECK(expect::contains(expect::error_of([] { written({{{"\xFF", tensor(1)}}, {}}); }), "is not UTF-8"));
  CHECK(expect::contains(expect::error_of([] { written({{}, {{"a", "\xC3"}}}); }), "is not UTF-8"));
  CHECK(expect::contains(expect::error_of([] {
                           written({{}, {{"a", std::string(100'000'000, ' ')}}});
                         }),
                         "need at most 100000000"));
}

TEST_CASE("a file that is missing, a folder or a device is an error with its path") {
  const Folder folder;
  CHECK(expect::error_of([&] { nn::read_safetensors(folder.file("none")); }) ==
        "FileError: read_safetensors: " + folder.file("none") + ": cannot be opened: No such file or directory");
  CHECK(expect::error_of([&] { nn::read_safetensors(folder.path.string()); }) ==
        "FileError: read_safetensors: " + folder.path.string() + ": is a folder; need a file");
  CHECK(expect::error_of([&] { nn::read_safetensors("/dev/zero"); }) ==
        "FileError: read_safetensors: /dev/zero: is no regular file");
}
