#include <autograd/text/utf8.hpp>
#include <autograd/text/words.hpp>
#include <nn/data/csv_source.hpp>

#include <algorithm>
#include <cstdint>
#include <span>

namespace xgrad::nn {

std::string quoted(std::string_view text) {
  constexpr std::size_t longest = 40;
  std::size_t end = std::min(text.size(), longest);
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // no half characters
  std::string shown = printable(text.substr(0, end));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return fmt::format("'{}{}'", shown, end < text.size() ? "..." : "");
}

std::string advice(const std::function<std::string(const std::string& option)>& option_name,
                   const std::vector<std::string>& options, std::string_view what) {
  std::string names;
  for (const std::string& option : options) {
    const std::string name = option_name ? option_name(option) : "CsvOptions::" + option;
    if (!name.empty()) names += (names.empty() ? "" : " and ") + name;
  }
  return names.empty() ? "" : fmt::format("; {} {}", names, what);
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  const std::string text = joined(std::span(names).first(std::min(names.size(), most)), quoted);
  return names.size() > most ? fmt::format("{} and {} more", text, names.size() - most) : text;
}

TextPlace CsvSource::place(std::size_t at, TextPlace known, std::size_t known_at) const {
  if (at <= known_at) return known;
  const std::string_view between = std::string_view(text).substr(known_at, at - known_at);
  const std::size_t line_end = between.rfind('\n');
  if (line_end == std::string_view::npos) return {known.line, known.column + utf8_characters(between)};
  const auto lines = static_cast<std::size_t>(std::count(between.begin(), between.end(), '\n'));
  return {known.line + lines, 1 + utf8_characters(between.substr(line_end + 1))};
}

std::string CsvSource::words(const TextPlace& place) const {
  return fmt::format("{}:{}:{}", file, place.line, place.column);
}

void CsvSource::require_utf8(std::size_t begin, std::size_t end) const {
  const std::string_view part = std::string_view(text).substr(0, end);
  for (std::size_t at = begin; at < end;) {
    const std::size_t length = utf8_length(part.substr(at));
    if (length == 0) fail(at, "byte 0x{:02X} is not UTF-8; convert the file", static_cast<std::uint8_t>(text[at]));
    at += length;
  }
}

}  // namespace xgrad::nn
