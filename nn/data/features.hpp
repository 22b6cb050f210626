#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/encoders.hpp>

#include <map>
#include <string>
#include <vector>

namespace xgrad::nn {

/// How columns of a table become a model's inputs: numbers as they are, texts one-hot.
///
///     const nn::Features features = nn::Features::fit(table, table.columns_except({"species"}));
///     const Tensor x = features.apply(table);
///
/// What is missing (CsvMissing::keep) is NaN among numbers, which Scaler::fill replaces, and 0 in every column of a
/// text.
struct Features {
  std::vector<std::string> columns;                     ///< in the order of the inputs
  std::map<std::string, OrdinalEncoder> encoders = {};  ///< of the columns with text, by name

  /// Of these columns of a table; those whose values are not all numbers are texts. FileError for an unknown name, or
  /// one text only; ValueError for no columns.
  static Features fit(const CsvTable& table, std::vector<std::string> columns);

  /// Of the inputs: `age`, or for a text `colour = red`.
  std::vector<std::string> names() const;
  /// (rows, names().size()). FileError for a table without one of the columns, with a text for a number, or with a text
  /// that is none of the encoder's; ValueError without columns.
  Tensor apply(const CsvTable& table, DType dtype = default_dtype()) const;
};

}  // namespace xgrad::nn
