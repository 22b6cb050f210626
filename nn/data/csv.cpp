#include <autograd/ops/layout.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <autograd/text/words.hpp>
#include <nn/data/csv.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <system_error>
#include <utility>

namespace xgrad::nn {

namespace {

/// A field for messages: short, on one line.
std::string quote(std::string_view value) {
  constexpr std::size_t longest = 40;
  std::size_t end = std::min(value.size(), longest);
  while (end < value.size() && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80) --end;  // no half characters
  std::string text(value.substr(0, end));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return fmt::format("'{}{}'", text, end < value.size() ? "..." : "");
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  const std::string text = joined(std::span(names).first(std::min(names.size(), most)), quote);
  return names.size() > most ? fmt::format("{} and {} more", text, names.size() - most) : text;
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// Reads a number that is the whole text; invalid_argument if it is not.
template <class T>
std::errc read_number(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return end == text.data() + text.size() ? error : std::errc::invalid_argument;
}

bool is_number(std::string_view text) {
  double ignored = 0;
  return read_number(text, ignored) != std::errc::invalid_argument;
}

void check_separator(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte == 0 || byte >= 0x80 || std::isalnum(byte) || std::strchr("\"\n\r+-.", c) != nullptr)
    throw_as<ValueError>("read_csv: separator {}; need a character that is no quote, line break, letter, digit or sign",
                         quote({&c, 1}));
}

}  // namespace

/// The text of a CSV file, with the places in it.
struct CsvTable::Source {
  std::string file;
  std::string text;

  /// Behind a byte order mark.
  std::size_t text_begin() const { return text.starts_with("\xEF\xBB\xBF") ? 3 : 0; }

  /// `file:line:column` of a byte, in characters from 1.
  std::string place(std::size_t at) const {
    const std::string_view before = std::string_view(text).substr(0, at);
    const std::size_t line_end = before.rfind('\n');
    const std::size_t begin = line_end == std::string_view::npos ? std::min(text_begin(), at) : line_end + 1;
    return fmt::format("{}:{}:{}", file, 1 + std::count(before.begin(), before.end(), '\n'),
                       1 + utf8_characters(before.substr(begin)));
  }

  /// FileError there.
  template <class... Values>
  [[noreturn]] void fail(std::size_t at, fmt::format_string<Values...> what, Values&&... values) const {
    throw FileError(place(at) + ": " + fmt::format(what, std::forward<Values>(values)...));
  }

  /// FileError at the first byte that is not UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
  void require_utf8() const {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = utf8_length(std::string_view(text).substr(at));
      if (length == 0) fail(at, "byte 0x{:02X} is not UTF-8; convert the file", static_cast<std::uint8_t>(text[at]));
      at += length;
    }
  }

  /// What stands in a field, quotes inside still doubled.
  std::string_view raw(const Field& field) const { return std::string_view(text).substr(field.begin, field.size); }
};

std::size_t CsvTable::position(const std::string& name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  if (found == columns_.end()) source_->fail(0, "no column {}; the columns are {}", quote(name), list_of(columns_));
  return static_cast<std::size_t>(found - columns_.begin());
}

std::vector<std::string> CsvTable::columns_except(const std::vector<std::string>& names) const {
  for (const std::string& name : names) position(name);
  std::vector<std::string> others;
  std::copy_if(columns_.begin(), columns_.end(), std::back_inserter(others),
               [&](const std::string& column) { return !contains(names, column); });
  return others;
}

std::string CsvTable::value(const Field& field) const {
  if (field.filled) return fill_;
  std::string value(source_->raw(field));
  if (field.quoted)
    for (std::size_t at = value.find('"'); at != std::string::npos; at = value.find('"', at + 1)) value.erase(at, 1);
  return value;
}

