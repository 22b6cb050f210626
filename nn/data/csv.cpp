#include <autograd/ops/layout.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <autograd/text/words.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/csv_number.hpp>
#include <nn/data/csv_source.hpp>
#include <nn/data/source_file.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace xgrad::nn {

namespace {

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  const std::string text = joined(std::span(names).first(std::min(names.size(), most)), quoted);
  return names.size() > most ? fmt::format("{} and {} more", text, names.size() - most) : text;
}

void check_mark(const char* what, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte == 0 || byte >= 0x80 || std::isalnum(byte) || std::strchr("\"\n\r+-.", c) != nullptr)
    throw_as<ValueError>("read_csv: {} {}; need a character that is no quote, line break, letter, digit or sign", what,
                         quoted({&c, 1}));
}

void check(const CsvOptions& options) {
  check_mark("separator", options.separator);
  if (options.comment != '\0') check_mark("comment", options.comment);
  if (options.comment == options.separator)
    throw_as<ValueError>("read_csv: separator and comment are both {}; need two characters",
                         quoted({&options.separator, 1}));
  if (options.decimal != '.' && options.decimal != ',')
    throw_as<ValueError>("read_csv: decimal {}; need '.' or ','", quoted({&options.decimal, 1}));
  if (options.thousands != '\0' && std::strchr(",.' _", options.thousands) == nullptr)
    throw_as<ValueError>("read_csv: thousands {}; need one of , . ' _ or a space", quoted({&options.thousands, 1}));
  if (options.thousands == options.decimal)
    throw_as<ValueError>("read_csv: decimal and thousands are both {}; need two characters",
                         quoted({&options.decimal, 1}));
}

}  // namespace

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
  std::string fill;
  bool keeps_missing = false;
  std::size_t rows = 0;
  std::int64_t dropped_rows = 0;
  std::int64_t filled_fields = 0;
  std::vector<std::string> columns = {};
  std::unordered_map<std::string, std::size_t> positions = {};  // of the columns
  std::vector<TextPlace> headings = {};                         // in the first line
  std::vector<Field> fields = {};                               // row after row

  const Field& field(std::size_t row, std::size_t column) const { return fields[row * columns.size() + column]; }
  bool is_missing(const Field& field) const { return keeps_missing && field.filled; }

  std::size_t position(const std::string& name) const {
    const auto found = positions.find(name);
    if (found == positions.end()) fail_unknown(name, columns);
    return found->second;
  }

  /// FileError for a name that is none of those of the file.
  [[noreturn]] void fail_unknown(const std::string& name, const std::vector<std::string>& names) const {
    std::string advice = printable(did_you_mean(name, names));
    if (names.size() == 1 && names[0].find_first_of(",;\t|") != std::string::npos)
      advice = "; CsvOptions::separator says what stands between them";
    else if (std::any_of(names.begin(), names.end(), [&](const auto& n) { return is_number(n, format); }))
      advice = "; CsvOptions::header says if the file has no names";
    source.fail(0, "no column {}; the columns are {}{}", quoted(name), list_of(names), advice);
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
    if (error == std::errc::invalid_argument)
      refuse((whole ? "; need a whole number" : "; need a number") + option_to_read(text, format));
    if (error == std::errc::result_out_of_range) refuse(fmt::format(" does not fit into {}", dtype_of<T>));
    if constexpr (!whole)
      if (!std::isfinite(result)) refuse("; need a finite number");
    return result;
  }
};

const CsvTable::Content& CsvTable::content() const {
  if (content_ == nullptr)
    throw ValueError("CsvTable: nothing was read into it, or it was moved from; need the result of read_csv");
  return *content_;
}

std::int64_t CsvTable::rows() const { return static_cast<std::int64_t>(content().rows); }
const std::vector<std::string>& CsvTable::columns() const& { return content().columns; }
std::int64_t CsvTable::dropped_rows() const { return content().dropped_rows; }
std::int64_t CsvTable::filled_fields() const { return content().filled_fields; }

std::vector<std::string> CsvTable::columns_except(const std::vector<std::string>& names) const {
  for (const std::string& name : names) content().position(name);
  const std::unordered_set<std::string> left_out(names.begin(), names.end());
  std::vector<std::string> others;
  std::copy_if(columns().begin(), columns().end(), std::back_inserter(others),
               [&](const std::string& column) { return !left_out.contains(column); });
  return others;
}

