#include "tests/nn/files/damaged.hpp"
#include "tests/nn/files/memory_peak.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <autograd/tensor/creation.hpp>
#include <nn/files/npy.hpp>
#include <nn/files/npz.hpp>
#include <nn/files/whole_file.hpp>

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

using namespace xgrad;

namespace {

using Arrays = std::map<std::string, Tensor>;

bool same(const Arrays& a, const Arrays& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, x] : a) {
    const auto y = b.find(name);
    if (y == b.end() || x.dtype() != y->second.dtype() || x.shape() != y->second.shape() ||
        nn::bytes_of(x) != nn::bytes_of(y->second))
      return false;
  }
  return true;
}

Arrays several() {
  return {{"weight", expect::random_tensor({5, 7}, 1, float32)},
          {"layers.0/bias", tensor({1, 2}, float64)},
          {"labels", tensor({3, -4}, int64)},
          {"none", zeros({0})},
          {"one", tensor(2)}};
}

void put(std::string& bytes, std::uint64_t value, int count) {
  for (int i = 0; i < count; ++i, value >>= 8) bytes += static_cast<char>(value & 0xFF);
}

/// One member of a ZIP archive by PKWARE's APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16 and 4.5.3, with sizes that may
/// lie.
struct Member {
  std::string name, packed;
  std::uint64_t size;
  std::uint32_t checksum = 0;
  int method = 0;
  int flags = 0;
};

std::string zip_of(const std::vector<Member>& members) {
  std::string bytes, directory;
  for (const Member& member : members) {
    constexpr std::uint64_t in_extra = 0xFFFFFFFF;  // the size stands there, in 8 bytes
    std::string fields, extra;
    if (member.size >= in_extra) {
      put(extra, 1, 2);
      put(extra, 8, 2);
      put(extra, member.size, 8);
    }
    put(fields, 20, 2);
    put(fields, static_cast<std::uint64_t>(member.flags), 2);
    put(fields, static_cast<std::uint64_t>(member.method), 2);
    put(fields, 0x00210000, 4);
    put(fields, member.checksum, 4);
    put(fields, member.packed.size(), 4);
    put(fields, std::min(member.size, in_extra), 4);
    put(fields, member.name.size(), 2);
    put(fields, extra.size(), 2);
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    directory += fields;
    put(directory, 0, 10);
    put(directory, bytes.size(), 4);
    directory += member.name + extra;
    put(bytes, 0x04034b50, 4);
    bytes += fields + member.name + extra + member.packed;
  }
  const std::size_t start = bytes.size();
  bytes += directory;
  put(bytes, 0x06054b50, 4);
  put(bytes, 0, 4);
  put(bytes, members.size(), 2);
  put(bytes, members.size(), 2);
  put(bytes, directory.size(), 4);
  put(bytes, start, 4);
  put(bytes, 0, 2);
  return bytes;
}

Member stored(const std::string& name, const std::string& bytes) {
  const uLong checksum = crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
  return {name, bytes, bytes.size(), static_cast<std::uint32_t>(checksum)};
}

std::string npy_of(const Tensor& x) { return nn::npy_header(x) + std::string(nn::bytes_of(x)); }

std::string error_of(const std::string& bytes, const nn::NpzReadOptions& options = {}) {
  return expect::error_of([&] { nn::parse_npz(bytes, "x", options); });
}

}  // namespace

TEST_CASE("arrays are read back with every bit, stored and deflated, and the file depends on nothing else") {
  const Folder folder;
  for (const bool compress : {false, true}) {
    nn::write_npz(folder.file("a"), several(), {.compress = compress});
    CHECK(same(nn::read_npz(folder.file("a")), several()));
    CHECK(same(nn::parse_npz(content_of(folder.file("a")), "x"), several()));
    const std::string bytes = content_of(folder.file("a"));
    nn::write_npz(folder.file("a"), several(), {.compress = compress});
    CHECK(content_of(folder.file("a")) == bytes);
  }
  nn::write_npz(folder.file("none"), {});
  CHECK(nn::read_npz(folder.file("none")).empty());
  const std::vector<nn::StoredTensor> list = nn::list_npz(folder.file("a"));
  REQUIRE(list.size() == 5);
  CHECK(list[0].name == "labels");
  CHECK(list[4].shape == Shape{5, 7});
  CHECK(folder.entries() == 2);
}

TEST_CASE("an archive that was made by hand is read") {
  const Tensor x = tensor({1, 2, 3});
  CHECK(same(nn::parse_npz(zip_of({stored("x.npy", npy_of(x))}), "x"), {{"x", x}}));
}

