#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/data/encoders.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad::nn {

enum class CsvHeader : std::uint8_t {
  present,  ///< the first line has the names of the columns
  absent,   ///< columns are called 1, 2, ...
  detect,   ///< present if the first line has no number and the second has one; FileError when neither has any
};

/// What becomes of a row with a missing value.
enum class CsvMissing : std::uint8_t {
  error,     ///< FileError
  drop_row,  ///< left out and counted, see CsvTable::dropped_rows
  fill,      ///< the value is replaced by CsvOptions::fill and counted, see CsvTable::filled_fields
};

struct CsvOptions {
  CsvHeader header = CsvHeader::present;
  char separator = ',';
  /// The columns to keep, in this order; empty for all. Fields of the others may be missing.
  std::vector<std::string> columns = {};
  CsvMissing missing = CsvMissing::error;
  std::string fill = "0";
  /// Fields without quotes that stand for a missing value.
  std::vector<std::string> missing_words = {"", "NA", "NaN", "nan"};
};

/// The fields of a CSV file: rows of named columns, each read as numbers or as text when it is asked for. Copies share
/// the fields. All errors in the file's contents are FileErrors on one line, `iris.csv:12:3: ...`: file, line and the
/// place in the line, counted from 1 in characters.
class CsvTable {
 public:
  std::int64_t rows() const { return static_cast<std::int64_t>(rows_); }
  /// Names in order.
  const std::vector<std::string>& columns() const& { return columns_; }
  std::vector<std::string> columns() const&& { return columns_; }
  /// The other columns: the inputs, when these are targets. FileError for an unknown name.
  std::vector<std::string> columns_except(const std::vector<std::string>& names) const;
  /// Rows left out and values replaced, as CsvMissing told.
  std::int64_t dropped_rows() const { return dropped_rows_; }
  std::int64_t filled_fields() const { return filled_fields_; }

  /// Numbers of these columns, (rows, names): the nearest in the dtype to what is written; int64 takes whole numbers
  /// only. The whole field must be a number as std::from_chars reads it, without spaces or a plus sign. FileError for
  /// an unknown name, or for a field that is no number, is not finite, or does not fit into the dtype.
  Tensor numbers(const std::vector<std::string>& names, DType dtype = default_dtype()) const;
  /// Numbers of one column, (rows,).
  Tensor number_column(const std::string& name, DType dtype = default_dtype()) const;
  /// The fields of one column without their quotes. FileError for an unknown name.
  std::vector<std::string> text(const std::string& name) const;

  /// The distinct texts of a column, sorted: the classes of a target. FileError if there is one only.
  OrdinalEncoder categories(const std::string& name) const;
  /// The column as numbers of categories, int64 (rows,). FileError for a text that is none of them.
  Tensor codes(const std::string& name, const OrdinalEncoder& categories) const;

  /// Names with their place, `iris.csv:1:6: petal_width`, for the messages of a Scaler.
  std::vector<std::string> places(const std::vector<std::string>& names) const;

 private:
  struct Field {
    std::size_t begin;  // in the text of the file, behind a quote
    std::size_t size;
    bool quoted;
    bool filled = false;
    std::size_t start() const { return quoted ? begin - 1 : begin; }
  };
  struct Source;
  friend class CsvParser;

  std::size_t position(const std::string& name) const;
  const Field& field(std::size_t row, std::size_t column) const { return fields_[row * columns_.size() + column]; }
  std::string value(const Field& field) const;
  template <class T>
  T number(const Field& field, const std::string& name) const;

  std::shared_ptr<const Source> source_;
  std::string fill_;
  std::size_t rows_ = 0;
  std::int64_t dropped_rows_ = 0;
  std::int64_t filled_fields_ = 0;
  std::vector<std::string> columns_;
  std::vector<Field> headings_;  // in the first line
  std::vector<Field> fields_;    // row after row
};

/// Reads a file as RFC 4180 defines CSV, and nothing else: fields between separators; fields in quotes may hold
/// separators, line breaks and, doubled, quotes; lines end in LF or CRLF, the last one may do without; all have the
/// same number of fields. The text is UTF-8, with or without a byte order mark.
///
/// FileError for a file that cannot be read, is empty or has no rows (or none that were not dropped), for a ragged row,
/// a quote inside a field without quotes or text behind a closing one, a quote that is not closed, a carriage return
/// alone, a byte that is not UTF-8, a name that is empty or used twice, an unknown name in `columns`, a missing
/// value. ValueError for a separator that is a quote, a line break, a digit, a letter or one of `+-.`.
CsvTable read_csv(const std::string& path, const CsvOptions& options = {});
/// The same of a text; `file` stands in messages.
CsvTable parse_csv(std::string text, const std::string& file, const CsvOptions& options = {});

}  // namespace xgrad::nn