Tensor CsvTable::numbers(const std::vector<std::string>& names, DType dtype) const {
  const Content& table = content();
  std::vector<std::size_t> positions;
  for (const std::string& name : names) positions.push_back(table.position(name));
  Tensor result = Tensor::uninitialized({rows(), static_cast<std::int64_t>(names.size())}, dtype);
  visit(dtype, [&](auto zero) {
    auto* target = result.fresh_data<decltype(zero)>();
    for (std::size_t row = 0; row < table.rows; ++row)
      for (std::size_t i = 0; i < names.size(); ++i)
        *target++ = table.number<decltype(zero)>(table.field(row, positions[i]), names[i]);
  });
  return result;
}

Tensor CsvTable::number_column(const std::string& name, DType dtype) const {
  return reshape(numbers({name}, dtype), {rows()});
}

std::vector<std::string> CsvTable::text(const std::string& name) const {
  const Content& table = content();
  const std::size_t column = table.position(name);
  std::vector<std::string> values;
  for (std::size_t row = 0; row < table.rows; ++row) values.push_back(table.value(table.field(row, column)));
  return values;
}

std::vector<bool> CsvTable::missing(const std::string& name) const {
  const Content& table = content();
  const std::size_t column = table.position(name);
  std::vector<bool> gaps;
  for (std::size_t row = 0; row < table.rows; ++row) gaps.push_back(table.is_missing(table.field(row, column)));
  return gaps;
}

bool CsvTable::is_numeric(const std::string& name) const {
  const Content& table = content();
  const std::size_t column = table.position(name);
  bool any = false;
  for (std::size_t row = 0; row < table.rows; ++row) {
    const Field& field = table.field(row, column);
    if (table.is_missing(field)) continue;
    if (!is_number(table.value(field), table.format)) return false;
    any = true;
  }
  return any;
}

OrdinalEncoder CsvTable::categories(const std::string& name) const {
  const Content& table = content();
  const std::vector<bool> gaps = missing(name);
  const std::vector<std::string> texts = text(name);
  std::vector<std::string> values;
  for (std::size_t row = 0; row < texts.size(); ++row)
    if (!gaps[row]) values.push_back(texts[row]);
  if (values.empty())
    table.source.fail(table.field(0, table.position(name)).start(), "column {} has no value in all {} rows; need two",
                      quoted(name), table.rows);
  const OrdinalEncoder encoder = OrdinalEncoder::fit(values);
  if (encoder.size() < 2)
    table.source.fail(table.field(0, table.position(name)).start(),
                      "column {} has one class only, {} in all {} rows; need two or more", quoted(name),
                      quoted(encoder.categories().front()), table.rows);
  return encoder;
}

Tensor CsvTable::codes(const std::string& name, const OrdinalEncoder& categories) const {
  const Content& table = content();
  const std::size_t column = table.position(name);
  Tensor codes = Tensor::uninitialized({rows()}, int64);
  std::int64_t* target = codes.fresh_data<std::int64_t>();
  for (std::size_t row = 0; row < table.rows; ++row) {
    const Field& here = table.field(row, column);
    if (table.is_missing(here)) {
      *target++ = -1;
      continue;
    }
    const std::string text = table.value(here);
    const std::optional<std::int64_t> code = categories.find(text);
    if (!code)
      table.source.fail(here.start(), "unknown category {} in column {}; need one of {}", quoted(text), quoted(name),
                        list_of(categories.categories()));
    *target++ = *code;
  }
  return codes;
}

std::vector<std::string> CsvTable::places(const std::vector<std::string>& names) const {
  const Content& table = content();
  std::vector<std::string> places;
  for (const std::string& name : names)
    places.push_back(table.source.words(table.headings[table.position(name)]) + ": " + name);
  return places;
}

/// Makes a table of a text: cuts it into fields and lines, whose first one names the columns.
class CsvParser {
 public:
  CsvParser(std::string text, const std::string& file, const CsvOptions& options)
      : options_(options),
        table_(std::make_shared<Content>(Content{{file, std::move(text)},
                                                 {options.decimal, options.thousands, options.trim},
                                                 options.missing == CsvMissing::keep ? "" : options.fill,
                                                 options.missing == CsvMissing::keep})) {}

