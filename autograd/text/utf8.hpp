#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace xgrad {

/// How many bytes the character at the beginning of a text has; 0 if it is not UTF-8 (RFC 3629: no overlong forms, no
/// surrogates, at most U+10FFFF) or if the text is empty.
std::size_t utf8_length(std::string_view text);

/// Whether all of a text is UTF-8.
bool is_utf8(std::string_view text);

/// The characters of a text in UTF-8.
std::size_t utf8_characters(std::string_view text);

/// The text with U+FFFD in place of every byte that is not UTF-8 and of every character that XML 1.0 excludes (section
/// 2.2: control characters but tab and line ends, U+FFFE, U+FFFF).
std::string printable(std::string_view text);

}  // namespace xgrad
