#include <autograd/text/utf8.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace xgrad {

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

bool excluded_by_xml(std::string_view character) {
  const auto first = static_cast<std::uint8_t>(character[0]);
  return (first < 0x20 && first != '\t' && first != '\n' && first != '\r') || character == "\xEF\xBF\xBE" ||
         character == "\xEF\xBF\xBF";
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  for (const Utf8Form& form : utf8_forms) {
    if (text.empty() || byte(0) < form.first_low || byte(0) > form.first_high) continue;
    if (text.size() < form.length) return 0;
    if (form.length > 1 && (byte(1) < form.second_low || byte(1) > form.second_high)) return 0;
    for (std::size_t i = 2; i < form.length; ++i)
      if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
    return form.length;
  }
  return 0;
}

std::size_t utf8_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<std::uint8_t>(c) & 0xC0) != 0x80; }));
}

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    result += length == 0 || excluded_by_xml(character) ? "\xEF\xBF\xBD" : character;
    text.remove_prefix(character.size());
  }
  return result;
}

}  // namespace xgrad
