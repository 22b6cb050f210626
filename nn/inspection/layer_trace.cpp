#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/compare.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tensor/scopes.hpp>
#include <nn/inspection/layer_trace.hpp>

#include <algorithm>
#include <cmath>

namespace xgrad::nn {

namespace {

/// prelu, or a function of one value that keeps its shape and is not only a step of a formula.
bool is_activation(const RecordedOperation& operation) {
  using enum OperationKind;
  const OperationKind kind = operation.traits.kind;
  if (kind == activation) return true;
  return (kind == function || kind == probabilities || kind == log_probabilities) && operation.inputs.size() == 1 &&
         operation.outputs.size() == 1 && operation.inputs[0].shape() == operation.outputs[0].shape();
}

}  // namespace

std::string layer_of_parameter(const std::string& label) {
  const std::size_t dot = label.rfind('.');
  return dot == std::string::npos ? "model" : label.substr(0, dot);
}

std::optional<std::size_t> LayerTrace::find(const Tensor& x) const {
  const std::uint32_t place = index_.find(x.body_or_null());
  return place == TensorIndex::none ? std::nullopt : std::optional<std::size_t>(place);
}

void LayerTrace::recorded(const RecordedOperation& operation) {
  TracedValue value;
  value.operation = operation.operation;
  value.path = operation.path;
  value.kind = operation.traits.kind;
  value.bounds = operation.traits.bounds;
  for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
    const Tensor& input = operation.inputs[i];
    if (const auto place = find(input))
      value.inputs.push_back(*place);
    else if (input.is_leaf() && !input.label().empty())
      value.parameters.push_back(input);
  }
  const bool activation = is_activation(operation) && !value.inputs.empty();
  if (!value.parameters.empty() && !activation) {
    value.layer = layer_of_parameter(value.parameters.front().label());
    value.layer_output = true;
    for (const std::size_t input : value.inputs)
      if (values_[input].layer == value.layer && (!value.path.empty() || value.kind == OperationKind::linear))
        values_[input].layer_output = false;  // a product, whose bias is added now
  } else if (!value.inputs.empty()) {
    value.layer = values_[*std::max_element(value.inputs.begin(), value.inputs.end())].layer;
    value.activation = activation && !value.layer.empty();
  }
  for (const Tensor& output : operation.outputs) {
    if (!is_floating(output.dtype())) continue;
    value.output = output;
    index_.insert(output.body_or_null(), static_cast<std::uint32_t>(values_.size()));
    values_.push_back(value);
  }
}

ActivationStatistics activation_statistics(const Tensor& a, const Bounds& bounds) {
  check_defined("activation_statistics", "the activation", a);
  ActivationStatistics result;
  if (a.size() == 0) return result;
  const Pause pause;
  const Tensor x = a.to(float64), centre = mean(x);
  result.mean = centre.item();
  result.std = sqrt(mean(square(x - centre))).item();
  result.largest = max(abs(x)).item();
  if (!std::isfinite(bounds.low)) return result;
  if (std::isfinite(bounds.high)) {
    const double margin = 0.01 * (bounds.high - bounds.low);
    result.saturated = mean(lt(x, bounds.low + margin) + gt(x, bounds.high - margin)).item();
  } else {
    const Tensor units = reshape(a, {-1, a.rank() < 2 ? 1 : a.shape(-1)});
    result.dead = mean(le(max(units, {0}), bounds.low)).item();
  }
  return result;
}

double norm_of(const Tensor& x) {
  check_defined("norm_of", "x", x);
  const Pause pause;
  return norm(x.to(float64)).item();
}

}  // namespace xgrad::nn
