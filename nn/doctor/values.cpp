#include <nn/doctor/checks.hpp>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace xgrad::nn {

namespace {

constexpr double largest_input_rms = 10;
constexpr double largest_weight_rms = 4;  // times √fan_in
constexpr double smallest_weight_rms = 0.02;
constexpr double max_dead = 0.5;
constexpr double max_saturated = 0.5;
// Of that of outputs that prefer nothing. Squared errors grow with the square of the outputs.
constexpr double largest_initial_loss = 4;
constexpr double largest_initial_error = 16;

bool among(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct Range {
  double low, high;
  bool finite;
};
Range range_of(const Tensor& x) {
  return visit(x.dtype(), [&]<class T>(T) {
    Range range{INFINITY, -INFINITY, true};
    for (const T value : x.values<T>()) {
      const auto v = static_cast<double>(value);
      range.finite = range.finite && std::isfinite(v);
      range.low = std::min(range.low, v);
      range.high = std::max(range.high, v);
    }
    return range;
  });
}

bool is_linear(const TracedValue& value) {
  return among(value.operation, {"linear", "matmul"}) && !value.parameters.empty() &&
         value.parameters.front().rank() == 2;
}

std::string plural(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

void check_inputs(Patient& p) {
  p.begin("inputs");
  const Tensor& x = p.batch.inputs;
  if (!is_floating(x.dtype())) return p.skip("indices");
  if (x.size() == 0) return p.find(Severity::error, "input", 0, "inputs have entries", "the inputs are empty");
  const Range range = range_of(x);
  p.measured("from " + short_number(range.low) + " to " + short_number(range.high));
  if (!range.finite)
    return p.find(Severity::error, "input", NAN, "inputs are finite",
                  "some inputs are infinite or NaN; look for missing values in the data");
  if (range.low == range.high && x.size() > 1)
    return p.find(Severity::error, "input", range.low, "inputs differ",
                  "all inputs are " + short_number(range.low) + ": the model has nothing to learn from");
  const std::size_t rows = static_cast<std::size_t>(x.shape(0)), features = x.size() / rows;
  std::vector<double> squares(features, 0.0);
  visit_floating(x.dtype(), [&]<class T>(T) {
    const auto values = x.values<T>();
    for (std::size_t i = 0; i < values.size(); ++i)
      squares[i % features] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  });
  const auto worst = std::max_element(squares.begin(), squares.end());
  const double rms = std::sqrt(*worst / static_cast<double>(rows));
  if (!(rms > largest_input_rms)) return;
  p.find(Severity::error, "input", rms, "rms of every feature at most 10",
         "inputs are not scaled: feature " + std::to_string(worst - squares.begin()) + " has the root mean square " +
             short_number(rms) + "; bring features to mean 0 and deviation 1 (Scaler), or bytes to [0, 1]");
}

void check_targets(Patient& p) {
  p.begin("targets");
  const Tensor& t = p.batch.targets;
  if (t.size() == 0) return p.find(Severity::error, "targets", 0, "targets have entries", "the targets are empty");
  const Range range = range_of(t);
  p.measured("from " + short_number(range.low) + " to " + short_number(range.high));
  if (!range.finite)
    return p.find(Severity::error, "targets", NAN, "targets are finite",
                  "some targets are infinite or NaN; look for missing values in the data");
  if (range.low == range.high && t.size() > 1)
    p.find(Severity::warning, "targets", range.low, "targets differ",
           "all targets of the batch are " + short_number(range.low) + ": there is nothing to learn");
}

void check_initialisation(Patient& p) {
  p.begin("initialisation");
  double largest = 0;
  for (std::size_t i = 0; i < p.run.end; ++i) {
    const TracedValue& value = p.run.trace.values()[i];
    if (!is_linear(value)) continue;
    const Tensor& weight = value.parameters.front();
    const Range range = range_of(weight);
    const auto n = static_cast<double>(weight.size());
    const double gain = norm_of(weight) / std::sqrt(n) * std::sqrt(static_cast<double>(weight.shape(0)));
    largest = std::max(largest, std::isfinite(gain) ? gain : INFINITY);
    if (!range.finite) {
      p.find(Severity::error, value.layer, NAN, "weights are finite", "some weights are infinite or NaN");
    } else if (range.low == range.high && weight.shape(1) > 1) {
      if (range.low == 0 && value.layer == p.output_layer) continue;  // a start that some choose
      p.find(Severity::error, value.layer, range.low, "weights of a layer differ",
             "all weights are " + short_number(range.low) +
                 ": its units compute the same, get the same gradient, and stay alike for ever; draw weights at "
                 "random (init::he_normal, init::xavier_uniform)");
    } else if (gain > largest_weight_rms || gain < smallest_weight_rms) {
      const bool large = gain > largest_weight_rms;
      p.find(Severity::error, value.layer, gain, "rms · √fan_in between 0.02 and 4",
             std::string("its weights are initialised too ") + (large ? "large" : "small") +
                 ": its outputs are about " + short_number(gain) + " times the inputs, and signals and gradients " +
                 (large ? "explode" : "vanish") +
                 " from layer to layer; use init::he_normal or init::xavier_uniform, or leave Linear's own");
    }
  }
  p.measured("rms · √fan_in of the largest weights " + short_number(largest));
}

void check_nonlinearity(Patient& p) {
  p.begin("non-linearity");
  const auto& values = p.run.trace.values();
  std::vector<std::optional<std::size_t>> linear(p.run.end);  // the layer that a value is a linear function of
  std::size_t missing = 0;
  for (std::size_t i = 0; i < p.run.end; ++i) {
    const TracedValue& value = values[i];
    std::optional<std::size_t> before;
    for (const std::size_t input : value.inputs)
      if (linear[input]) before = linear[input];
    if (is_linear(value)) {
      linear[i] = i;
      if (!before) continue;
      const TracedValue& first = values[*before];
      const std::int64_t width = first.output.shape().back();
      const std::int64_t in = first.parameters.front().shape(0), out = value.parameters.front().shape(1);
      if (width < std::min(in, out)) continue;  // a factorisation of fewer parameters
      ++missing;
      p.find(Severity::error, first.layer, static_cast<double>(width), "a function that is not linear between layers",
             "nothing but linear functions stand between " + first.layer + " and " + value.layer +
                 ": together they are no more than one linear layer; put an activation such as relu after " +
                 first.layer);
    } else if (among(value.operation, {"add", "sub", "neg", "reshape", "permute", "slice", "concatenate", "dropout",
                                       "clone", "sum", "mean"}) ||
               (among(value.operation, {"mul", "div"}) && value.inputs.size() == 1)) {
      // A sum is linear only if all of its parts are.
      const bool all = std::all_of(value.inputs.begin(), value.inputs.end(),
                                   [&](std::size_t input) { return linear[input].has_value(); });
      if (all) linear[i] = before;
    }
  }
  p.measured(plural(missing, "place") + " without");
}

/// Finds activations of which a statistic, a fraction, is `most` or more.
void check_activations(Patient& p, const char* check, std::optional<double> ActivationStatistics::*fraction,
                       double most, const char* rule, const std::string& whose, const std::string& advice) {
  p.begin(check);
  double worst = 0;
  for (std::size_t i = 0; i < p.run.end; ++i) {
    const TracedValue& value = p.run.trace.values()[i];
    if (!value.activation || !is_floating(value.output.dtype())) continue;
    const double found = (activation_statistics(value.output, value.bounds).*fraction).value_or(0);
    worst = std::max(worst, found);
    if (found < most) continue;
    p.find(Severity::error, value.layer, found, rule, percent_of(found) + whose + value.name() + advice);
  }
  p.measured("at most " + percent_of(worst));
}

void check_dead_units(Patient& p) {
  check_activations(p, "dead units", &ActivationStatistics::dead, max_dead, "less than 50 % of units dead",
                    " of the units of ",
                    " are 0 for every example, so that no gradient passes them; look at the bias (0 is a good start), "
                    "at the scale of the inputs, or use leaky_relu");
}

void check_saturation(Patient& p) {
  check_activations(p, "saturation", &ActivationStatistics::saturated, max_saturated, "less than 50 % saturated",
                    " of the numbers of ",
                    " are at an end of its range, where its slope is almost 0 and nothing is learned; make weights, "
                    "biases or the slope smaller, scale the inputs, or use relu");
}

void check_initial_loss(Patient& p) {
  p.begin("initial loss");
  const double loss = p.run.loss.item();
  p.measured(short_number(loss));
  if (!std::isfinite(loss))
    return p.find(Severity::error, p.output_layer, loss, "the loss is finite", "the loss is not finite");
  const Tensor& prediction = p.run.prediction;
  double indifferent = 0;
  if (const auto last = p.run.trace.find(prediction)) {
    const std::string& operation = p.run.trace.values()[*last].operation;
    const auto classes = prediction.rank() > 0 ? static_cast<double>(prediction.shape().back()) : 1.0;
    if (operation == "sigmoid") indifferent = 0.5;
    if (operation == "softmax") indifferent = 1 / classes;
    if (operation == "log_softmax") indifferent = -std::log(classes);
  }
  double expected = 0;
  try {
    const Pause pause;
    expected = p.calls.training.loss(full(prediction.shape(), indifferent, prediction.dtype()), p.batch.targets).item();
  } catch (const Error& error) {
    return p.skip(std::string("the loss does not take constant outputs: ") + error.what());
  }
  if (!(expected > 0) || !std::isfinite(expected)) return p.skip("the loss of constant outputs is not positive");
  std::string words = short_number(expected);
  const bool classes = p.batch.targets.dtype() == int64 && prediction.rank() == 2;
  if (classes && std::abs(expected - std::log(static_cast<double>(prediction.shape(1)))) < 1e-3)
    words = "ln " + std::to_string(prediction.shape(1)) + " = " + words;
  p.measured(short_number(loss) + ", of outputs that prefer nothing " + words);
  const double limit = p.batch.targets.dtype() == int64 ? largest_initial_loss : largest_initial_error;
  if (loss <= limit * expected) return;
  p.find(Severity::error, p.output_layer, loss, "at most " + short_number(limit) + " times " + words,
         "the loss begins at " + short_number(loss) + "; a model that knows nothing should begin near " + words +
             ": its outputs are too large, or the targets are not scaled");
}

}  // namespace xgrad::nn
