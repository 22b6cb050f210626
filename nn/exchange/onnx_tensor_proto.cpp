#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <nn/exchange/onnx_tensor_proto.hpp>
#include <nn/files/elements.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace xgrad::nn {

namespace {

std::optional<ElementKind> kind_of_type(int type) {
  using onnx::TensorProto;
  switch (type) {
    case TensorProto::FLOAT:
      return ElementKind::float32;
    case TensorProto::DOUBLE:
      return ElementKind::float64;
    case TensorProto::INT64:
      return ElementKind::int64;
    case TensorProto::INT32:
      return ElementKind::int32;
    case TensorProto::BOOL:
      return ElementKind::boolean;
    case TensorProto::FLOAT16:
      return ElementKind::float16;
    default:
      return std::nullopt;
  }
}

}  // namespace

ModelGraph::Value onnx_input(const InputFile& file, const onnx::ValueInfoProto& info) {
  const auto& type = info.type().tensor_type();
  const auto kind = kind_of_type(type.elem_type());
  if (!info.type().has_tensor_type() || !kind) file.fail("has an input of a type that is not known");
  ModelGraph::Value value{info.name(), dtype_in_tensor(*kind), {}, {}, false};
  if (type.shape().dim_size() < 1 || type.shape().dim_size() > static_cast<int>(Extents::capacity))
    file.fail(fmt::format("has an input of {} axes; need 1 to {}", type.shape().dim_size(), Extents::capacity));
  for (const auto& dimension : type.shape().dim()) {
    const bool first = value.shape.rank() == 0;
    if (!first && (!dimension.has_dim_value() || dimension.dim_value() < 0))
      file.fail("has an input with an open extent behind the first axis");
    value.shape.push_back(first ? -1 : dimension.dim_value());
  }
  return value;
}

Tensor onnx_tensor(const InputFile& file, const onnx::TensorProto& tensor) {
  const std::string what = "tensor '" + printable(tensor.name()) + "'";
  const auto kind = kind_of_type(tensor.data_type());
  if (!kind) file.fail(fmt::format("{} has the type {}, which is not known", what, tensor.data_type()));
  if (tensor.data_location() != onnx::TensorProto::DEFAULT || tensor.external_data_size() > 0)
    file.fail(what + " is in another file");
  if (tensor.dims_size() > static_cast<int>(Extents::capacity))
    file.fail(fmt::format("{} has {} axes; need at most {}", what, tensor.dims_size(), Extents::capacity));
  Shape shape;
  for (const std::int64_t extent : tensor.dims()) {
    if (extent < 0) file.fail(what + " has a negative extent");
    shape.push_back(extent);
  }
  const std::uint64_t bytes = stored_bytes(file, what, *kind, shape);
  std::string values = tensor.raw_data();
  const auto add = [&values](auto number) { values.append(reinterpret_cast<const char*>(&number), sizeof number); };
  if (values.empty()) {
    if (*kind == ElementKind::float32)
      for (const float number : tensor.float_data()) add(number);
    else if (*kind == ElementKind::float64)
      for (const double number : tensor.double_data()) add(number);
    else if (*kind == ElementKind::int64)
      for (const std::int64_t number : tensor.int64_data()) add(number);
    else if (*kind == ElementKind::int32)
      for (const std::int32_t number : tensor.int32_data()) add(number);
    else if (*kind == ElementKind::float16)
      for (const std::int32_t number : tensor.int32_data()) add(static_cast<std::uint16_t>(number));
    else
      for (const std::int32_t number : tensor.int32_data()) add(static_cast<std::uint8_t>(number));
  }
  if (values.size() != bytes)
    file.fail(fmt::format("{} of shape {} has {} bytes; need {}", what, shape, values.size(), bytes));
  InputFile source("read_onnx", values, file.name());
  return read_values(source, what, *kind, shape);
}

}  // namespace xgrad::nn
