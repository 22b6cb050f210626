#include <autograd/ops/layout.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/files/npy.hpp>
#include <nn/files/whole_file.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace xgrad::nn {

namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr const char* npy_reader = "read_npy";
constexpr std::size_t max_npy_header = 65536;

struct NpyHeader {
  ElementKind kind = ElementKind::float32;
  ByteOrder order = ByteOrder::little;
  bool column_major = false;
  Shape shape;
};

/// Python's notation of a dictionary, as far as the format uses it.
class HeaderParser {
 public:
  HeaderParser(const InputFile& file, std::string_view text) : file_(file), text_(text) {}

  NpyHeader parse() {
    std::optional<std::string> descr;
    std::optional<bool> order;
    std::optional<Shape> shape;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr)
        descr = described();
      else if (key == "fortran_order" && !order)
        order = boolean();
      else if (key == "shape" && !shape)
        shape = tuple();
      else
        fail("key '" + printable(key) + "'; need descr, fortran_order and shape, each once");
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (at_ != text_.size()) fail("text behind the dictionary");
    if (!descr || !order || !shape) fail("a dictionary without descr, fortran_order or shape");
    NpyHeader header;
    header.column_major = *order;
    header.shape = *shape;
    set_type(header, *descr);
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& found) const {
    file_.fail(fmt::format("found at character {} of the header {}", at_ + 1, found));
  }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char wanted) {
    skip_spaces();
    const bool found = at_ < text_.size() && text_[at_] == wanted;
    at_ += found ? 1 : 0;
    return found;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(fmt::format("no {}", wanted));
  }
  std::string quoted() {
    const char quote = accept('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) fail("a text that does not end");
    std::string text(text_.substr(at_, end - at_));
    if (text.find('\\') != std::string::npos) fail("a backslash");
    at_ = end + 1;
    return text;
  }
  std::string described() {
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == '[') fail("a structured dtype; need a plain one");
    return quoted();
  }
  bool boolean() {
    skip_spaces();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    fail("no True or False");
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      skip_spaces();
      std::int64_t extent = 0;
      const char* const begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0) fail("no extent; need a whole number from 0 to 2^63 - 1");
      if (shape.size() == Extents::capacity) fail("a shape of more than 8 extents; a tensor has at most 8");
      at_ += static_cast<std::size_t>(end - begin);
      accept('L');  // Python 2 wrote so
      shape.push_back(extent);
      if (accept(',')) continue;
      expect(')');
      if (shape.size() == 1) fail("(n); need (n,) for one extent");
      break;
    }
    return shape;
  }
  void set_type(NpyHeader& header, const std::string& descr) const {
    struct Type {
      std::string_view name;
      ElementKind kind;
    };
    static constexpr Type types[] = {
        {"b1", ElementKind::boolean}, {"u1", ElementKind::uint8},   {"i1", ElementKind::int8},
        {"u2", ElementKind::uint16},  {"i2", ElementKind::int16},   {"u4", ElementKind::uint32},
        {"i4", ElementKind::int32},   {"u8", ElementKind::uint64},  {"i8", ElementKind::int64},
        {"f2", ElementKind::float16}, {"f4", ElementKind::float32}, {"f8", ElementKind::float64}};
    const char order = descr.empty() ? '?' : descr[0];
    const std::string_view name = std::string_view(descr).substr(descr.empty() ? 0 : 1);
    const auto* const type =
        std::find_if(std::begin(types), std::end(types), [&](const Type& known) { return known.name == name; });
    const bool one_byte = name.ends_with('1');
    const bool known = type != std::end(types) && (order == '<' || order == '>' || order == '=' || order == '|');
    if (!known || (order == '|') != one_byte)
      fail("the dtype '" + printable(descr) + "'; known are ?, i, u and f of 1 to 8 bytes: '|b1', '<i4', '>f8'");
    header.kind = type->kind;
    header.order = order == '>' ? ByteOrder::big : ByteOrder::little;
  }

  const InputFile& file_;
  std::string_view text_;
  std::size_t at_ = 0;
};

NpyHeader read_npy_header(InputFile& file) {
  if (file.left() < 10) file.fail(fmt::format("found {} bytes; an .npy file has at least 10", file.left()));
  if (file.read_text(magic.size()) != magic) file.fail("is no .npy file: it does not begin with \\x93NUMPY");
  const auto major = file.read_number<std::uint8_t>(), minor = file.read_number<std::uint8_t>();
  if (major < 1 || major > 3 || minor != 0)
    file.fail(fmt::format("is of version {}.{}; known are 1.0, 2.0 and 3.0", major, minor));
  const std::size_t length = major == 1 ? file.read_number<std::uint16_t>() : file.read_number<std::uint32_t>();
  if (length > max_npy_header)
    file.fail(fmt::format("claims a header of {} bytes; need at most {}", length, max_npy_header));
  const std::string text = file.read_text(length);
  if (!text.ends_with('\n')) file.fail("the header does not end with a line end");
  return HeaderParser(file, text).parse();
}

}  // namespace

StoredTensor list_npy(InputFile& file) {
  const NpyHeader header = read_npy_header(file);
  return {file.name(), header.kind, header.shape, stored_bytes(file, "the array", header.kind, header.shape)};
}

Tensor read_npy(InputFile& file) {
  const NpyHeader header = read_npy_header(file);
  Shape shape = header.shape;
  if (header.column_major) std::reverse(shape.begin(), shape.end());
  const std::uint64_t bytes = stored_bytes(file, "the array", header.kind, shape);
  if (bytes < file.left())
    file.fail(
        fmt::format("found {} bytes behind the header; need {} for the shape {}", file.left(), bytes, header.shape));
  const Tensor values = read_values(file, "the array", header.kind, shape, header.order);
  if (!header.column_major || shape.rank() < 2) return values;
  Axes axes;
  for (std::size_t axis = shape.rank(); axis-- > 0;) axes.push_back(static_cast<std::int64_t>(axis));
  const Pause pause;
  return permute(values, axes);
}

Tensor read_npy(const std::string& path) {
  InputFile file(npy_reader, path);
  return read_npy(file);
}

Tensor parse_npy(std::string_view bytes, const std::string& name) {
  InputFile file(npy_reader, bytes, name);
  return read_npy(file);
}

std::string npy_header(const Tensor& x) {
  check_defined("write_npy", "x", x);
  std::string text = fmt::format("{{'descr': '<{}{}', 'fortran_order': False, 'shape': {}, }}",
                                 is_floating(x.dtype()) ? 'f' : 'i', size_of(x.dtype()), x.shape());
  // Magic string, version, length, text, spaces, line end: a multiple of 64 bytes.
  const std::size_t before = magic.size() + 4;
  text.append(63 - (before + text.size()) % 64, ' ').append("\n");
  const auto length = static_cast<std::uint16_t>(text.size());
  std::string header(magic);
  header.append({'\1', '\0', static_cast<char>(length & 0xFF), static_cast<char>(length >> 8)});
  return header + text;
}

void write_npy(const std::string& path, const Tensor& x) {
  WholeFile file(path);
  file.append(npy_header(x));
  file.append(bytes_of(x));
  file.finish();
}

}  // namespace xgrad::nn
