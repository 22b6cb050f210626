#pragma once

#include <autograd/tensor/format.hpp>
#include <nn/data/csv.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace xgrad::nn {

/// The text of a CSV file, with the places in it.
struct CsvTable::Source {
  std::string file;
  std::string text;

  /// Behind a byte order mark.
  std::size_t text_begin() const { return text.starts_with("\xEF\xBB\xBF") ? 3 : 0; }
  /// `file:line:column` of a byte, in characters from 1.
  std::string place(std::size_t at) const;
  /// FileError there.
  template <class... Values>
  [[noreturn]] void fail(std::size_t at, fmt::format_string<Values...> what, Values&&... values) const {
    throw FileError(place(at) + ": " + fmt::format(what, std::forward<Values>(values)...));
  }
  /// What stands in a field, quotes inside still doubled.
  std::string_view raw(const Field& field) const { return std::string_view(text).substr(field.begin, field.size); }
  /// FileError at the first byte that is not UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
  void require_utf8() const;
};

}  // namespace xgrad::nn
