#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/text/words.hpp>
#include <nn/doctor/checks.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

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

struct Range {
  double low, high;
  bool finite() const { return std::isfinite(low) && std::isfinite(high); }
  bool one_number() const { return low == high; }
};
/// NaN if a number is.
Range range_of(const Tensor& x) {
  const Pause pause;
  const Tensor values = x.to(float64);
  return {min(values).item(), max(values).item()};
}

bool is_linear(const TracedValue& value) {
  return value.kind == OperationKind::matrix_product && !value.parameters.empty() &&
         value.parameters.front().rank() == 2;
}

/// Whether it is a linear function of its inputs, but for a constant.
bool keeps_linearity(const TracedValue& value) {
  return value.kind == OperationKind::arrangement || value.kind == OperationKind::linear ||
         (value.kind == OperationKind::product && value.inputs.size() == 1);
}

/// The range of numbers that are there and finite; otherwise none, and a finding. name: `inputs` or `targets`.
std::optional<Range> finite_range(Patient& p, const Tensor& x, const char* layer, const char* name) {
  if (x.size() == 0) {
    p.error(layer, 0, fmt::format("{} have entries", name), "the {} are empty", name);
    return std::nullopt;
  }
  const Range range = range_of(x);
  p.measured("from {:.3g} to {:.3g}", range.low, range.high);
  if (range.finite()) return range;
  p.error(layer, NAN, fmt::format("{} are finite", name),
          "some {} are infinite or NaN; look for missing values in the data", name);
  return std::nullopt;
}

/// What is wrong with the initial weight of a linear layer, as a finding.
void check_weight(Patient& p, const std::string& layer, const Tensor& weight, double gain) {
  const Range range = range_of(weight);
  if (!range.finite()) return p.error(layer, NAN, "weights are finite", "some weights are infinite or NaN");
  if (range.one_number() && weight.shape(1) > 1) {
    if (range.low == 0 && layer == p.output_layer) return;  // a start that some choose
    return p.error(layer, range.low, "weights of a layer differ",
                   "all weights are {:.3g}: its units compute the same, get the same gradient, and stay alike forever; "
                   "draw weights at random (init::he_normal, init::xavier_uniform)",
                   range.low);
  }
  const bool large = gain > largest_weight_rms;
  if (!large && gain >= smallest_weight_rms) return;
  p.error(
      layer, gain, "rms · √fan_in between 0.02 and 4",
      "its weights are initialised too {}: its outputs are about {:.3g} times the inputs, and signals and gradients "
      "{} from layer to layer; use init::he_normal or init::xavier_uniform, or leave Linear's own",
      large ? "large" : "small", gain, large ? "explode" : "vanish");
}

void check_input(Patient& p, const Tensor& x) {
  if (!is_floating(x.dtype())) return p.skip("indices");
  const std::optional<Range> range = finite_range(p, x, "input", "inputs");
  if (!range) return;
  if (range->one_number() && x.size() > 1)
    return p.error("input", range->low, "inputs differ", "all inputs are {:.3g}: the model has nothing to learn from",
                   range->low);
  const Pause pause;
  const Tensor all = sqrt(mean(square(reshape(x.to(float64), {x.shape(0), -1})), {0}));
  const double rms = max(all).item();
  if (!(rms > largest_input_rms)) return;
  p.error("input", rms, "rms of every feature at most 10",
          "inputs are not scaled: feature {} has the root mean square {:.3g}; bring features to mean 0 and standard "
          "deviation 1 (Scaler), or bytes to [0, 1]",
          argmax(all, 0).item(), rms);
}

void check_inputs(Patient& p) {
  for (const Tensor& x : p.batch.inputs.tensors()) check_input(p, x);
}

void check_targets(Patient& p) {
  for (const Tensor& t : p.batch.targets.tensors()) {
    const std::optional<Range> range = finite_range(p, t, "targets", "targets");
    // Of several some may be masks or weights.
    if (range && range->one_number() && t.size() > 1 && p.batch.targets.count() == 1)
      p.warn("targets", range->low, "targets differ", "all targets of the batch are {:.3g}: there is nothing to learn",
             range->low);
  }
}

void check_initialisation(Patient& p) {
  double largest = 0;
  for (std::size_t i = 0; i < p.run.end; ++i) {
    const TracedValue& value = p.run.trace.values()[i];
    if (!is_linear(value)) continue;
    const Tensor& weight = value.parameters.front();
    const double gain = norm_of(weight) / std::sqrt(weight.shape(1));  // rms · √fan_in
    largest = std::max(largest, std::isfinite(gain) ? gain : INFINITY);
    check_weight(p, value.layer, weight, gain);
  }
  p.measured("rms · √fan_in of the largest weights {:.3g}", largest);
}

void check_nonlinearity(Patient& p) {
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
      p.error(
          first.layer, static_cast<double>(width), "a function that is not linear between layers",
          "nothing but linear functions stand between {0} and {1}: together they are no more than one linear layer; "
          "put an activation such as relu after {0}",
          first.layer, value.layer);
    } else if (keeps_linearity(value)) {
      // A sum is linear only if all of its parts are.
      const bool all = std::all_of(value.inputs.begin(), value.inputs.end(),
                                   [&](std::size_t input) { return linear[input].has_value(); });
      if (all) linear[i] = before;
    }
  }
  p.measured("{} without", counted(missing, "place"));
}

