#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The pieces of a page in HTML that is XML as well.
namespace xgrad::nn::html {

/// Text as text, in elements and in quoted attributes; made printable.
std::string escaped(std::string_view text);

/// An aligned table. The first columns are text, from `first_number` on numbers; ShapeError for a row that is not as
/// long as the head.
std::string table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
                  std::size_t first_number);

/// `data:TYPE;base64,...` (RFC 2397, RFC 4648): a file inside a page.
std::string data_uri(std::string_view type, std::string_view bytes);

/// The bytes of a PNG file with 8-bit grays, 255 for white, (height, width) row-major (ISO/IEC 15948:2004). ShapeError
/// unless there are so many, and at least one.
std::string gray_png(std::span<const std::uint8_t> pixels, std::int64_t height, std::int64_t width);

}  // namespace xgrad::nn::html
