#include <autograd/ops/layout.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/functional_call.hpp>

namespace xgrad::nn {

namespace {

std::vector<Tensor> tensors_of(const std::vector<NamedTensor>& parameters, const std::vector<Tensor>& substitutes) {
  if (substitutes.size() != parameters.size())
    throw_as<ValueError>(
        "functional_call: {} tensors for {} parameters; need one for each, in the order of parameters()",
        substitutes.size(), parameters.size());
  std::vector<Tensor> list;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& [path, tensor] = parameters[i];
    const std::string text = fmt::format("functional_call: {} is {} {}, the tensor {} {}", path, tensor.shape(),
                                         tensor.dtype(), substitutes[i].shape(), substitutes[i].dtype());
    if (substitutes[i].shape() != tensor.shape()) throw ShapeError(text + "; need equal shapes");
    if (!is_floating(substitutes[i].dtype())) throw TypeError(text + "; need float32 or float64");
    list.push_back(tensor);
  }
  return list;
}

}  // namespace

ParameterExchange::ParameterExchange(const Module& model, const std::vector<Tensor>& tensors)
    : parameters_(model.named_parameters()), scope_(tensors_of(parameters_, tensors), tensors) {}

void ParameterExchange::require_complete() const {
  for (const NamedTensor& parameter : parameters_)
    if (!scope_.met(parameter.tensor))
      throw_as<ValueError>(
          "functional_call: a copy of the model shares {} with it; need layers and parameters held by value, not by "
          "pointer or reference",
          parameter.path);
}

Tensor parameters_to_vector(const std::vector<Tensor>& parameters) {
  if (parameters.empty()) throw ValueError("parameters_to_vector: no tensors; need at least one");
  for (const Tensor& parameter : parameters) check_defined("parameters_to_vector", "a parameter", parameter);
  std::vector<Tensor> parts;
  for (const Tensor& parameter : parameters) parts.push_back(reshape(parameter, {-1}));
  return concatenate(parts);
}

namespace {

std::vector<Tensor> cut(const char* operation, const Tensor& vector, const std::vector<Tensor>& parameters) {
  check_defined(operation, "the vector", vector);
  for (const Tensor& parameter : parameters) check_defined(operation, "a tensor", parameter);
  std::size_t count = 0;
  for (const Tensor& parameter : parameters) count += parameter.size();
  if (vector.rank() != 1 || vector.size() != count)
    throw_as<ShapeError>("{}: the vector is {}, the tensors have {} numbers; need ({},)", operation, vector.shape(),
                         count, count);
  std::vector<Tensor> tensors;
  std::int64_t first = 0;
  for (const Tensor& parameter : parameters) {
    const auto last = first + static_cast<std::int64_t>(parameter.size());
    tensors.push_back(reshape(slice(vector, 0, first, last), parameter.shape()));
    first = last;
  }
  return tensors;
}

}  // namespace

std::vector<Tensor> vector_to_tensors(const Tensor& vector, const std::vector<Tensor>& parameters) {
  return cut("vector_to_tensors", vector, parameters);
}

void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters) {
  const Pause pause;
  const std::vector<Tensor> values = cut("vector_to_parameters", vector, parameters);
  for (std::size_t i = 0; i < values.size(); ++i) Tensor(parameters[i]).assign(values[i].to(parameters[i].dtype()));
}

}  // namespace xgrad::nn
