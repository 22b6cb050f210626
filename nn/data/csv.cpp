#include <autograd/tensor/error.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/csv_source.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <span>
#include <system_error>
#include <utility>

namespace xgrad::nn {

namespace {

/// A field for messages: short, on one line.
std::string quote(std::string_view value) {
  constexpr std::size_t longest = 40;
  std::string text = "'";
  for (const char c : value.substr(0, longest)) text += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  // A character that was cut ends where its continuation bytes begin.
  if (value.size() > longest) {
    std::size_t end = text.size();
    while (end > 1 && (static_cast<unsigned char>(text[end - 1]) & 0xC0) == 0x80) --end;
    if (end > 1 && (static_cast<unsigned char>(text[end - 1]) & 0xC0) == 0xC0) text.resize(end - 1);
    text += "...";
  }
  return text + "'";
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) text += (i > 0 ? ", " : "") + quote(names[i]);
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

}  // namespace

std::size_t CsvTable::position(const std::string& name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  if (found == columns_.end()) source_->fail(0, "no column " + quote(name) + "; the columns are " + list_of(columns_));
  return static_cast<std::size_t>(found - columns_.begin());
}

std::vector<std::string> CsvTable::columns_except(const std::vector<std::string>& names) const {
  for (const std::string& name : names) position(name);
  std::vector<std::string> others;
  for (const std::string& column : columns_)
    if (std::find(names.begin(), names.end(), column) == names.end()) others.push_back(column);
  return others;
}

std::string CsvTable::value(const Field& field) const {
  if (field.filled) return fill_;
  std::string value = source_->text.substr(field.begin, field.size);
  if (field.quoted)
    for (std::size_t at = value.find('"'); at != std::string::npos; at = value.find('"', at + 1)) value.erase(at, 1);
  return value;
}

void CsvTable::fail(const Field& field, const std::string& what) const {
  source_->fail(field.begin - (field.quoted ? 1 : 0), what);
}

template <class T>
T CsvTable::number(const Field& field, const std::string& name) const {
  constexpr bool whole = std::is_integral_v<T>;
  const std::string unquoted = field.quoted || field.filled ? value(field) : std::string();
  const std::string_view text =
      field.quoted || field.filled ? unquoted : std::string_view(source_->text).substr(field.begin, field.size);
  const auto here = [&] { return quote(text) + " in column " + quote(name); };
  T result{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument)
    fail(field, here() + (whole ? "; need a whole number" : "; need a number"));
  if (error == std::errc::result_out_of_range)
    fail(field, here() + " does not fit into " + std::string(name_of(dtype_of<T>)));
  if constexpr (!whole)
    if (!std::isfinite(result)) fail(field, here() + "; need a finite number");
  return result;
}

Tensor CsvTable::read_numbers(const std::vector<std::string>& names, const Shape& shape, DType dtype) const {
  std::vector<std::size_t> positions;
  for (const std::string& name : names) positions.push_back(position(name));
  const Tensor result = Tensor::uninitialized(shape, dtype);
  visit(dtype, [&]<class T>(T) {
    T* target = static_cast<T*>(result.mutable_data());
    for (std::size_t row = 0; row < static_cast<std::size_t>(rows_); ++row)
      for (std::size_t i = 0; i < names.size(); ++i) *target++ = number<T>(field(row, positions[i]), names[i]);
  });
  return result;
}

Tensor CsvTable::numbers(const std::vector<std::string>& names, DType dtype) const {
  return read_numbers(names, {rows_, static_cast<std::int64_t>(names.size())}, dtype);
}

Tensor CsvTable::number_column(const std::string& name, DType dtype) const {
  return read_numbers({name}, {rows_}, dtype);
}

std::vector<std::string> CsvTable::text(const std::string& name) const {
  const std::size_t column = position(name);
  std::vector<std::string> values;
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows_); ++row) values.push_back(value(field(row, column)));
  return values;
}

