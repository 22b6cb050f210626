#pragma once

#include <nn/saving/graph_model.hpp>
#include <nn/saving/model_graph.hpp>

#include <map>
#include <string>
#include <string_view>

namespace xgrad::nn {

// ONNX (github.com/onnx/onnx), operator set 13: what other programs run. Part of the component xgrad::exchange.

struct OnnxOptions {
  std::string name = "model";                        ///< of the graph
  std::map<std::string, std::string> metadata = {};  ///< metadata_props
};

/// Writes a traced model as an ONNX file: float or double `input` (batch, ...) to `output` (batch, ...) with any number
/// of rows, parameters and buffers as initializers under their paths, elementwise functions as ONNX's own where there
/// are any and otherwise step by step.
///
/// ValueError for an operation that ONNX's set has not, or a reshape with two extents that depend on the number of
/// rows; FileError when the system refuses.
void write_onnx(const ModelGraph& graph, const std::string& path, const OnnxOptions& options = {});
/// The bytes of the file.
std::string onnx_bytes(const ModelGraph& graph, const OnnxOptions& options = {});

struct OnnxModel {
  GraphModel model;
  std::map<std::string, std::string> metadata;
};

/// Reads a model of the operators that write_onnx writes, and of Constant, Dropout, Flatten, Greater, GreaterOrEqual,
/// Identity, LeakyRelu, Elu, PRelu, Clip, Max, Min and BatchNormalization, from operator sets 13 to 22: it can be run,
/// checked and trained. Floating initializers become parameters. Extents behind the first axis are known when it runs:
/// to write it down, as C or as ONNX, trace its model.
///
/// FileError for a file that cannot be read or is no ONNX model, has no or several inputs or outputs, an operator or
/// attribute that is not known, tensors in other files, or parts that do not fit together.
OnnxModel read_onnx(const std::string& path);
/// The same of its bytes; `file` stands in messages.
OnnxModel parse_onnx(std::string_view bytes, const std::string& file);

}  // namespace xgrad::nn
