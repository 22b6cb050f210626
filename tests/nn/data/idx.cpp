#include "tests/nn/files/damaged.hpp"
#include "tests/nn/files/memory_peak.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/idx_file.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/error.hpp>
#include <nn/data/idx.hpp>

#include <bit>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

using namespace xgrad;
using expect::error_of;
using idx_file::Bytes;
using idx_file::header;
using idx_file::with_values;

namespace {

std::vector<double> all_values(const nn::Rows& column) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(column.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  return expect::values(column.take(rows));
}

/// The file's values in each type: 1, the largest, the smallest.
Bytes three_values(std::uint8_t type, const std::vector<std::uint64_t>& words, int size) {
  Bytes bytes = header(type, {3});
  for (const std::uint64_t word : words) idx_file::append_big_endian(bytes, word, size);
  return bytes;
}

std::string error_of_reading(const std::filesystem::path& path) {
  return error_of([&] { nn::read_idx(path); });
}

}  // namespace

TEST_CASE("uint8 stays bytes, with the shape of the header") {
  const Folder folder;
  const Bytes file = with_values(header(0x08, {2, 1, 3}), {0, 1, 2, 253, 254, 255});
  for (const bool packed : {false, true}) {
    const auto path = packed ? idx_file::write_gzip(folder / "a.gz", file) : idx_file::write(folder / "a", file);
    const nn::Rows column = nn::read_idx(path);
    CHECK(column.is_bytes());
    CHECK(column.shape() == Shape{2, 1, 3});
    CHECK(all_values(column) == std::vector<double>{0, 1, 2, 253, 254, 255});
  }
}

TEST_CASE("the other types are big endian and become tensors") {
  const Folder folder;
  const auto check = [&](const Bytes& file, DType dtype, const std::vector<double>& expected) {
    const nn::Rows column = nn::read_idx(idx_file::write(folder / "a", file));
    CHECK(!column.is_bytes());
    CHECK(column.take(std::vector<std::int64_t>{0}).dtype() == dtype);
    CHECK(all_values(column) == expected);
  };
  check(three_values(0x09, {1, 0x7F, 0x80}, 1), int64, {1, 127, -128});
  check(three_values(0x0B, {1, 0x7FFF, 0x8000}, 2), int64, {1, 32767, -32768});
  check(three_values(0x0C, {1, 0x7FFFFFFF, 0x80000000}, 4), int64, {1, 2147483647, -2147483648.0});
  // IEEE 754: 1, -2, and 1 + the last bit.
  check(three_values(0x0D, {0x3F800000, 0xC0000000, 0x3F800001}, 4), float32, {1, -2, 1 + 0x1p-23});
  check(three_values(0x0E, {0x3FF0000000000000, 0xC000000000000000, 0x3FF0000000000001}, 8), float64,
        {1, -2, 1 + 0x1p-52});
}

TEST_CASE("an array without elements is an array") {
  const Folder folder;
  CHECK(nn::read_idx(idx_file::write(folder / "a", header(0x08, {0, 28, 28}))).shape() == Shape{0, 28, 28});
  CHECK(nn::read_idx(idx_file::write(folder / "a", header(0x0D, {3, 0}))).shape() == Shape{3, 0});
}

TEST_CASE("several megabytes are read whole") {
  const Folder folder;
  Bytes values(5'000'003);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * 7919 >> 5);
  const auto path = idx_file::write_gzip(folder / "a.gz", with_values(header(0x08, {5'000'003}), values));
  const nn::Rows column = nn::read_idx(path);
  CHECK(std::equal(values.begin(), values.end(), column.bytes().begin(), column.bytes().end()));
}

TEST_CASE("a missing file, a directory and an empty file are FileErrors with the path") {
  const Folder folder;
  const std::string missing = (folder / "missing").string();
  CHECK(error_of_reading(missing) ==
        "FileError: read_idx: " + missing +
            ": cannot be opened (No such file or directory); expected an IDX file, plain or "
            "gzip");
  CHECK(error_of_reading(folder.path) ==
        "FileError: read_idx: " + folder.path.string() + ": found a directory; expected an IDX file, plain or gzip");
  const std::string empty = idx_file::write(folder / "empty", {}).string();
  CHECK(error_of_reading(empty) == "FileError: read_idx: " + empty + ": found 0 bytes; expected a magic number of 4");
}