/// Finds activations of which a statistic, a fraction, is `most` or more.
void check_activations(Patient& p, std::optional<double> ActivationStatistics::*fraction, double most, const char* rule,
                       const char* whose, const char* advice) {
  double worst = 0;
  for (std::size_t i = 0; i < p.run.end; ++i) {
    const TracedValue& value = p.run.trace.values()[i];
    if (!value.activation || !is_floating(value.output.dtype())) continue;
    const double found = (activation_statistics(value.output, value.bounds).*fraction).value_or(0);
    worst = std::max(worst, found);
    if (found >= most)
      p.error(value.layer, found, rule, "{:.3g} % of the {} of {} {}", 100 * found, whose, value.name(), advice);
  }
  p.measured("at most {:.3g} %", 100 * worst);
}

void check_dead_units(Patient& p) {
  check_activations(p, &ActivationStatistics::dead, max_dead, "less than 50 % of units dead", "units",
                    "are 0 for every example, so that no gradient passes them; look at the bias (0 is a good start), "
                    "at the scale of the inputs, or use leaky_relu");
}

void check_saturation(Patient& p) {
  check_activations(p, &ActivationStatistics::saturated, max_saturated, "less than 50 % saturated", "numbers",
                    "are at an end of its range, where its derivative is almost 0 and nothing is learned; make weights "
                    "and biases smaller, scale the inputs, or use relu");
}

/// What a model that prefers nothing gives, by its last operation.
double indifferent_output(const DoctorRun& run) {
  const auto last = run.trace.find(run.prediction);
  if (!last) return 0;
  const auto& [low, high] = run.trace.values()[*last].bounds;
  const double classes = run.prediction.rank() > 0 ? static_cast<double>(run.prediction.shape().back()) : 1;
  switch (run.trace.values()[*last].kind) {
    case OperationKind::probabilities:
      return 1 / classes;
    case OperationKind::log_probabilities:
      return -std::log(classes);
    default:
      return std::isfinite(low) && std::isfinite(high) ? (low + high) / 2 : 0;
  }
}

void check_initial_loss(Patient& p) {
  const double loss = p.run.loss.item();
  p.measured("{:.3g}", loss);
  if (!std::isfinite(loss)) return p.error(p.output_layer, loss, "the loss is finite", "the loss is not finite");
  if (p.run.predictions > 1 || p.batch.targets.count() > 1) return p.skip("several outputs or targets");
  const Tensor &prediction = p.run.prediction, &targets = p.batch.targets;
  double expected = 0;
  try {
    const Pause pause;
    const Tensor constant = full(prediction.shape(), indifferent_output(p.run), prediction.dtype());
    expected = p.model.loss(constant, targets).item();
  } catch (const Error& error) {
    return p.skip(std::string("the loss does not take constant outputs: ") + error.what());
  }
  if (!(expected > 0) || !std::isfinite(expected)) return p.skip("the loss of constant outputs is not positive");
  const bool labels = targets.dtype() == int64;
  std::string words = fmt::format("{:.3g}", expected);
  if (labels && prediction.rank() == 2 && std::abs(expected - std::log(prediction.shape(1))) < 1e-3)
    words = fmt::format("ln {} = {}", prediction.shape(1), words);
  p.measured("{:.3g}, of outputs that prefer nothing {}", loss, words);
  const double limit = labels ? largest_initial_loss : largest_initial_error;
  if (loss <= limit * expected) return;
  p.error(
      p.output_layer, loss, fmt::format("at most {} times {}", limit, words),
      "the loss begins at {:.3g}; a model that knows nothing should begin near {}: its outputs are too large, or the "
      "targets are not scaled",
      loss, words);
}

void check_sampled_gradients(Patient& p) {
  if (!std::isfinite(p.run.loss.item())) return p.skip("the loss is not finite");
  constexpr std::int64_t few = 4;
  const Tensor rows = arange(std::min(few, p.data.size()));
  const Batch batch = p.take(rows.values<std::int64_t>());
  GradientReport report;
  try {
    report = check_gradients_of(p.model, batch.inputs, batch.targets,
                                {.mode = GradientMode::sampled,
                                 .sample = p.options.gradient_sample,
                                 .seed = p.options.seed,
                                 .allow_zero = true});
  } catch (const Error& error) {
    return p.skip(std::string("the model cannot be checked in float64: ") + error.what());
  }
  p.measured("{} tensors against differences", report.rows.size());
  for (const GradientRow& row : report.rows) {
    if (row.name == "input" || row.name.starts_with("input ") || report.passed(row)) continue;
    if (row.verdict != GradientVerdict::wrong && row.verdict != GradientVerdict::non_finite &&
        row.verdict != GradientVerdict::nondeterministic)
      continue;
    p.error(layer_of_parameter(row.name), row.relative_error, "relative error at most 1e-6",
            "the gradient of {} is {}: numerical {:.3g}, analytical {:.3g}; check the vjp of your own operations with "
            "check_gradients",
            row.name, name_of(row.verdict), row.numerical, row.analytical);
  }
}

}  // namespace

std::span<const NamedCheck> data_checks() {
  static constexpr NamedCheck checks[] = {{"inputs", check_inputs}, {"targets", check_targets}};
  return checks;
}

std::span<const NamedCheck> value_checks() {
  static constexpr NamedCheck checks[] = {
      {"initialisation", check_initialisation}, {"non-linearity", check_nonlinearity},
      {"dead units", check_dead_units},         {"saturation", check_saturation},
      {"initial loss", check_initial_loss},     {"gradients", check_sampled_gradients}};
  return checks;
}

}  // namespace xgrad::nn
