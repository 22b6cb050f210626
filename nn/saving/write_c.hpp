#pragma once

#include <nn/saving/model_graph.hpp>
#include <nn/saving/preparation.hpp>

#include <string>

namespace xgrad::nn {

struct WriteCOptions {
  std::string name = "model";  ///< begins the names of all that the file defines
  /// The scaler `inputs` is applied to the inputs, the inverse of `targets` to the outputs, and the names of the
  /// classes become an array of texts.
  Preparation preparation = {};
};

/// Writes a model as one file of C99: its weights, static buffers, and
///
///     enum { model_inputs = 784, model_outputs = 10 };
///     int model_predict(const float* input, float* output);
///
/// for one example, in the dtype of the model (int64_t inputs for indices). It returns 0, or 1 for an index outside of
/// a table. It allocates nothing, needs no library but libm, and is not reentrant. Sums are made one number after
/// another, so that the last digits differ from ours.
///
/// ValueError for a name that is no identifier, an operation that has no C, or a graph that does not fit one row;
/// FileError when the system refuses.
void write_c(const ModelGraph& graph, const std::string& path, const WriteCOptions& options = {});
/// The text of the file.
std::string c_text(const ModelGraph& graph, const WriteCOptions& options = {});

}  // namespace xgrad::nn
