#pragma once

#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace xgrad::nn {

/// How numbers are written in a file.
struct NumberFormat {
  char decimal = '.';
  char thousands = '\0';  ///< between groups of three digits; none
  bool trim = false;      ///< spaces and tabs around a number are not part of it

  friend bool operator==(const NumberFormat&, const NumberFormat&) = default;
};

/// Without the spaces and tabs at both ends.
std::string_view trimmed(std::string_view text);

/// Reads a number, the nearest in T (float, double, int64), that is the whole text: digits, a sign, a decimal mark, an
/// exponent, in every locale alike. invalid_argument if it is none, result_out_of_range if it is too large; what is
/// nearer to 0 than to any other number is 0.
template <class T>
std::errc read_number(std::string_view text, const NumberFormat& format, T& number);

bool is_number(std::string_view text, const NumberFormat& format);

/// The options of read_csv by which a text that is no number could be read, and what they do: {"trim"}, "leaves out
/// spaces". None if there are none.
struct ReadingAdvice {
  std::vector<std::string> options = {};
  std::string what = {};
};
ReadingAdvice advice_to_read(std::string_view text, const NumberFormat& format);

}  // namespace xgrad::nn
