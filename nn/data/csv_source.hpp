#pragma once

#include <autograd/tensor/error.hpp>
#include <autograd/tensor/format.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// Part of a file for messages: short, printable, on one line, in quotes.
std::string quoted(std::string_view text);
/// `; CsvOptions::trim leaves out spaces`, the end of a message, with the options' names for whoever reads it, as
/// CsvOptions::option_name gives them; "" if it gives none.
std::string advice(const std::function<std::string(const std::string& option)>& option_name,
                   const std::vector<std::string>& options, std::string_view what);
/// Names, quoted, no more than a dozen.
std::string list_of(const std::vector<std::string>& names);

/// Line and place in the line, both from 1, in characters.
struct TextPlace {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// The text of a file, with the places in it for messages.
struct CsvSource {
  std::string file;
  std::string text;

  /// Behind a byte order mark.
  std::size_t text_begin() const { return text.starts_with("\xEF\xBB\xBF") ? 3 : 0; }
  TextPlace place(std::size_t at) const { return place(at, {}, text_begin()); }
  /// The same of a byte behind another one whose place is known.
  TextPlace place(std::size_t at, TextPlace known, std::size_t known_at) const;
  /// `file:line:column`.
  std::string words(const TextPlace& place) const;

  /// FileError there.
  template <class... Values>
  [[noreturn]] void fail(std::size_t at, fmt::format_string<Values...> what, Values&&... values) const {
    throw FileError(words(place(at)) + ": " + fmt::format(what, std::forward<Values>(values)...));
  }

  /// FileError at the first byte of a part that is not UTF-8.
  void require_utf8(std::size_t begin, std::size_t end) const;
};

}  // namespace xgrad::nn