template <class T>
T CsvTable::number(const Field& field, const std::string& name) const {
  constexpr bool whole = std::is_integral_v<T>;
  const bool as_it_stands = !field.quoted && !field.filled;
  const std::string copy = as_it_stands ? std::string() : value(field);
  const std::string_view text = as_it_stands ? source_->raw(field) : copy;
  const auto refuse = [&](const char* why) {
    source_->fail(field.start(), "{} in column {}{}", quote(text), quote(name), why);
  };
  T result{};
  const std::errc error = read_number(text, result);
  if (error == std::errc::invalid_argument) refuse(whole ? "; need a whole number" : "; need a number");
  if (error == std::errc::result_out_of_range) refuse(fmt::format(" does not fit into {}", dtype_of<T>).c_str());
  if constexpr (!whole)
    if (!std::isfinite(result)) refuse("; need a finite number");
  return result;
}

Tensor CsvTable::numbers(const std::vector<std::string>& names, DType dtype) const {
  std::vector<std::size_t> positions;
  for (const std::string& name : names) positions.push_back(position(name));
  Tensor result = Tensor::uninitialized({rows(), static_cast<std::int64_t>(names.size())}, dtype);
  visit(dtype, [&](auto zero) {
    auto* target = result.fresh_data<decltype(zero)>();
    for (std::size_t row = 0; row < rows_; ++row)
      for (std::size_t i = 0; i < names.size(); ++i)
        *target++ = number<decltype(zero)>(field(row, positions[i]), names[i]);
  });
  return result;
}

Tensor CsvTable::number_column(const std::string& name, DType dtype) const {
  return reshape(numbers({name}, dtype), {rows()});
}

std::vector<std::string> CsvTable::text(const std::string& name) const {
  const std::size_t column = position(name);
  std::vector<std::string> values;
  for (std::size_t row = 0; row < rows_; ++row) values.push_back(value(field(row, column)));
  return values;
}

OrdinalEncoder CsvTable::categories(const std::string& name) const {
  const OrdinalEncoder encoder = OrdinalEncoder::fit(text(name));
  if (encoder.size() < 2)
    source_->fail(field(0, position(name)).start(), "column {} has one class only, {} in all {} rows; need two or more",
                  quote(name), quote(encoder.categories().front()), rows_);
  return encoder;
}

Tensor CsvTable::codes(const std::string& name, const OrdinalEncoder& categories) const {
  const std::size_t column = position(name);
  Tensor codes = Tensor::uninitialized({rows()}, int64);
  std::int64_t* target = codes.fresh_data<std::int64_t>();
  for (std::size_t row = 0; row < rows_; ++row) {
    const Field& here = field(row, column);
    const std::optional<std::int64_t> code = categories.find(value(here));
    if (!code)
      source_->fail(here.start(), "unknown category {} in column {}; need one of {}", quote(value(here)), quote(name),
                    list_of(categories.categories()));
    *target++ = *code;
  }
  return codes;
}

std::vector<std::string> CsvTable::places(const std::vector<std::string>& names) const {
  std::vector<std::string> places;
  for (const std::string& name : names)
    places.push_back(source_->place(headings_[position(name)].start()) + ": " + name);
  return places;
}

/// Makes a table of a text: cuts it into fields and lines, whose first one names the columns.
class CsvParser {
 public:
  CsvParser(std::string text, const std::string& file, const CsvOptions& options)
      : options_(options), source_(std::make_shared<const CsvTable::Source>(CsvTable::Source{file, std::move(text)})) {
    table_.source_ = source_;
    table_.fill_ = options.fill;
  }

  CsvTable parse() {
    source_->require_utf8();
    if (at_end()) source_->fail(0, "the file is empty; need rows");
    const Line first = read_line(0);
    const bool header = has_header(first);
    name_columns(first, header);
    keep_columns(first);
    if (!header) add_row(first);
    while (!at_end()) add_row(read_line(first.size()));
    if (table_.rows_ == 0 && table_.dropped_rows_ > 0)
      source_->fail(0, "all {} rows have a missing value and were dropped", table_.dropped_rows_);
    if (table_.rows_ == 0) source_->fail(0, "a header and no rows");
    return std::move(table_);
  }

 private:
  using Field = CsvTable::Field;
  using Line = std::vector<Field>;

  // Cutting.

  bool at_end() const { return at_ == text_.size(); }

