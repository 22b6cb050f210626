#include <autograd/tensor/dtype.hpp>
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

double sum_over(const Tensor& x, const auto& f) {
  return visit_floating(x.dtype(), [&]<class T>(T) {
    double sum = 0;
    for (const T value : x.values<T>()) sum += f(static_cast<double>(value));
    return sum;
  });
}

/// The fraction of numbers within 1 % of the range from an end of it.
double fraction_saturated(const Tensor& x, const Bounds& bounds) {
  const double margin = 0.01 * (bounds.high - bounds.low);
  const auto is_near = [low = bounds.low + margin, high = bounds.high - margin](double a) {
    return a < low || a > high ? 1.0 : 0.0;
  };
  return sum_over(x, is_near) / static_cast<double>(x.size());
}

/// The fraction of units that are nowhere above the bound.
double fraction_dead(const Tensor& x, double low) {
  const std::size_t units = x.rank() < 2 ? 1 : x.extent(-1);
  std::vector<bool> alive(units, false);
  visit_floating(x.dtype(), [&]<class T>(T) {
    const auto values = x.values<T>();
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!(values[i] <= static_cast<T>(low))) alive[i % units] = true;
  });
  return static_cast<double>(std::count(alive.begin(), alive.end(), false)) / static_cast<double>(units);
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
  ActivationStatistics result;
  const auto n = static_cast<double>(a.size());
  if (a.size() == 0) return result;
  result.mean = sum_over(a, [](double x) { return x; }) / n;
  result.deviation = std::sqrt(sum_over(a, [m = result.mean](double x) { return (x - m) * (x - m); }) / n);
  sum_over(a, [&](double x) {
    if (!(std::abs(x) <= result.largest)) result.largest = std::isnan(result.largest) ? result.largest : std::abs(x);
    return 0.0;
  });
  if (std::isfinite(bounds.low))
    std::isfinite(bounds.high) ? result.saturated = fraction_saturated(a, bounds)
                               : result.dead = fraction_dead(a, bounds.low);
  return result;
}

double norm_of(const Tensor& x) {
  return std::sqrt(sum_over(x, [](double a) { return a * a; }));
}

double distance(const Tensor& x, const Tensor& y) {
  return visit_floating(x.dtype(), [&]<class T>(T) {
    const auto a = x.values<T>(), b = y.values<T>();
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
      sum += difference * difference;
    }
    return std::sqrt(sum);
  });
}

}  // namespace xgrad::nn
