#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/exchange/onnx_proto.hpp>
#include <nn/files/input_file.hpp>
#include <nn/saving/model_graph.hpp>

namespace xgrad::nn {

/// The values of a tensor of ONNX: float, double, int64, int32, bool or float16, in raw_data or in lists. FileError of
/// the file for another type, a shape that does not fit, and values in other files.
Tensor onnx_tensor(const InputFile& file, const onnx::TensorProto& tensor);

/// What a model's input is, its first extent open. FileError of the file for a type that is not known, and other open
/// extents.
ModelGraph::Value onnx_input(const InputFile& file, const onnx::ValueInfoProto& info);

}  // namespace xgrad::nn