OrdinalEncoder CsvTable::categories(const std::string& name) const {
  const OrdinalEncoder encoder = OrdinalEncoder::fit(text(name));
  if (encoder.size() < 2)
    fail(field(0, position(name)), "column " + quote(name) + " has one class only, " +
                                       quote(encoder.categories().front()) + " in all " + std::to_string(rows_) +
                                       " rows; need two or more");
  return encoder;
}

Tensor CsvTable::codes(const std::string& name, const OrdinalEncoder& categories) const {
  const std::size_t column = position(name);
  const Tensor codes = Tensor::uninitialized({rows_}, int64);
  auto* const target = static_cast<std::int64_t*>(codes.mutable_data());
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows_); ++row) {
    const Field& here = field(row, column);
    const std::string text = value(here);
    const std::optional<std::int64_t> code = categories.find(text);
    if (!code)
      fail(here, "unknown category " + quote(text) + " in column " + quote(name) + "; need one of " +
                     list_of(categories.categories()));
    target[row] = *code;
  }
  return codes;
}

std::vector<std::string> CsvTable::places(const std::vector<std::string>& names) const {
  std::vector<std::string> places;
  for (const std::string& name : names) {
    const std::size_t column = position(name);
    const Field& at = headings_.empty() ? field(0, column) : headings_[column];
    places.push_back(source_->place(at.begin - (at.quoted ? 1 : 0)) + ": " + name);
  }
  return places;
}

/// Cuts a text into fields and lines.
class CsvReader {
 public:
  using Field = CsvTable::Field;

  CsvReader(const CsvTable::Source& source, char separator)
      : source_(source), text_(source.text), separator_(separator), at_(source.text_begin()) {}

  bool at_end() const { return at_ == text_.size(); }

  /// The fields of the next line; `expected` of them, unless it is 0.
  void read_line(std::vector<Field>& line, std::size_t expected) {
    const std::size_t begin = at_;
    line.clear();
    do {
      if (expected > 0 && line.size() == expected)
        source_.fail(at_, "field " + std::to_string(line.size() + 1) + " of a row; need " + std::to_string(expected));
      line.push_back(read_field());
    } while (skip(separator_));
    if (line.size() < expected)
      source_.fail(at_,
                   (at_ == begin ? std::string("an empty line") : std::to_string(line.size()) + " fields in the row") +
                       "; need " + std::to_string(expected));
    end_line();
  }