TEST_CASE("each way in which an archive can be wrong is an error") {
  const Tensor x = tensor({1, 2, 3});
  const std::string npy = npy_of(x);
  const auto refused = [](const std::string& bytes, const std::string& part) {
    CAPTURE(part);
    const std::string error = error_of(bytes);
    CHECK_MESSAGE(error.starts_with("FileError: read_npz: x"), error);
    CHECK_MESSAGE(expect::contains(error, part), error);
  };
  refused("", "is no ZIP archive: it has 0 bytes");
  refused("PK\3\4 and so on, some more bytes", "is no ZIP archive, or a damaged one");
  refused(zip_of({stored("x.txt", npy)}), "array 'x.txt' is no .npy file");
  refused(zip_of({stored("x.npy", "text")}), "array 'x.npy': found 4 bytes; an .npy file has at least 10");
  refused(zip_of({stored("x.npy", npy + "y")}), "behind the header; need 12 for the shape (3,)");
  refused(zip_of({stored("x.npy", npy), stored("x.npy", npy)}), "");
  Member member = stored("x.npy", npy);
  member.checksum ^= 1;
  refused(zip_of({member}), "array 'x.npy' is damaged: CRC error");
  member = stored("x.npy", npy);
  member.flags = 1;
  refused(zip_of({member}), "");
  member = stored("x.npy", "\x4B\xFF");  // deflated, cut
  member.method = 8;
  refused(zip_of({member}), "");
}

TEST_CASE("an archive that claims a hundred gigabytes is refused at once") {
  Member member = stored("x.npy", npy_of(tensor({1})));
  member.method = 8;
  member.size = 100'000'000'000u;
  std::string bytes = zip_of({member});
  const MemoryPeak peak;
  std::string error = error_of(bytes);
  CHECK_MESSAGE(expect::contains(error, "claims 100000000000 bytes, packed into 132, in a file of"), error);
  CHECK(peak.risen() < 64);

  // With as many bytes as it would take.
  member.packed.assign(100'000'000, '\0');
  bytes = zip_of({member});
  const MemoryPeak large;
  error = error_of(bytes);
  CHECK_MESSAGE(expect::contains(error, "claims 100000000000 bytes, with those before more than max_bytes"), error);
  CHECK(large.risen() < 64);
}

TEST_CASE("an array that inflates to more than its entry says, or to less than its header, takes no memory for it") {
  const std::string zeros(std::size_t{200} << 20, '\0');
  std::string packed(std::size_t{1} << 20, '\0');
  z_stream stream = {};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);  // raw
  const std::string header = nn::npy_header(tensor({1}));
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  for (const std::string* const part : {&header, &zeros}) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part->data()));
    stream.avail_in = static_cast<uInt>(part->size());
    REQUIRE(deflate(&stream, part == &zeros ? Z_FINISH : Z_NO_FLUSH) == (part == &zeros ? Z_STREAM_END : Z_OK));
  }
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  Member member{"x.npy", packed, header.size() + 4, 0, 8};
  const std::string more = zip_of({member});
  member.size = header.size() + zeros.size();
  const std::string less = zip_of({member});
  const MemoryPeak peak;
  CHECK(error_of(more).starts_with("FileError: read_npz: x: array 'x.npy' "));
  CHECK(error_of(less).starts_with("FileError: read_npz: x: array 'x.npy'"));
  CHECK(peak.risen() < 64);
}

TEST_CASE("an archive whose arrays inflate to more than max_bytes is refused") {
  // Zeros that DEFLATE packs a thousandfold.
  const Folder folder;
  nn::write_npz(folder.file("zeros"), {{"a", zeros({1 << 20})}, {"b", zeros({1 << 20})}}, {.compress = true});
  CHECK(std::filesystem::file_size(folder / "zeros") < 20'000);
  CHECK(expect::contains(expect::error_of([&] { nn::read_npz(folder.file("zeros"), {.max_bytes = 5'000'000}); }),
                         "array 'b.npy' claims 4194432 bytes, with those before more than max_bytes, 5000000"));
  CHECK(nn::read_npz(folder.file("zeros"), {.max_bytes = 10'000'000}).size() == 2);
}

TEST_CASE("every truncation and every flipped bit of an archive gives an error or the same values") {
  const Folder folder;
  const Arrays arrays = {{"x", expect::random_tensor({40}, 1, float32)}, {"y", zeros({30})}};
  for (const bool compress : {false, true}) {
    nn::write_npz(folder.file("a"), arrays, {.compress = compress});
    const std::string bytes = content_of(folder.file("a"));
    const auto read = [&](const std::string& damage) {
      const Arrays found = nn::parse_npz(damage, "x");
      CHECK(same(found, arrays));
    };
    damaged::truncations(bytes, read, [](std::size_t) { return true; });
    CHECK(damaged::flips(bytes, read) > 4 * bytes.size());
  }
}

TEST_CASE("what cannot be written is refused") {
  const Folder folder;
  const auto error = [&](const Arrays& arrays) {
    return expect::error_of([&] { nn::write_npz(folder.file("a"), arrays); });
  };
  CHECK(error({{"", tensor(1)}}) ==
        "ValueError: write_npz: an array is called ''; need a name without NUL that does not begin with /");
  CHECK(expect::contains(error({{"/a", tensor(1)}}), "an array is called '/a'"));
  CHECK(error({{"a", Tensor()}}) == "ValueError: write_npz: array 'a' has no value");
  CHECK(folder.entries() == 0);
}
