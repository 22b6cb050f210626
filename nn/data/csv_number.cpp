#include <nn/data/csv_number.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <type_traits>

namespace xgrad::nn {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The digits at the beginning of a text, which are taken from it.
std::string_view take_digits(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  const std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

/// The number as C++ writes it; nothing if its groups are not of three digits, or a mark is out of place.
std::optional<std::string> plain(std::string_view text, const NumberFormat& format) {
  std::string result;
  if (text.starts_with('-')) {
    result = "-";
    text.remove_prefix(1);
  }
  const std::string_view first = take_digits(text);
  result += first;
  const bool grouped = format.thousands != '\0' && text.starts_with(format.thousands);
  if (grouped && (first.empty() || first.size() > 3)) return std::nullopt;
  while (format.thousands != '\0' && text.starts_with(format.thousands)) {
    text.remove_prefix(1);
    const std::string_view group = take_digits(text);
    if (group.size() != 3) return std::nullopt;
    result += group;
  }
  for (const char c : text) {
    if (c != format.decimal && (c == '.' || c == format.thousands)) return std::nullopt;
    result += c == format.decimal ? '.' : c;
  }
  return result;
}

template <class T>
std::errc read_plain(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size()) return std::errc::invalid_argument;
  if constexpr (std::is_floating_point_v<T>) {
    if (error != std::errc::result_out_of_range) return error;
    // Too large or too near to 0, which from_chars does not tell apart.
    static const locale_t c = newlocale(LC_ALL_MASK, "C", nullptr);
    const std::string copy(text);
    number = std::is_same_v<T, float> ? static_cast<T>(strtof_l(copy.c_str(), nullptr, c))
                                      : static_cast<T>(strtod_l(copy.c_str(), nullptr, c));
    if (std::isfinite(number)) return std::errc();
  }
  return error;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view spaces = " \t";
  const std::size_t first = text.find_first_not_of(spaces);
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

template <class T>
std::errc read_number(std::string_view text, const NumberFormat& format, T& number) {
  if (format.trim) text = trimmed(text);
  if (text.size() > 1 && text[0] == '+' && (is_digit(text[1]) || text[1] == format.decimal)) text.remove_prefix(1);
  if (format.decimal == '.' && format.thousands == '\0') return read_plain(text, number);
  const std::optional<std::string> copy = plain(text, format);
  return copy ? read_plain(*copy, number) : std::errc::invalid_argument;
}

template std::errc read_number(std::string_view, const NumberFormat&, float&);
template std::errc read_number(std::string_view, const NumberFormat&, double&);
template std::errc read_number(std::string_view, const NumberFormat&, std::int64_t&);

bool is_number(std::string_view text, const NumberFormat& format) {
  double ignored = 0;
  return read_number(text, format, ignored) != std::errc::invalid_argument;
}

ReadingAdvice advice_to_read(std::string_view text, const NumberFormat& format) {
  if (is_number(text, format)) return {};  // no whole one
  if (!format.trim && trimmed(text) != text && is_number(trimmed(text), format)) return {{"trim"}, "leaves out spaces"};
  for (const char decimal : {'.', ','})
    for (const char thousands : {'\0', ',', '.', '\'', ' ', '_'})
      if (thousands != decimal && is_number(text, {decimal, thousands, true}))
        return {{"decimal", "thousands"}, "say how numbers are written"};
  constexpr std::array<std::string_view, 12> words = {"?",    "-",    "--",   ".",       "n/a", "N/A",
                                                      "null", "NULL", "None", "missing", "NA",  "#N/A"};
  if (std::find(words.begin(), words.end(), trimmed(text)) != words.end())
    return {{"missing_words"}, "says what stands for a missing value"};
  if (text.find_first_of(";\t|") != std::string_view::npos) return {{"separator"}, "says what stands between fields"};
  return {};
}

}  // namespace xgrad::nn