 private:
  bool skip(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool ends_field() const { return at_end() || text_[at_] == separator_ || text_[at_] == '\n' || text_[at_] == '\r'; }

  void end_line() {
    const std::size_t here = at_;
    if (skip('\r') && (at_end() || text_[at_] != '\n')) source_.fail(here, "a carriage return without a line feed");
    skip('\n');
  }

  Field read_field() {
    const std::size_t begin = at_;
    if (skip('"')) return read_quoted(begin);
    while (!ends_field()) {
      if (text_[at_] == '"')
        source_.fail(at_, "a quote in a field without quotes; need the field in quotes, this one doubled");
      ++at_;
    }
    return {begin, at_ - begin, false};
  }

  Field read_quoted(std::size_t begin) {
    for (;;) {
      const std::size_t end = text_.find('"', at_);
      if (end == std::string::npos) source_.fail(begin, "a quote that is not closed");
      at_ = end + 1;
      if (skip('"')) continue;
      if (!ends_field()) source_.fail(at_, "text behind a closing quote; need a separator or the end of the line");
      return {begin + 1, end - begin - 1, true};
    }
  }

  const CsvTable::Source& source_;
  const std::string& text_;
  char separator_;
  std::size_t at_;
};

namespace {

void check_separator(char c) {
  if (c == '"' || c == '\n' || c == '\r' || c == '\0' || c == '+' || c == '-' || c == '.' || (c >= '0' && c <= '9') ||
      (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80)
    throw ValueError(std::string("read_csv: separator ") + quote({&c, 1}) +
                     "; need a character that is no quote, line break, letter, digit or sign");
}

bool is_number(std::string_view text) {
  double ignored = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ignored);
  return error != std::errc::invalid_argument && end == text.data() + text.size() && !text.empty();
}

}  // namespace

CsvTable parse_csv(std::string text, const std::string& file, const CsvOptions& options) {
  using Field = CsvTable::Field;
  check_separator(options.separator);
  CsvTable table;
  const auto source = std::make_shared<const CsvTable::Source>(CsvTable::Source{file, std::move(text)});
  table.source_ = source;
  table.fill_ = options.fill;
  source->require_utf8();
  CsvReader reader(*source, options.separator);
  if (reader.at_end()) source->fail(0, "the file is empty; need rows");

  const auto plain = [&](const Field& field) { return std::string_view(source->text).substr(field.begin, field.size); };
  std::vector<Field> first, line;
  reader.read_line(first, 0);
  const std::size_t width = first.size();
  bool header = options.header == CsvHeader::present;
  if (options.header == CsvHeader::detect) {
    const auto has_number = [&](const std::vector<Field>& fields) {
      return std::any_of(fields.begin(), fields.end(), [&](const Field& field) { return is_number(plain(field)); });
    };
    if (!has_number(first)) {
      CsvReader ahead = reader;
      if (!ahead.at_end()) ahead.read_line(line, width);
      header = has_number(line);
      if (!header) source->fail(0, "neither of the first two lines has a number; say whether there is a header");
    }
  }

  std::vector<std::string> names;
  for (std::size_t i = 0; i < width; ++i) names.push_back(header ? table.value(first[i]) : std::to_string(i + 1));
  for (std::size_t i = 0; header && i < width; ++i) {
    if (names[i].empty()) table.fail(first[i], "a column without a name");
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i))
      table.fail(first[i], "column name " + quote(names[i]) + " stands twice");
  }
  std::vector<std::size_t> kept;
  table.columns_ = names;
  for (const std::string& name : options.columns.empty() ? names : options.columns) {
    kept.push_back(table.position(name));
    if (std::count(kept.begin(), kept.end(), kept.back()) > 1)
      throw ValueError("read_csv: column " + quote(name) + " is listed twice");
  }
  if (!options.columns.empty()) table.columns_ = options.columns;
  if (header)
    for (const std::size_t column : kept) table.headings_.push_back(first[column]);

  const auto is_missing = [&](const Field& field) {
    return !field.quoted && std::find(options.missing_words.begin(), options.missing_words.end(), plain(field)) !=
                                options.missing_words.end();
  };
  const auto add_row = [&](const std::vector<Field>& row) {
    const std::size_t before = table.fields_.size();
    for (const std::size_t column : kept) {
      Field field = row[column];
      if (is_missing(field)) {
        if (options.missing == CsvMissing::error)
          table.fail(field,
                     "a missing value in column " + quote(names[column]) + "; CsvOptions::missing can drop or fill");
        if (options.missing == CsvMissing::drop_row) {
          table.fields_.resize(before);
          ++table.dropped_rows_;
          return;
        }
        field.filled = true;
        ++table.filled_fields_;
      }
      table.fields_.push_back(field);
    }
    ++table.rows_;
  };
  if (!header) add_row(first);
  while (!reader.at_end()) {
    reader.read_line(line, width);
    add_row(line);
  }
  if (table.rows_ == 0)
    source->fail(0, table.dropped_rows_ > 0
                        ? "all " + std::to_string(table.dropped_rows_) + " rows have a missing value and were dropped"
                        : std::string("a header and no rows"));
  return table;
}

CsvTable read_csv(const std::string& path, const CsvOptions& options) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw FileError(path + ": read_csv: found a directory; expected a CSV file");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FileError(path + ": read_csv: cannot be opened (" + std::strerror(errno) + "); expected a CSV file");
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) throw FileError(path + ": read_csv: cannot be read (" + std::strerror(errno) + ")");
  return parse_csv(std::move(text), path, options);
}

}  // namespace xgrad::nn
