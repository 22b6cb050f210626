#include <autograd/tensor/format.hpp>
#include <nn/data/csv_content.hpp>
#include <nn/data/source_file.hpp>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <new>
#include <utility>

namespace xgrad::nn {

namespace {

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

/// Makes a table of a text: cuts it into fields and lines, whose first one names the columns.
class CsvParser {
 public:
  CsvParser(std::string text, const std::string& file, const CsvOptions& options)
      : options_(options),
        table_(std::make_shared<Content>(Content{{file, std::move(text)},
                                                 {options.decimal, options.thousands, options.trim},
                                                 options.option_name,
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
  std::string comment_advice(std::size_t line) const {
    const auto looks_like_one = [this](std::size_t at) {
      return at < text_.size() && (text_[at] == '#' || text_[at] == '%');
    };
    if (!looks_like_one(line) && !looks_like_one(first_line_)) return "";
    return table_->advice({"comment"}, "skips comments");
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
                         ? table_->advice({"trim"}, "leaves out spaces before it")
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
      source_.fail(first_line_, "the first line has nothing but numbers; need names{}",
                   table_->advice({"header"}, "says if there are none (absent), or if they are these (numeric)"));
    if (options_.header != CsvHeader::detect) return options_.header != CsvHeader::absent;
    if (has_number(first)) return false;
    const std::size_t second = at_;
    skip_comments();
    if (at_end() || !has_number(read_line(first.size())))
      source_.fail(0, "neither of the first two lines has a number{}",
                   table_->advice({"header"}, "says whether the first one has names"));
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
        source_.fail(first[column].start(), "a column without a name{}",
                     table_->advice({"drop_unnamed"}, "leaves it out (an index of pandas has none)"));
      if (again != column)
        source_.fail(first[again].start(), "column name {} is used twice{}", quoted(name),
                     nn::is_number(name, table_->format) ? table_->advice({"header"}, "says if the file has no names")
                     : options_.columns.empty()          ? table_->advice({"columns"}, "says which to keep")
                                                         : "; give one of them another name");
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
        source_.fail(field.start(), "a missing value in column {}{}", quoted(table_->columns[i]),
                     table_->advice({"missing"}, "says what becomes of it"));
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
    throw FileError(file + ": read_csv: no memory for its fields" +
                    advice(options.option_name, {"columns"}, "keeps some of them"));
  }
}

CsvTable read_csv(const std::string& path, const CsvOptions& options) {
  const std::string limit = advice(options.option_name, {"max_bytes"}, "says how many there may be");
  return parse_csv(SourceFile(path, path + ": read_csv", "a CSV file").read_all(options.max_bytes, limit), path,
                   options);
}

}  // namespace xgrad::nn
