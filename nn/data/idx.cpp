#include <autograd/tensor/format.hpp>
#include <nn/data/idx.hpp>
#include <nn/data/source_file.hpp>

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

namespace {

template <class... Values>
[[noreturn]] void fail(const std::string& path, fmt::format_string<Values...> what, Values&&... values) {
  throw FileError("read_idx: " + path + ": " + fmt::format(what, std::forward<Values>(values)...));
}

/// A file that is read from its beginning, unpacked if it is gzip (RFC 1952: one member or several, and nothing else).
class Reader {
 public:
  explicit Reader(const std::string& path)
      : path_(path), source_(path, "read_idx: " + path, "an IDX file, plain or gzip"), input_(1 << 17) {
    refill();
    const bool packed = stream_.avail_in >= 2 && input_[0] == 0x1F && input_[1] == 0x8B;
    if (packed && inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) fail(path, "no memory to unpack it");
    packed_ = packed;
  }
  ~Reader() {
    if (packed_) inflateEnd(&stream_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Up to as many bytes, fewer at the end of the file. FileError when they cannot be read or unpacked.
  std::size_t read(std::span<std::uint8_t> target) {
    if (!packed_) return read_plain(target);
    constexpr std::size_t most_at_once = 1 << 30;
    std::size_t done = 0;
    while (done < target.size() && !ended_) {
      if (!truncated_ && stream_.avail_in == 0) truncated_ = !refill();
      if (truncated_) break;
      const auto wanted = static_cast<uInt>(std::min(target.size() - done, most_at_once));
      stream_.next_out = target.data() + done;
      stream_.avail_out = wanted;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      done += wanted - stream_.avail_out;
      if (code == Z_STREAM_END)
        begin_member();
      else if (code != Z_OK && code != Z_BUF_ERROR)
        fail(path_, "cannot be read ({})", stream_.msg != nullptr ? stream_.msg : "no memory to unpack it");
    }
    return done;
  }

  /// Whether the file can have so many bytes: DEFLATE's shortest code, of one bit, stands for 258 at most, with one for
  /// the distance (RFC 1951, 3.2.5). True where its size is not known.
  bool can_hold(std::uint64_t bytes) const {
    const std::uint64_t size = source_.size();
    return size == 0 || bytes / (packed_ ? 1032 : 1) <= size;
  }

  /// Whether gzip data ended before its end mark and checksum.
  bool truncated() const { return truncated_; }

 private:
  /// False at the end of the file.
  bool refill() {
    stream_.avail_in = static_cast<uInt>(source_.read(input_));
    stream_.next_in = input_.data();
    return stream_.avail_in > 0;
  }

  std::size_t read_plain(std::span<std::uint8_t> target) {
    const std::size_t ready = std::min<std::size_t>(stream_.avail_in, target.size());
    std::copy_n(stream_.next_in, ready, target.begin());
    stream_.next_in += ready;
    stream_.avail_in -= static_cast<uInt>(ready);
    return ready + source_.read(target.subspan(ready));
  }

  void begin_member() {
    ended_ = stream_.avail_in == 0 && !refill();
    if (ended_) return;
    if (*stream_.next_in != 0x1F) fail(path_, "found bytes behind the end of the gzip data; expected none");
    inflateReset(&stream_);
  }

  const std::string& path_;
  SourceFile source_;
  std::vector<std::uint8_t> input_;
  z_stream stream_ = {};
  bool packed_ = false;
  bool truncated_ = false;
  bool ended_ = false;
};

template <class Word>
Word big_endian(const std::uint8_t* bytes) {
  Word word = 0;
  for (std::size_t i = 0; i < sizeof(Word); ++i) word = static_cast<Word>(word << 8 | bytes[i]);
  return word;
}

/// The values as a tensor of T: words of the file's size, seen as Stored, converted to T.
template <class T, class Stored, class Word>
Rows tensor_of(const Shape& shape, std::vector<std::uint8_t> bytes) {
  Tensor result = Tensor::uninitialized(shape, dtype_of<T>);
  T* const target = result.fresh_data<T>();
  for (std::size_t i = 0; i < result.size(); ++i)
    target[i] = static_cast<T>(std::bit_cast<Stored>(big_endian<Word>(&bytes[i * sizeof(Word)])));
  return result;
}

Rows bytes_of(const Shape& shape, std::vector<std::uint8_t> bytes) { return {shape, std::move(bytes)}; }

/// Types of values by the code in the magic number: IDX specification, section "the third byte".
struct ValueType {
  std::uint8_t code;
  std::size_t bytes;
  Rows (*rows_of)(const Shape& shape, std::vector<std::uint8_t> bytes);
};
constexpr ValueType value_types[] = {{0x08, 1, bytes_of},
                                     {0x09, 1, tensor_of<std::int64_t, std::int8_t, std::uint8_t>},
                                     {0x0B, 2, tensor_of<std::int64_t, std::int16_t, std::uint16_t>},
                                     {0x0C, 4, tensor_of<std::int64_t, std::int32_t, std::uint32_t>},
                                     {0x0D, 4, tensor_of<float, float, std::uint32_t>},
                                     {0x0E, 8, tensor_of<double, double, std::uint64_t>}};

struct Header {
  ValueType type;
  Shape shape;
  std::size_t bytes;  // of the values, as claimed
};

Header read_header(Reader& reader, const std::string& path) {
  std::array<std::uint8_t, 4> magic{};
  const std::size_t got = reader.read(magic);
  if (got < magic.size()) fail(path, "found {} bytes; expected a magic number of 4", got);
  const auto* const type = std::find_if(std::begin(value_types), std::end(value_types),
                                        [&](const ValueType& known) { return known.code == magic[2]; });
  const std::size_t rank = magic[3];
  if (magic[0] != 0 || magic[1] != 0 || type == std::end(value_types) || rank < 1 || rank > Extents::capacity)
    fail(path,
         "found magic number 0x{:02X}; expected 0x0000TTRR with type TT 08, 09, 0B, 0C, 0D or 0E and rank RR 1 to {}",
         fmt::join(magic, ""), Extents::capacity);

  std::array<std::uint8_t, 4 * Extents::capacity> extents{};
  const std::size_t found = reader.read(std::span(extents).first(4 * rank));
  if (found < 4 * rank) fail(path, "found {} bytes of extents; expected {}", found, 4 * rank);
  Header header{*type, {}, type->bytes};
  bool fits = true;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const auto extent = big_endian<std::uint32_t>(&extents[4 * axis]);
    header.shape.push_back(extent);
    // As int64, the values may take eight times their size in the file.
    fits = fits && (extent == 0 || header.bytes <= std::numeric_limits<std::size_t>::max() / 16 / extent);
    if (fits) header.bytes *= extent;
  }
  if (!fits) fail(path, "found shape {}; expected one that fits into memory", header.shape);
  return header;
}

std::vector<std::uint8_t> read_values(Reader& reader, const Header& header, const std::string& path) {
  // The claim may be false: memory grows with what has been read.
  std::vector<std::uint8_t> values;
  for (std::size_t done = 0; done < header.bytes; done = values.size()) {
    if (done > 0 && !reader.can_hold(header.bytes))
      fail(path, "truncated: found fewer bytes in the file than hold {} bytes of values; expected these for shape {}",
           header.bytes, header.shape);
    values.resize(std::min(header.bytes, std::max<std::size_t>(2 * done, 1 << 20)));
    const std::size_t wanted = values.size() - done;
    const std::size_t got = reader.read(std::span(values).subspan(done));
    if (got < wanted)
      fail(path, "truncated: found {} bytes of values; expected {} for shape {}", done + got, header.bytes,
           header.shape);
  }
  std::uint8_t beyond = 0;
  if (reader.read({&beyond, 1}) != 0)
    fail(path, "found more than {} bytes of values; expected no more for shape {}", header.bytes, header.shape);
  if (reader.truncated())
    fail(path, "truncated: found gzip data without an end; expected a checksum behind the values");
  return values;
}

}  // namespace

Rows read_idx(const std::string& path) {
  Reader reader(path);
  const Header header = read_header(reader, path);
  try {
    return header.type.rows_of(header.shape, read_values(reader, header, path));
  } catch (const FileError&) {
    throw;
  } catch (const std::exception&) {
    fail(path, "no memory for shape {}", header.shape);
  }
}

}  // namespace xgrad::nn
