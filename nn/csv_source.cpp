#include <autograd/error.hpp>
#include <nn/csv_source.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace xgrad::nn {

namespace {

/// Well-formed byte sequences: Unicode 15, table 3-7. The first byte decides the range of the second and the length.
struct Utf8Form {
  std::uint8_t first_low, first_high;
  std::uint8_t second_low, second_high;
  std::size_t length;
};
constexpr std::array<Utf8Form, 9> utf8_forms = {{{0x00, 0x7F, 0, 0, 1},
                                                 {0xC2, 0xDF, 0x80, 0xBF, 2},
                                                 {0xE0, 0xE0, 0xA0, 0xBF, 3},
                                                 {0xE1, 0xEC, 0x80, 0xBF, 3},
                                                 {0xED, 0xED, 0x80, 0x9F, 3},
                                                 {0xEE, 0xEF, 0x80, 0xBF, 3},
                                                 {0xF0, 0xF0, 0x90, 0xBF, 4},
                                                 {0xF1, 0xF3, 0x80, 0xBF, 4},
                                                 {0xF4, 0xF4, 0x80, 0x8F, 4}}};

/// How many bytes the character at the beginning of a text has, 0 if it is not UTF-8.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  for (const Utf8Form& form : utf8_forms) {
    if (byte(0) < form.first_low || byte(0) > form.first_high) continue;
    if (text.size() < form.length) return 0;
    if (form.length > 1 && (byte(1) < form.second_low || byte(1) > form.second_high)) return 0;
    for (std::size_t i = 2; i < form.length; ++i)
      if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
    return form.length;
  }
  return 0;
}

}  // namespace

std::string CsvTable::Source::place(std::size_t at) const {
  const std::string_view before = std::string_view(text).substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_end = before.rfind('\n');
  const std::size_t begin = line_end == std::string_view::npos ? std::min(text_begin(), at) : line_end + 1;
  const std::string_view here = before.substr(begin);
  const auto column = 1 + std::count_if(here.begin(), here.end(),
                                        [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

void CsvTable::Source::fail(std::size_t at, const std::string& what) const { throw FileError(place(at) + ": " + what); }

void CsvTable::Source::require_utf8() const {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(std::string_view(text).substr(at));
    if (length == 0) {
      constexpr const char* digits = "0123456789ABCDEF";
      const auto byte = static_cast<std::uint8_t>(text[at]);
      fail(at, std::string("byte 0x") + digits[byte >> 4] + digits[byte & 15] + " is not UTF-8; convert the file");
    }
    at += length;
  }
}

}  // namespace xgrad::nn
