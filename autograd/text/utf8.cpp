#include <autograd/text/utf8.hpp>

#include <utf8.h>

#include <algorithm>

namespace xgrad {

namespace {

bool excluded_by_xml(std::string_view character) {
  const char first = character[0];
  return (first >= 0 && first < 0x20 && first != '\t' && first != '\n' && first != '\r') ||
         character == "\xEF\xBF\xBE" || character == "\xEF\xBF\xBF";
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  auto end = text.begin();
  try {
    utf8::next(end, text.end());
  } catch (const utf8::exception&) {
    return 0;
  }
  return static_cast<std::size_t>(end - text.begin());
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::size_t utf8_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
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
