#include <autograd/tensor/error.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/report/html.hpp>

#include <zlib.h>

#include <cstddef>

namespace xgrad::nn::html {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
                  std::size_t first_number) {
  const auto line = [&](const std::vector<std::string>& cells, const std::string& kind) {
    if (cells.size() != head.size())
      throw ShapeError("table: a row of " + std::to_string(cells.size()) + " cells under a head of " +
                       std::to_string(head.size()) + "; need as many");
    std::string text = "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i)
      text += "<" + kind + (i < first_number ? ">" : " class=\"number\">") + escaped(cells[i]) + "</" + kind + ">";
    return text + "</tr>\n";
  };
  std::string text = "<table>\n<thead>" + line(head, "th") + "</thead>\n<tbody>\n";
  for (const auto& row : rows) text += line(row, "td");
  return text + "</tbody>\n</table>\n";
}

std::string data_uri(std::string_view type, std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string uri = "data:" + std::string(type) + ";base64,";
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
    throw ShapeError("gray_png: " + std::to_string(pixels.size()) + " pixels for " + std::to_string(height) + " by " +
                     std::to_string(width) + "; need as many, and at least one");
  std::string lines;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    if (i % static_cast<std::size_t>(width) == 0) lines += '\0';  // filter: none
    lines += static_cast<char>(pixels[i]);
  }
  uLongf size = compressBound(lines.size());
  std::string compressed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(compressed.data()), &size, bytes_of(lines), lines.size(), 9) != Z_OK)
    throw ValueError("gray_png: zlib has no memory for " + std::to_string(lines.size()) + " bytes");
  compressed.resize(size);
  const std::string gray_of_8_bits("\x08\0\0\0\0", 5);  // depth, colour type, compression, filter, interlace
  const auto extent = [](std::int64_t value) { return big_endian(static_cast<std::uint64_t>(value)); };
  return "\x89PNG\r\n\x1A\n" + png_chunk("IHDR", extent(width) + extent(height) + gray_of_8_bits) +
         png_chunk("IDAT", compressed) + png_chunk("IEND", "");
}

}  // namespace xgrad::nn::html