  bool skip(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool ends_field() const {
    return at_end() || text_[at_] == options_.separator || text_[at_] == '\n' || text_[at_] == '\r';
  }

  /// The fields of the next line, valid until the next call; `expected` of them, unless it is 0.
  const Line& read_line(std::size_t expected) {
    const std::size_t begin = at_;
    line_.clear();
    do {
      if (expected > 0 && line_.size() == expected)
        source_->fail(at_, "field {} of a row; need {}", expected + 1, expected);
      line_.push_back(read_field());
    } while (skip(options_.separator));
    if (line_.size() < expected && at_ == begin) source_->fail(at_, "an empty line; need {}", expected);
    if (line_.size() < expected) source_->fail(at_, "{} fields in the row; need {}", line_.size(), expected);
    const std::size_t end = at_;
    if (skip('\r') && (at_end() || text_[at_] != '\n')) source_->fail(end, "a carriage return without a line feed");
    skip('\n');
    return line_;
  }

  Field read_field() {
    const std::size_t begin = at_;
    if (skip('"')) return read_quoted(begin);
    while (!ends_field()) {
      if (text_[at_] == '"')
        source_->fail(at_, "a quote in a field without quotes; need the field in quotes, this one doubled");
      ++at_;
    }
    return {begin, at_ - begin, false};
  }

  Field read_quoted(std::size_t begin) {
    do {
      at_ = text_.find('"', at_);
      if (at_ == std::string::npos) source_->fail(begin, "a quote that is not closed");
      ++at_;
    } while (skip('"'));
    if (!ends_field()) source_->fail(at_, "text behind a closing quote; need a separator or the end of the line");
    return {begin + 1, at_ - begin - 2, true};
  }

  // What the lines mean.

  bool has_number(const Line& line) const {
    return std::any_of(line.begin(), line.end(), [this](const Field& field) { return is_number(source_->raw(field)); });
  }

  bool has_header(const Line& first) {
    if (options_.header != CsvHeader::detect) return options_.header == CsvHeader::present;
    if (has_number(first)) return false;
    const std::size_t second = at_;
    if (at_end() || !has_number(read_line(first.size())))
      source_->fail(0, "neither of the first two lines has a number; say whether there is a header");
    at_ = second;
    return true;
  }

  void name_columns(const Line& first, bool header) {
    for (const Field& field : first) {
      std::string name = header ? table_.value(field) : fmt::format("{}", table_.columns_.size() + 1);
      if (name.empty()) source_->fail(field.start(), "a column without a name");
      if (contains(table_.columns_, name)) source_->fail(field.start(), "column name {} is used twice", quote(name));
      table_.columns_.push_back(std::move(name));
    }
  }

  void keep_columns(const Line& first) {
    const std::vector<std::string> names = options_.columns.empty() ? table_.columns_ : options_.columns;
    for (const std::string& name : names) {
      kept_.push_back(table_.position(name));
      if (std::count(kept_.begin(), kept_.end(), kept_.back()) > 1)
        throw_as<ValueError>("read_csv: column {} is listed twice", quote(name));
      table_.headings_.push_back(first[kept_.back()]);
    }
    table_.columns_ = names;
  }

  void add_row(const Line& row) {
    const std::size_t before = table_.fields_.size();
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      Field field = row[kept_[i]];
      field.filled = !field.quoted && contains(options_.missing_words, source_->raw(field));
      if (field.filled && options_.missing == CsvMissing::error)
        source_->fail(field.start(), "a missing value in column {}; CsvOptions::missing can drop or fill",
                      quote(table_.columns_[i]));
      if (field.filled && options_.missing == CsvMissing::drop_row) {
        table_.fields_.resize(before);
        ++table_.dropped_rows_;
        return;
      }
      table_.filled_fields_ += field.filled;
      table_.fields_.push_back(field);
    }
    ++table_.rows_;
  }

  const CsvOptions& options_;
  const std::shared_ptr<const CsvTable::Source> source_;
  const std::string& text_ = source_->text;
  std::size_t at_ = source_->text_begin();
  Line line_;
  std::vector<std::size_t> kept_;  // the table's columns among the file's
  CsvTable table_;
};

CsvTable parse_csv(std::string text, const std::string& file, const CsvOptions& options) {
  check_separator(options.separator);
  return CsvParser(std::move(text), file, options).parse();
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