TEST_CASE("another magic number is a FileError that shows it") {
  const Folder folder;
  for (const Bytes& magic : {Bytes{1, 0, 8, 1}, Bytes{0, 1, 8, 1}, Bytes{0, 0, 10, 1}, Bytes{0, 0, 8, 0},
                             Bytes{0, 0, 8, 9}, Bytes{0, 0, 0, 1}})
    CHECK(expect::contains(error_of_reading(idx_file::write(folder / "a", with_values(magic, Bytes(100)))),
                           "found magic number 0x"));
  CHECK(expect::contains(error_of_reading(idx_file::write(folder / "a", {'P', 'K', 3, 4})), "0x504B0304"));
}

TEST_CASE("truncated and overlong files are FileErrors with found and expected") {
  const Folder folder;
  const Bytes whole = with_values(header(0x0C, {2, 2}), Bytes(16));
  CHECK(error_of_reading(idx_file::write(folder / "a", whole)) == "no error");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(error_of_reading(idx_file::write(folder / "a", part)).starts_with("FileError: read_idx: "));
  }
  const Bytes part(whole.begin(), whole.end() - 3);
  CHECK(expect::contains(error_of_reading(idx_file::write(folder / "a", part)),
                         "truncated: found 13 bytes of values; expected 16 for shape (2, 2)"));
  CHECK(expect::contains(error_of_reading(idx_file::write(folder / "a", with_values(whole, {0}))),
                         "found more than 16 bytes of values; expected no more for shape (2, 2)"));
}

TEST_CASE("truncated and damaged gzip is a FileError, also in the checksum behind the values") {
  const Folder folder;
  const Bytes packed =
      idx_file::read(idx_file::write_gzip(folder / "a.gz", with_values(header(0x08, {100}), Bytes(100, 7))));
  for (std::size_t size = 0; size < packed.size(); ++size) {
    const Bytes part(packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(error_of_reading(idx_file::write(folder / "b.gz", part)).starts_with("FileError: read_idx: "));
  }
  Bytes damaged = packed;
  damaged[packed.size() - 6] ^= 1;  // in the CRC-32, RFC 1952
  CHECK(expect::contains(error_of_reading(idx_file::write(folder / "b.gz", damaged)), "cannot be read ("));
}

TEST_CASE("every truncation and every flipped bit of a gzip file gives an error or the same values") {
  const Folder folder;
  Bytes values(900);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * i * 31 >> 3);
  const Bytes packed = idx_file::read(idx_file::write_gzip(folder / "a.gz", with_values(header(0x08, {900}), values)));
  const auto read = [&](const std::string& damage) {
    const nn::Rows found = nn::read_idx(idx_file::write(folder / "b.gz", Bytes(damage.begin(), damage.end())));
    CHECK(std::equal(values.begin(), values.end(), found.bytes().begin(), found.bytes().end()));
  };
  const std::string bytes(packed.begin(), packed.end());
  damaged::truncations(bytes, read, [](std::size_t) { return false; });
  // The ten bytes before the data say when, how and where they were packed (RFC 1952, 2.3).
  CHECK(damaged::flips(bytes, read) >= 8 * (bytes.size() - 10));
}

