#pragma once

#include <autograd/tensor/tensor.hpp>

#include <string>
#include <variant>
#include <vector>

namespace xgrad::nn {

/// A column of a table: a name, and numbers (rows,) or texts.
struct CsvColumn {
  std::string name;
  std::variant<Tensor, std::vector<std::string>> values;
};

/// The columns of a table (rows, columns) with these names. ShapeError when there is not one for each.
std::vector<CsvColumn> csv_columns(const std::vector<std::string>& names, const Tensor& table);

/// Writes a CSV file (RFC 4180, UTF-8, lines end in LF) with a line of names, whole or not at all. Numbers are the
/// shortest texts that are read back to the same bits, in every locale alike; `nan`, `inf` and `-inf` stand for others.
/// Texts are quoted where they must be. read_csv reads it back.
///
/// ShapeError for numbers that are not (rows,), or columns of different lengths; ValueError for no columns, a name that
/// is empty or used twice, text that is not UTF-8; FileError when the system refuses.
void write_csv(const std::string& path, const std::vector<CsvColumn>& columns);

}  // namespace xgrad::nn