  CsvTable parse() {
    if (options_.columns.empty()) source_.require_utf8(at_, text_.size());
    skip_comments();
    if (at_end()) source_.fail(0, "the file is empty; need rows");
    first_line_ = at_;
    const Line first = read_line(0);
    const bool header = has_header(first);
    keep_columns(first, names_of(first, header));
    if (!header) add_row(first);
    for (skip_comments(); !at_end(); skip_comments()) add_row(read_line(first.size()));
    if (table_->rows == 0 && table_->dropped_rows > 0)
      source_.fail(0, "all {} rows have a missing value and were dropped", table_->dropped_rows);
    if (table_->rows == 0) source_.fail(0, "a header and no rows");
    return CsvTable(std::move(table_));
  }

 private:
  using Field = CsvTable::Field;
  using Content = CsvTable::Content;
  using Line = std::vector<Field>;

  // Cutting.

  bool at_end() const { return at_ == text_.size(); }

  bool skip(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void skip_comments() {
    while (options_.comment != '\0' && !at_end() && text_[at_] == options_.comment)
      at_ = std::min(text_.find('\n', at_), text_.size() - 1) + 1;
  }

  bool at_space() const {
    return !at_end() && (text_[at_] == ' ' || text_[at_] == '\t') && text_[at_] != options_.separator;
  }

  void skip_spaces() {
    while (options_.trim && at_space()) ++at_;
  }

  bool ends_field() const {
    return at_end() || text_[at_] == options_.separator || text_[at_] == '\n' || text_[at_] == '\r';
  }

  /// What may be the reason why the line that begins there has another number of fields.
  const char* comment_advice(std::size_t line) const {
    const auto looks_like_one = [this](std::size_t at) {
      return at < text_.size() && (text_[at] == '#' || text_[at] == '%');
    };
    return looks_like_one(line) || looks_like_one(first_line_) ? "; CsvOptions::comment skips comments" : "";
  }

  /// The fields of the next line, valid until the next call; `expected` of them, unless it is 0.
  const Line& read_line(std::size_t expected) {
    const std::size_t begin = at_;
    line_.clear();
    do {
      if (expected > 0 && line_.size() == expected)
        source_.fail(at_, "field {} of a row; need {}{}", expected + 1, expected, comment_advice(begin));
      line_.push_back(read_field());
    } while (skip(options_.separator));
    if (line_.size() < expected && at_ == begin) source_.fail(at_, "an empty line; need {}", expected);
    if (line_.size() < expected)
      source_.fail(at_, "{} fields in the row; need {}{}", line_.size(), expected, comment_advice(begin));
    const std::size_t end = at_;
    if (skip('\r') && (at_end() || text_[at_] != '\n')) source_.fail(end, "a carriage return without a line feed");
    skip('\n');
    return line_;
  }

  Field read_field() {
    skip_spaces();
    const std::size_t begin = at_;
    if (skip('"')) return read_quoted(begin);
    while (!ends_field()) {
      if (text_[at_] == '"')
        source_.fail(at_, "a quote in a field without quotes; need the field in quotes, this one doubled{}",
                     trimmed(std::string_view(text_).substr(begin, at_ - begin)).empty()
                         ? " (CsvOptions::trim leaves out spaces before it)"
                         : "");
      ++at_;
    }
    std::size_t size = at_ - begin;
    if (options_.trim) size = trimmed(std::string_view(text_).substr(begin, size)).size();
    return {begin, size, false};
  }

  Field read_quoted(std::size_t begin) {
    do {
      at_ = text_.find('"', at_);
      if (at_ == std::string::npos) source_.fail(begin, "a quote that is not closed");
      ++at_;
    } while (skip('"'));
    const std::size_t end = at_;
    skip_spaces();
    if (!ends_field()) source_.fail(end, "text behind a closing quote; need a separator or the end of the line");
    return {begin + 1, end - begin - 2, true};
  }

  // What the lines mean.

  bool is_number(const Field& field) const { return nn::is_number(table_->raw(field), table_->format); }
  bool has_number(const Line& line) const {
    return std::any_of(line.begin(), line.end(), [this](const Field& field) { return is_number(field); });
  }

  bool has_header(const Line& first) {
    if (options_.header == CsvHeader::present &&
        std::all_of(first.begin(), first.end(), [this](const Field& field) { return is_number(field); }))
      source_.fail(first_line_,
                   "the first line has nothing but numbers; need names, or CsvOptions::header: CsvHeader::absent if "
                   "there are none, CsvHeader::numeric if they are these");
    if (options_.header != CsvHeader::detect) return options_.header != CsvHeader::absent;
    if (has_number(first)) return false;
    const std::size_t second = at_;
    skip_comments();
    if (at_end() || !has_number(read_line(first.size())))
      source_.fail(0, "neither of the first two lines has a number; say whether there is a header");
    at_ = second;
    return true;
  }

  std::vector<std::string> names_of(const Line& first, bool header) const {
    std::vector<std::string> names;
    for (const Field& field : first)
      names.push_back(header ? table_->value(field) : fmt::format("{}", names.size() + 1));
    return names;
  }

  /// Chooses the columns of the table among those of the file.
  void keep_columns(const Line& first, const std::vector<std::string>& names) {
    std::unordered_map<std::string_view, std::vector<std::size_t>> places;  // of every name
    for (std::size_t column = 0; column < names.size(); ++column) places[names[column]].push_back(column);
    const auto keep = [&](std::size_t column, std::size_t again) {
      const std::string& name = names[column];
      if (name.empty())
        source_.fail(first[column].start(),
                     "a column without a name; CsvOptions::drop_unnamed leaves it out (an index of pandas has none)");
      if (again != column)
        source_.fail(first[again].start(), "column name {} is used twice; CsvOptions::columns says which to keep",
                     quoted(name));
      if (!table_->positions.emplace(name, kept_.size()).second)
        throw_as<ValueError>("read_csv: column {} is listed twice", quoted(name));
      kept_.push_back(column);
      table_->columns.push_back(name);
    };
    if (options_.columns.empty()) {
      for (std::size_t column = 0; column < names.size(); ++column) {
        if (names[column].empty() && options_.drop_unnamed) continue;
        if (places[names[column]].front() != column) keep(places[names[column]].front(), column);
        keep(column, column);
      }
    } else {
      for (const std::string& name : options_.columns) {
        const auto found = places.find(name);
        if (found == places.end()) table_->fail_unknown(name, names);
        keep(found->second.front(), found->second.back());
      }
    }
    if (kept_.empty()) source_.fail(first_line_, "no column has a name; need one at least");
    note_headings(first);
  }

  /// In one pass, for there may be many columns.
  void note_headings(const Line& first) {
    std::vector<TextPlace> places;
    std::size_t at = source_.text_begin();
    TextPlace place;
    for (const Field& field : first) {
      places.push_back(place = source_.place(field.start(), place, at));
      at = field.start();
    }
    for (const std::size_t column : kept_) {
      table_->headings.push_back(places[column]);
      check_bytes(first[column]);
    }
  }

  void check_bytes(const Field& field) const {
    if (!options_.columns.empty()) source_.require_utf8(field.begin, field.begin + field.size);
  }

  bool is_missing(const Field& field) const {
    const std::vector<std::string>& words = options_.missing_words;
    return !field.quoted && std::find(words.begin(), words.end(), table_->raw(field)) != words.end();
  }

  void add_row(const Line& row) {
    const std::size_t before = table_->fields.size();
    std::int64_t filled = 0;
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      Field field = row[kept_[i]];
      field.filled = is_missing(field);
      if (field.filled && options_.missing == CsvMissing::error)
        source_.fail(field.start(), "a missing value in column {}; CsvOptions::missing can drop, fill or keep",
                     quoted(table_->columns[i]));
      if (field.filled && options_.missing == CsvMissing::drop_row) {
        table_->fields.resize(before, field);
        ++table_->dropped_rows;
        return;
      }
      check_bytes(field);
      filled += field.filled && options_.missing == CsvMissing::fill;
      table_->fields.push_back(field);
    }
    table_->filled_fields += filled;
    ++table_->rows;
  }

  const CsvOptions& options_;
  std::shared_ptr<Content> table_;
  const CsvSource& source_ = table_->source;
  const std::string& text_ = source_.text;
  std::size_t at_ = source_.text_begin();
  std::size_t first_line_ = 0;
  Line line_;
  std::vector<std::size_t> kept_;  // the table's columns among the file's
};

CsvTable parse_csv(std::string text, const std::string& file, const CsvOptions& options) {
  check(options);
  try {
    return CsvParser(std::move(text), file, options).parse();
  } catch (const std::bad_alloc&) {
    throw FileError(file + ": read_csv: no memory for its fields; CsvOptions::columns keeps some of them");
  }
}

CsvTable read_csv(const std::string& path, const CsvOptions& options) {
  return parse_csv(SourceFile(path, path + ": read_csv", "a CSV file").read_all(), path, options);
}

}  // namespace xgrad::nn
