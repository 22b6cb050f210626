#include <autograd/tensor/error.hpp>
#include <nn/data/idx.hpp>

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <limits>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace xgrad::nn {

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw FileError("read_idx: " + path + ": " + what);
}

/// A file that is read from its beginning, unpacked if it is gzip.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) fail(path, "found a directory; expected an IDX file");
    errno = 0;
    file_ = gzopen(path.c_str(), "rb");
    if (file_ == nullptr)
      fail(path, std::string("cannot be opened (") + (errno != 0 ? std::strerror(errno) : "no memory") +
                     "); expected an IDX file, plain or gzip");
    gzbuffer(file_, 1 << 17);
  }
  ~Reader() { gzclose(file_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Up to count bytes, fewer at the end of the file. FileError when they cannot be read or unpacked.
  std::size_t read(std::uint8_t* target, std::size_t count) {
    std::size_t done = 0;
    while (done < count) {
      const auto part = static_cast<unsigned>(std::min<std::size_t>(count - done, 1 << 30));
      const int got = gzread(file_, target + done, part);
      if (got > 0) done += static_cast<std::size_t>(got);
      if (got >= 0 && static_cast<unsigned>(got) == part) continue;
      int code = Z_OK;
      const char* const message = gzerror(file_, &code);
      if (code == Z_BUF_ERROR) {
        truncated_ = true;
        break;
      }
      if (code != Z_OK && code != Z_STREAM_END)
        fail(path_, std::string("cannot be read (") + (code == Z_ERRNO ? std::strerror(errno) : message) + ")");
      break;
    }
    return done;
  }

  /// Whether gzip data ended before its end mark and checksum.
  bool truncated() const { return truncated_; }

 private:
  const std::string& path_;
  gzFile file_ = nullptr;
  bool truncated_ = false;
};

/// Types of values by the code in the magic number: IDX specification, section "the third byte".
struct ValueType {
  std::uint8_t code;
  std::size_t bytes;
};
constexpr std::array<ValueType, 6> value_types = {{{0x08, 1}, {0x09, 1}, {0x0B, 2}, {0x0C, 4}, {0x0D, 4}, {0x0E, 8}}};

std::string hexadecimal(std::span<const std::uint8_t> bytes) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string text = "0x";
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

template <class Word>
Word big_endian(const std::uint8_t* bytes) {
  Word word = 0;
  for (std::size_t i = 0; i < sizeof(Word); ++i) word = static_cast<Word>(word << 8 | bytes[i]);
  return word;
}

struct Header {
  ValueType type;
  Shape shape;
  std::size_t bytes;  // of the values, as claimed
};

Header read_header(Reader& reader, const std::string& path) {
  std::array<std::uint8_t, 4> magic{};
  const std::size_t got = reader.read(magic.data(), magic.size());
  if (got < magic.size()) fail(path, "found " + std::to_string(got) + " bytes; expected a magic number of 4");
  const auto* const type = std::find_if(value_types.begin(), value_types.end(),
                                        [&](const ValueType& known) { return known.code == magic[2]; });
  const std::size_t rank = magic[3];
  if (magic[0] != 0 || magic[1] != 0 || type == value_types.end() || rank < 1 || rank > Extents::capacity)
    fail(path, "found magic number " + hexadecimal(magic) +
                   "; expected 0x0000TTRR with type TT 08, 09, 0B, 0C, 0D or 0E and rank RR 1 to " +
                   std::to_string(Extents::capacity));

  std::array<std::uint8_t, 4 * Extents::capacity> extents{};
  const std::size_t found = reader.read(extents.data(), 4 * rank);
  if (found < 4 * rank)
    fail(path, "found " + std::to_string(found) + " bytes of extents; expected " + std::to_string(4 * rank));
  Header header{*type, {}, type->bytes};
  bool fits = true;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const auto extent = big_endian<std::uint32_t>(&extents[4 * axis]);
    header.shape.push_back(extent);
    // As int64, the values may take eight times their size in the file.
    fits = fits && (extent == 0 || header.bytes <= std::numeric_limits<std::size_t>::max() / 16 / extent);
    if (fits) header.bytes *= extent;
  }
  if (!fits) fail(path, "found shape " + to_string(header.shape) + "; expected one that fits into memory");
  return header;
}

std::vector<std::uint8_t> read_values(Reader& reader, const Header& header, const std::string& path) {
  // The claim may be false: memory grows with what has been read.
  std::vector<std::uint8_t> values;
  std::size_t done = 0;
  try {
    while (done < header.bytes) {
      values.resize(std::min(header.bytes, std::max<std::size_t>(2 * done, 1 << 20)));
      const std::size_t wanted = values.size() - done;
      const std::size_t got = reader.read(values.data() + done, wanted);
      done += got;
      if (got < wanted)
        fail(path, "truncated: found " + std::to_string(done) + " bytes of values; expected " +
                       std::to_string(header.bytes) + " for shape " + to_string(header.shape));
    }
  } catch (const std::bad_alloc&) {
    fail(path, "no memory after " + std::to_string(done) + " bytes of values; expected " +
                   std::to_string(header.bytes) + " for shape " + to_string(header.shape));
  }
  std::uint8_t beyond = 0;
  if (reader.read(&beyond, 1) != 0)
    fail(path, "found more than " + std::to_string(header.bytes) + " bytes of values; expected as many for shape " +
                   to_string(header.shape));
  if (reader.truncated())
    fail(path, "truncated: found gzip data without an end; expected a checksum behind the values");
  return values;
}

/// The values as a tensor of T: words of the file's size, seen as Stored, converted to T.
template <class T, class Stored, class Word>
Tensor tensor_of(const Shape& shape, std::span<const std::uint8_t> bytes) {
  const Tensor result = Tensor::uninitialized(shape, dtype_of<T>);
  auto* const target = static_cast<T*>(result.mutable_data());
  for (std::size_t i = 0; i < result.size(); ++i)
    target[i] = static_cast<T>(std::bit_cast<Stored>(big_endian<Word>(&bytes[i * sizeof(Word)])));
  return result;
}

Rows column_of(const Header& header, std::vector<std::uint8_t> bytes) {
  switch (header.type.code) {
    case 0x08:
      return {header.shape, std::move(bytes)};
    case 0x09:
      return tensor_of<std::int64_t, std::int8_t, std::uint8_t>(header.shape, bytes);
    case 0x0B:
      return tensor_of<std::int64_t, std::int16_t, std::uint16_t>(header.shape, bytes);
    case 0x0C:
      return tensor_of<std::int64_t, std::int32_t, std::uint32_t>(header.shape, bytes);
    case 0x0D:
      return tensor_of<float, float, std::uint32_t>(header.shape, bytes);
    default:
      return tensor_of<double, double, std::uint64_t>(header.shape, bytes);
  }
}

}  // namespace

Rows read_idx(const std::string& path) {
  Reader reader(path);
  const Header header = read_header(reader, path);
  std::vector<std::uint8_t> values = read_values(reader, header, path);
  try {
    return column_of(header, std::move(values));
  } catch (const ValueError&) {
    fail(path, "no memory for shape " + to_string(header.shape));
  }
}

}  // namespace xgrad::nn
