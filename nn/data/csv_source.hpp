#pragma once

#include <nn/data/csv.hpp>

#include <cstddef>
#include <string>

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
  [[noreturn]] void fail(std::size_t at, const std::string& what) const;
  /// FileError at the first byte that is not UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
  void require_utf8() const;
};

}  // namespace xgrad::nn
