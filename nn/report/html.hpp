#pragma once

#include <autograd/text/table.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// The pieces of a page in HTML that is XML as well.
namespace xgrad::nn::html {

/// Text as text, in elements and in quoted attributes; made printable.
std::string escaped(std::string_view text);

/// A table whose first line is its head. Columns from `first_number` on are numbers, which stand at the right.
/// ShapeError for a line that is not as long as the head.
std::string table(const TextTable& lines, std::size_t first_number);

/// `data:TYPE;base64,...` (RFC 2397, RFC 4648): a file inside a page.
std::string data_uri(std::string_view type, std::string_view bytes);

/// The bytes of a PNG file with 8-bit grays, 255 for white, (height, width) row-major (ISO/IEC 15948:2004). ShapeError
/// unless there are height · width pixels, and at least one.
std::string gray_png(std::span<const std::uint8_t> pixels, std::int64_t height, std::int64_t width);

}  // namespace xgrad::nn::html
