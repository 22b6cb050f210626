#include <autograd/text/utf8.hpp>
#include <nn/data/csv_source.hpp>

#include <algorithm>
#include <cstdint>

namespace xgrad::nn {

std::string CsvTable::Source::place(std::size_t at) const {
  const std::string_view before = std::string_view(text).substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_end = before.rfind('\n');
  const std::size_t begin = line_end == std::string_view::npos ? std::min(text_begin(), at) : line_end + 1;
  const std::string_view here = before.substr(begin);
  return fmt::format("{}:{}:{}", file, line, 1 + utf8_characters(here));
}

void CsvTable::Source::require_utf8() const {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(std::string_view(text).substr(at));
    if (length == 0) fail(at, "byte 0x{:02X} is not UTF-8; convert the file", static_cast<std::uint8_t>(text[at]));
    at += length;
  }
}

}  // namespace xgrad::nn
