#pragma once

#include <nn/files/safetensors.hpp>
#include <nn/layers/module.hpp>
#include <nn/saving/graph_model.hpp>
#include <nn/saving/model_graph.hpp>
#include <nn/saving/preparation.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace xgrad::nn {

/// Whose names and orientation the tensors of a file have.
enum class Naming : bool {
  ours,
  /// PyTorch's state_dict: Linear's weight (out, in) in place of (in, out), PReLU's slope as `weight`; BatchNorm's
  /// count `num_batches_tracked`, which nothing here needs, is left out, and ignored where a file has it.
  torch,
};

struct SaveOptions {
  Naming naming = Naming::ours;
  /// `trace(model, shape)`: with it the model can be loaded without its C++, by load_model and by programs.
  std::optional<ModelGraph> graph = std::nullopt;
  Preparation preparation = {};
  /// More texts for the file; keys that begin with `xgrad.` are taken.
  std::map<std::string, std::string> metadata = {};
};

/// Writes the parameters and buffers of a model by their paths to a safetensors file, whole or not at all, each tensor
/// once however many modules share it. ValueError for a metadata key that is taken, text that is not UTF-8, or a graph
/// with PyTorch's names; FileError when the system refuses.
void save(const Module& model, const std::string& path, const SaveOptions& options = {});

struct LoadOptions {
  Naming naming = Naming::ours;
  /// Whether the file must have all tensors of the model in their shapes, and no others.
  bool strict = true;
};

/// What a file had for a model.
struct LoadReport {
  /// A tensor of which the file and the model have different shapes, or integers on one side alone.
  struct Mismatch {
    std::string name;
    std::string in_file;  ///< `int64 (2, 3)`
    std::string in_model;
  };
  std::vector<std::string> loaded;      ///< names
  std::vector<std::string> missing;     ///< in the file
  std::vector<std::string> unexpected;  ///< in the file, with no place in the model
  std::vector<Mismatch> mismatched;
  Preparation preparation;
  std::map<std::string, std::string> metadata;  ///< all of the file's

  bool complete() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
  /// `missing hidden.weight; did you mean hiden.weight?`, all that does not fit, one a line; "" for a complete one.
  std::string text() const;
};

/// Writes the tensors of a safetensors file into the parameters and buffers of their names, in place and in their
/// dtypes: float64 is rounded to float32 where the model has that. The file may be of another program; see
/// read_safetensors.
///
/// FileError, and the model stays as it was, for a file that cannot be read or breaks the format, and, if strict, for
/// one that does not fit, with all that the report has, and the nearest names.
LoadReport load(Module& model, const std::string& path, const LoadOptions& options = {});
/// The same of a file that was read before; `file` stands in messages.
LoadReport load(Module& model, TensorFile content, const std::string& file, const LoadOptions& options = {});

/// What save writes.
TensorFile file_of(const Module& model, const SaveOptions& options = {});

/// A model that was saved with its graph.
struct SavedModel {
  GraphModel model;
  Preparation preparation;
  std::map<std::string, std::string> metadata;
};
/// FileError for a file that cannot be read, breaks the format or has no graph.
SavedModel load_model(const std::string& path);
/// The graph in such a file; `file` stands in messages.
ModelGraph saved_graph(const TensorFile& content, const std::string& file);

/// The parameters and buffers of a model by their names in a file.
TensorFile tensors_of(const Module& model, Naming naming = Naming::ours);

}  // namespace xgrad::nn
