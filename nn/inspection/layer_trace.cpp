#include <autograd/tensor/dtype.hpp>
#include <nn/inspection/layer_trace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace xgrad::nn {

namespace {

template <std::size_t n>
bool among(std::string_view name, const std::array<std::string_view, n>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Functions of one value that change no value, or that nobody calls an activation.
constexpr std::array<std::string_view, 13> no_activations = {"reshape", "permute", "broadcast_to", "slice", "take",
                                                             "clone",   "to",      "neg",          "place", "dropout",
                                                             "square",  "sqrt",    "layer_norm"};

bool looks_like_activation(const RecordedOperation& operation) {
  if (operation.operation == "prelu") return true;
  return operation.inputs.size() == 1 && operation.outputs.size() == 1 &&
         operation.inputs[0].shape() == operation.outputs[0].shape() && !among(operation.operation, no_activations);
}

double sum_over(const Tensor& x, const auto& f) {
  return visit_floating(x.dtype(), [&]<class T>(T) {
    double sum = 0;
    for (const T value : x.values<T>()) sum += f(static_cast<double>(value));
    return sum;
  });
}

/// The fraction of numbers within 1 % of high - low from either.
double fraction_near(const Tensor& x, double low, double high) {
  const double margin = 0.01 * (high - low);
  return sum_over(x, [=](double a) { return a < low + margin || a > high - margin ? 1.0 : 0.0; }) /
         static_cast<double>(x.size());
}

double fraction_dead(const Tensor& x) {
  const std::size_t units = x.rank() < 2 ? 1 : static_cast<std::size_t>(x.shape().back());
  std::vector<bool> alive(units, false);
  visit_floating(x.dtype(), [&]<class T>(T) {
    const auto values = x.values<T>();
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i] != 0) alive[i % units] = true;
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
  for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
    const Tensor& input = operation.inputs[i];
    if (const auto place = find(input))
      value.inputs.push_back(*place);
    else if (input.is_leaf() && !input.label().empty())
      value.parameters.push_back(input);
  }
  const bool activation = looks_like_activation(operation) && !value.inputs.empty();
  if (!value.parameters.empty() && !activation) {
    value.layer = layer_of_parameter(value.parameters.front().label());
    value.layer_output = true;
    for (const std::size_t input : value.inputs)
      if (values_[input].layer == value.layer && (!value.path.empty() || operation.operation == "add"))
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

ActivationStatistics activation_statistics(const std::string& operation, const Tensor& a) {
  ActivationStatistics result;
  const auto n = static_cast<double>(a.size());
  if (a.size() == 0) return result;
  result.mean = sum_over(a, [](double x) { return x; }) / n;
  result.deviation = std::sqrt(sum_over(a, [m = result.mean](double x) { return (x - m) * (x - m); }) / n);
  sum_over(a, [&](double x) {
    if (!(std::abs(x) <= result.largest)) result.largest = std::isnan(result.largest) ? result.largest : std::abs(x);
    return 0.0;
  });
  if (operation == "sigmoid") result.saturated = fraction_near(a, 0, 1);
  if (operation == "tanh" || operation == "hard_tanh") result.saturated = fraction_near(a, -1, 1);
  if (operation == "relu") result.dead = fraction_dead(a);
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
