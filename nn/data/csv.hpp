#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/data/encoders.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

enum class CsvHeader : std::uint8_t {
  present,  ///< the first line has the names of the columns; FileError if all are numbers, as where it is missing
  numeric,  ///< the same, and all of them may be numbers
  absent,   ///< columns are called 1, 2, ...
  detect,   ///< present if the first line has no number and the second has one; FileError when neither has any
};

/// What becomes of a row with a missing value.
enum class CsvMissing : std::uint8_t {
  error,     ///< FileError
  drop_row,  ///< left out and counted, see CsvTable::dropped_rows
  fill,      ///< the value is replaced by CsvOptions::fill and counted, see CsvTable::filled_fields
  keep,  ///< it stays missing: NaN among numbers, the code -1 among categories, an empty text; see CsvTable::missing
};

struct CsvOptions {
  CsvHeader header = CsvHeader::present;
  char separator = ',';
  /// The columns to keep, in this order; empty for all. What is the matter with the others' names and fields (missing,
  /// used twice, in another encoding) does not matter.
  std::vector<std::string> columns = {};
  bool drop_unnamed = false;  ///< leave out columns without a name, such as the index that pandas writes
  CsvMissing missing = CsvMissing::error;
  std::string fill = "0";
  /// Fields without quotes that stand for a missing value.
  std::vector<std::string> missing_words = {"", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"};
  bool trim = false;      ///< spaces and tabs around names, fields and quotes are not part of them
  char decimal = '.';     ///< or `,`
  char thousands = '\0';  ///< between groups of three digits: `,` in 1,234.5; without, there are none
  char comment = '\0';    ///< lines that begin with it are skipped, say `#`; without, none is
  /// Of a file that does not say its size before it is read, such as a pipe, which may have no end. Others may have
  /// what the machine's memory holds.
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  /// How messages call an option that would help, for programs whose users know flags: `--thousands` for `thousands`,
  /// "" for one that they have not. None: `CsvOptions::thousands`.
  std::function<std::string(const std::string& option)> option_name = {};
};

/// The fields of a CSV file: rows of named columns, each read as numbers or as text when it is asked for. Copies share
/// the fields. All errors in the file's contents are FileErrors on one line, `iris.csv:12:3: ...`: file, line and the
/// place in the line, counted from 1 in characters. ValueError for a table that
/// nothing was read into.
class CsvTable {
 public:
  CsvTable() = default;  ///< as one that was moved from
  std::int64_t rows() const;
  /// Names in order.
  const std::vector<std::string>& columns() const&;
  std::vector<std::string> columns() && { return static_cast<const CsvTable&>(*this).columns(); }
  /// The other columns: the inputs, when these are targets. FileError for an unknown name.
  std::vector<std::string> columns_except(const std::vector<std::string>& names) const;
  /// Rows left out and values replaced, as CsvMissing told.
  std::int64_t dropped_rows() const;
  std::int64_t filled_fields() const;
  /// Which rows have no value in this column, where CsvMissing::keep left them. FileError for an unknown name.
  std::vector<bool> missing(const std::string& name) const;
  /// Whether every value of this column is a number, as `numbers` reads it, and there is one.
  bool is_numeric(const std::string& name) const;

  /// Numbers of these columns, (rows, names): the nearest in the dtype to what is written; int64 takes whole numbers
  /// only. The whole field must be a number as std::from_chars reads it, perhaps behind a plus sign, with the marks of
  /// the options. FileError for an unknown name, or for a field that is no number, is not finite, or is too large for
  /// the dtype; where an option would help, it is named.
  Tensor numbers(const std::vector<std::string>& names, DType dtype = default_dtype()) const;
  /// Numbers of one column, (rows,).
  Tensor number_column(const std::string& name, DType dtype = default_dtype()) const;
  /// The fields of one column without their quotes. FileError for an unknown name.
  std::vector<std::string> text(const std::string& name) const;

  /// The distinct texts of a column, sorted: the classes of a target. FileError if there are not two of them.
  OrdinalEncoder categories(const std::string& name) const;
  /// The column as numbers of categories, int64 (rows,), -1 for what is missing. FileError for a text that is none of
  /// them.
  Tensor codes(const std::string& name, const OrdinalEncoder& categories) const;

  /// Names with their place, `iris.csv:1:6: petal_width`, for the messages of a Scaler.
  std::vector<std::string> places(const std::vector<std::string>& names) const;

 private:
  struct Field;
  struct Content;
  friend class CsvParser;
  explicit CsvTable(std::shared_ptr<const Content> content) : content_(std::move(content)) {}
  const Content& content() const;

  std::shared_ptr<const Content> content_;
};

/// Reads a file as RFC 4180 defines CSV, with what the options allow besides: fields between separators; fields in
/// quotes may hold separators, line breaks and, doubled, quotes; lines end in LF or CRLF, the last one may do without;
/// all have the same number of fields. The text is UTF-8, with or without a byte order mark. Time and memory are
/// proportional to the file.
///
/// FileError for a file that cannot be read, is a device other than a terminal, does not fit into memory or, where
/// nobody can tell before, into max_bytes, is empty or has no rows (or none that were not
/// dropped), for a ragged row, a quote inside a field without quotes or text behind a closing one, a quote that is not
/// closed, a carriage return alone; in the columns that are kept, for a byte that is not UTF-8, a name that is empty or
/// used twice, a missing value; for an unknown name in `columns`. ValueError for a separator or comment that is a
/// quote, a line break, a digit, a letter or one of `+-.`, for marks that are one character, and for a decimal or
/// thousands mark that is none.
CsvTable read_csv(const std::string& path, const CsvOptions& options = {});
/// The same of a text; `file` stands in messages.
CsvTable parse_csv(std::string text, const std::string& file, const CsvOptions& options = {});

}  // namespace xgrad::nn