TEST_CASE("gzip of several members is one file, and bytes behind the last one are refused (RFC 1952)") {
  const Folder folder;
  const Bytes whole = with_values(header(0x08, {100}), Bytes(100, 7));
  const auto packed = [&](std::size_t first, std::size_t last) {
    const Bytes part(whole.begin() + static_cast<std::ptrdiff_t>(first),
                     whole.begin() + static_cast<std::ptrdiff_t>(last));
    return idx_file::read(idx_file::write_gzip(folder / "part.gz", part));
  };
  const Bytes two = with_values(packed(0, 50), packed(50, whole.size()));
  CHECK(nn::read_idx(idx_file::write(folder / "a.gz", two)).rows() == 100);
  for (const Bytes& behind : {Bytes{0}, Bytes{'x'}, Bytes(1 << 18, 0)})
    CHECK(expect::contains(error_of_reading(idx_file::write(folder / "a.gz", with_values(two, behind))),
                           "found bytes behind the end of the gzip data; expected none"));
  for (const Bytes& behind : {Bytes{0x1F}, Bytes{0x1F, 0x8B, 8}, Bytes{0x1F, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}})
    CHECK(error_of_reading(idx_file::write(folder / "a.gz", with_values(two, behind))).starts_with("FileError: "));
  CHECK(expect::contains(error_of_reading(idx_file::write(folder / "a.gz", with_values(two, packed(0, 50)))),
                         "found more than 100 bytes of values"));
}

TEST_CASE("a header that claims more than there is takes no memory for it") {
  const Folder folder;
  const MemoryPeak peak;
  // 4 TB, and 2^96 bytes.
  const Bytes tera = with_values(header(0x0E, {0x80000000, 256}), Bytes(50));
  CHECK(expect::contains(error_of_reading(idx_file::write(folder / "a", tera)),
                         "truncated: found 50 bytes of values; expected 4398046511104"));
  CHECK(expect::contains(error_of_reading(idx_file::write_gzip(folder / "a.gz", tera)), "truncated: found 50 bytes"));
  const std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  CHECK(expect::contains(error_of_reading(idx_file::write(folder / "a", header(0x08, {most, most, most}))),
                         "expected one that fits into memory"));
  // Every extent the largest, one of them 0: no elements, but nothing may overflow on the way there.
  for (const Bytes& file :
       {header(0x0E, {most, most, most, 0}), header(0x0E, {0, most, most, most, most, most, most, most}),
        header(0x08, {0, most, most, most, most, most, most, most})}) {
    const std::string error = error_of_reading(idx_file::write(folder / "a", file));
    CHECK((error == "no error" || error.starts_with("FileError: ")));
  }
  // Zeros that DEFLATE packs a thousandfold: more than the header says, and fewer.
  for (const std::uint32_t count : {8u, most}) {
    const auto path = idx_file::write_gzip(folder / "zeros.gz", header(0x08, {count}));
    const gzFile file = gzopen(path.c_str(), "ab");
    const Bytes zeros(1 << 20);
    for (int i = 0; i < 200; ++i) gzwrite(file, zeros.data(), static_cast<unsigned>(zeros.size()));
    gzclose(file);
    CHECK(expect::contains(error_of_reading(path),
                           count == 8 ? "found more than 8 bytes of values" : "truncated: found"));
  }
  CHECK(peak.risen() < 64);
}

TEST_CASE("from files with flipped bytes and cut ends only FileErrors come") {
  const Folder folder;
  Bytes values(600);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * i >> 3);
  const std::vector<Bytes> originals = {
      with_values(header(0x08, {10, 60}), values), with_values(header(0x0C, {3, 5, 10}), values),
      with_values(header(0x0E, {75}), values),
      idx_file::read(idx_file::write_gzip(folder / "a.gz", with_values(header(0x0D, {15, 10}), values)))};
  std::size_t refused = 0;
  for (std::size_t trial = 0; trial < 2000; ++trial) {
    Bytes file = originals[trial % originals.size()];
    const std::vector<double> r = expect::numbers(10, trial, 0, 1);
    // Most flips go where the headers are.
    for (std::size_t flip = 0; flip < 1 + trial % 3; ++flip) {
      const double reach = r[3 * flip] < 0.7 ? 20 : static_cast<double>(file.size());
      file[static_cast<std::size_t>(r[3 * flip + 1] * reach)] = static_cast<std::uint8_t>(r[3 * flip + 2] * 256);
    }
    if (trial % 5 == 0) file.resize(static_cast<std::size_t>(r[9] * static_cast<double>(file.size())));
    const std::string error = error_of_reading(idx_file::write(folder / "b", file));
    if (error == "no error") continue;
    ++refused;
    if (!error.starts_with("FileError: read_idx: ")) FAIL_CHECK(error);
  }
  CHECK(refused > 1000);
}
