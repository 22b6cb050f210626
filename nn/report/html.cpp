#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/report/html.hpp>

#include <zlib.h>

#include <array>

namespace xgrad::nn::html {

std::string escaped(std::string_view text) {
  constexpr std::string_view special = "&<>\"'";
  constexpr std::array<std::string_view, 5> entities = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  std::string result;
  for (const char c : printable(text)) {
    const std::size_t found = special.find(c);
    result += found < entities.size() ? entities[found] : std::string_view(&c, 1);
  }
  return result;
}

std::string table(const TextTable& lines, std::size_t first_number) {
  std::string text = "<table>\n<thead>";
  for (const auto& line : lines) {
    const bool head = &line == &lines.front();
    if (line.size() != lines.front().size())
      throw_as<ShapeError>("table: a row of {} cells under a head of {}; need equal lengths", line.size(),
                           lines.front().size());
    text += "<tr>";
    for (std::size_t i = 0; i < line.size(); ++i)
      text += fmt::format("<{0}{1}>{2}</{0}>", head ? "th" : "td", i < first_number ? "" : " class=\"number\"",
                          escaped(line[i]));
    text += head ? "</tr>\n</thead>\n<tbody>\n" : "</tr>\n";
  }
  return text + "</tbody>\n</table>\n";
}

std::string data_uri(std::string_view type, std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string uri = fmt::format("data:{};base64,", type);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = bytes.size() - i;  // of which 3 make 4 digits
    const auto byte = [&](std::size_t k) -> std::uint32_t {
      return k < count ? static_cast<std::uint8_t>(bytes[i + k]) : 0;
    };
    const std::uint32_t group = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (std::size_t k = 0; k < 4; ++k) uri += k <= count ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return uri;
}

namespace {

std::string big_endian(std::uint64_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

const Bytef* bytes_of(const std::string& text) { return reinterpret_cast<const Bytef*>(text.data()); }

/// Length, type and data, and the checksum of both.
std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  return big_endian(data.size()) + body + big_endian(crc32(0, bytes_of(body), static_cast<uInt>(body.size())));
}

}  // namespace

std::string gray_png(std::span<const std::uint8_t> pixels, std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1 || height * width != static_cast<std::int64_t>(pixels.size()))
    throw_as<ShapeError>("gray_png: {} pixels for {} by {}; need height · width, and at least one", pixels.size(),
                         height, width);
  std::string lines;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    if (i % static_cast<std::size_t>(width) == 0) lines += '\0';  // filter: none
    lines += static_cast<char>(pixels[i]);
  }
  uLongf size = compressBound(lines.size());
  std::string compressed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(compressed.data()), &size, bytes_of(lines), lines.size(), 9) != Z_OK)
    throw_as<ValueError>("gray_png: zlib has no memory for {} bytes", lines.size());
  compressed.resize(size);
  const std::string gray_of_8_bits("\x08\0\0\0\0", 5);  // depth, colour type, compression, filter, interlace
  const auto extent = [](std::int64_t value) { return big_endian(static_cast<std::uint64_t>(value)); };
  return "\x89PNG\r\n\x1A\n" + png_chunk("IHDR", extent(width) + extent(height) + gray_of_8_bits) +
         png_chunk("IDAT", compressed) + png_chunk("IEND", "");
}

}  // namespace xgrad::nn::html
