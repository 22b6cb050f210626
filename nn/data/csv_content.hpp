#pragma once

#include <autograd/text/utf8.hpp>
#include <autograd/text/words.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/csv_number.hpp>
#include <nn/data/csv_source.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace xgrad::nn {

struct CsvTable::Field {
  std::size_t begin;  // in the text of the file, behind a quote
  std::size_t size;
  bool quoted;
  bool filled = false;
  std::size_t start() const { return quoted ? begin - 1 : begin; }
};

/// What copies of a table share.
struct CsvTable::Content {
  CsvSource source;
  NumberFormat format;
  std::function<std::string(const std::string& option)> option_name;
  std::string fill;
  bool keeps_missing = false;
  std::size_t rows = 0;
  std::int64_t dropped_rows = 0;
  std::int64_t filled_fields = 0;
  std::vector<std::string> columns = {};
  std::unordered_map<std::string, std::size_t> positions = {};  // of the columns
  std::vector<TextPlace> headings = {};                         // in the first line
  std::vector<Field> fields = {};                               // row after row

  Field field(std::size_t row, std::size_t column) const { return fields[row * columns.size() + column]; }
  bool is_missing(const Field& field) const { return keeps_missing && field.filled; }

  std::size_t position(const std::string& name) const {
    const auto found = positions.find(name);
    if (found == positions.end()) fail_unknown(name, columns);
    return found->second;
  }

  std::string advice(const std::vector<std::string>& options, std::string_view what) const {
    return nn::advice(option_name, options, what);
  }

  /// FileError for a name that is none of those of the file.
  [[noreturn]] void fail_unknown(const std::string& name, const std::vector<std::string>& names) const {
    std::string hint = printable(did_you_mean(name, names));
    if (names.size() == 1 && names[0].find_first_of(",;\t|") != std::string::npos)
      hint = advice({"separator"}, "says what stands between them");
    else if (std::any_of(names.begin(), names.end(), [&](const auto& n) { return is_number(n, format); }))
      hint = advice({"header"}, "says if the file has no names");
    source.fail(0, "no column {}; the columns are {}{}", quoted(name), list_of(names), hint);
  }

  /// What stands in a field, quotes inside still doubled.
  std::string_view raw(const Field& field) const {
    return std::string_view(source.text).substr(field.begin, field.size);
  }

  std::string value(const Field& field) const {
    if (field.filled) return fill;
    const std::string_view text = raw(field);
    if (!field.quoted) return std::string(text);
    std::string value;
    for (std::size_t i = 0; i < text.size(); ++i) {
      value += text[i];
      if (text[i] == '"') ++i;
    }
    return value;
  }

  template <class T>
  T number(const Field& field, const std::string& name) const {
    constexpr bool whole = std::is_integral_v<T>;
    if constexpr (!whole)
      if (is_missing(field)) return std::numeric_limits<T>::quiet_NaN();
    const bool as_it_stands = !field.quoted && !field.filled;
    const std::string copy = as_it_stands ? std::string() : value(field);
    const std::string_view text = as_it_stands ? raw(field) : copy;
    const auto refuse = [&](const std::string& why) {
      source.fail(field.start(), "{} in column {}{}", quoted(text), quoted(name), why);
    };
    T result{};
    const std::errc error = read_number(text, format, result);
    if (error == std::errc::invalid_argument) {
      const auto [options, what] = advice_to_read(text, format);
      refuse((whole ? "; need a whole number" : "; need a number") + advice(options, what));
    }
    if (error == std::errc::result_out_of_range) refuse(fmt::format(" does not fit into {}", dtype_of<T>));
    if constexpr (!whole)
      if (!std::isfinite(result)) refuse("; need a finite number");
    return result;
  }
};

}  // namespace xgrad::nn
