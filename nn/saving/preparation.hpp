#pragma once

#include <nn/data/csv.hpp>
#include <nn/data/encoders.hpp>
#include <nn/data/scaler.hpp>

#include <map>
#include <string>
#include <vector>

namespace xgrad::nn {

/// What a model needs besides its weights to be used: how raw data becomes its inputs, and what its outputs mean. It is
/// saved with the model; see save.
struct Preparation {
  /// By what they are applied to: programs look for `inputs` and `targets`.
  std::map<std::string, Scaler> scalers = {};
  std::vector<std::string> columns = {};                ///< of a table, whose Features are the inputs before scaling
  std::map<std::string, OrdinalEncoder> encoders = {};  ///< by column
  std::vector<std::string> classes = {};                ///< names of the outputs of a classifier

  bool empty() const { return scalers.empty() && columns.empty() && encoders.empty() && classes.empty(); }
};

/// The rows of a table as the model's inputs: its columns as Features have them, brought to scale, at the mean of its
/// column what is missing. The errors of Features::apply and Scaler::apply.
Tensor inputs_of(const Preparation& preparation, const CsvTable& table, DType dtype = default_dtype());

/// As texts of a file's metadata, under keys that begin with `xgrad.`; numbers keep every bit. ValueError for a name
/// that is not UTF-8.
std::map<std::string, std::string> metadata_of(const Preparation& preparation);
/// From such metadata, other keys left aside. FileError for text that metadata_of does not write; `file` stands in it.
Preparation preparation_of(const std::map<std::string, std::string>& metadata, const std::string& file);

}  // namespace xgrad::nn
