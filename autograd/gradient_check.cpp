#include <autograd/gradient_check.hpp>
#include <autograd/gradient_experiment.hpp>
#include <autograd/random.hpp>
#include <autograd/tape_id.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace xgrad {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// What was found out about one entry.
struct Finding {
  GradientVerdict verdict = GradientVerdict::ok;
  double analytical = 0;
  double tolerance = 0;
  double noise_limit = 0;
  Slope numerical;
  double left = nan;
  double right = nan;

  double difference() const { return std::abs(numerical.value - analytical); }
  bool vanishes() const {
    return std::abs(numerical.value) <= 2 * numerical.error && std::abs(analytical) <= numerical.error;
  }
};

GradientVerdict judge(const Finding& finding, const NumericalDerivative& derivative) {
  const double difference = finding.difference();
  const double error = finding.numerical.error;
  if (derivative.jumps()) return GradientVerdict::kink;  // any slope is as good as another
  if (!std::isfinite(finding.numerical.value)) return GradientVerdict::non_finite;
  const Slope& left = derivative.left();
  const Slope& right = derivative.right();
  const double slack = finding.tolerance + 2 * (left.error + right.error);
  if (left.defined() && right.defined() && std::abs(right.value - left.value) > slack) {
    const auto [low, high] = std::minmax(left.value, right.value);
    const bool between = finding.analytical >= low - slack && finding.analytical <= high + slack;
    return between ? GradientVerdict::kink : GradientVerdict::wrong;
  }
  if (difference > finding.tolerance + 2 * error) return GradientVerdict::wrong;
  return error > finding.noise_limit ? GradientVerdict::inconclusive : GradientVerdict::ok;
}

/// size: of the gradient, which the options' limits are relative to.
Finding examine(NumericalDerivative derivative, double analytical, double size, bool reached,
                const GradientCheckOptions& options) {
  constexpr double wanted = 1e-9;  // error of a numerical value, if that is cheap
  const double tolerance = options.tolerance * size;
  Finding finding;
  finding.analytical = analytical;
  finding.tolerance = tolerance;
  finding.noise_limit = options.noise_limit * size;
  const bool smooth = derivative.quick(wanted * size, tolerance);
  finding.numerical = derivative.central();
  const double error = finding.numerical.error;
  const bool agrees = (error <= tolerance && finding.difference() <= tolerance + error) ||
                      (tolerance == 0 && finding.difference() == 0);  // the whole gradient is 0
  if (!std::isfinite(analytical)) {
    finding.verdict = GradientVerdict::non_finite;
  } else if (!smooth || (reached && !agrees)) {
    derivative.thorough();
    finding.numerical = derivative.central();
    finding.left = derivative.left().value;
    finding.right = derivative.right().value;
    finding.verdict = judge(finding, derivative);
  }
  return finding;
}

/// The first entry that is not finite, or else the largest.
std::size_t most_telling(std::span<const double> gradient) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    if (!std::isfinite(gradient[i])) return i;
    if (std::abs(gradient[i]) > std::abs(gradient[found])) found = i;
  }
  return found;
}

/// Entries to check, ascending.
std::vector<std::size_t> chosen_entries(const Tensor& gradient, const Shape& shape, std::size_t tensor,
                                        const GradientCheckOptions& options) {
  const std::size_t count = shape.elements();
  std::vector<std::size_t> entries;
  if (options.sample == 0 || count <= options.sample) {
    for (std::size_t i = 0; i < count; ++i) entries.push_back(i);
    return entries;
  }
  Generator generator = Generator(options.seed, 2).split(tensor);
  const Tensor order = permutation(static_cast<std::int64_t>(count), generator);
  for (std::size_t i = 0; i < options.sample; ++i)
    entries.push_back(static_cast<std::size_t>(order.data<std::int64_t>()[i]));
  const std::size_t position = gradient.defined() ? most_telling(gradient.values<double>()) : entries.back();
  if (std::find(entries.begin(), entries.end(), position) == entries.end()) entries.back() = position;
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// Root of the mean square and largest size of the finite entries.
struct Scale {
  double rms = 0;
  double largest = 0;
};

Scale scale_of(const Tensor& x) {
  if (!x.defined()) return {};
  double largest = 0;
  for (const double value : x.values<double>())
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  if (largest == 0) return {};
  double squares = 0;  // of what cannot overflow or underflow
  for (const double value : x.values<double>())
    if (std::isfinite(value)) squares += (value / largest) * (value / largest);
  return {largest * std::sqrt(squares / static_cast<double>(x.size())), largest};
}

double relative(double error, const Finding& finding, double rms) {
  return error == 0 ? 0 : error / std::max({std::abs(finding.analytical), std::abs(finding.numerical.value), rms});
}

void describe_worst(GradientRow& row, const Finding& worst, std::size_t entry, double rms) {
  row.index = index_of(entry, row.shape);
  row.numerical = worst.numerical.value;
  row.analytical = worst.analytical;
  row.absolute_error = worst.difference();
  row.relative_error = relative(worst.difference(), worst, rms);
  row.noise = worst.numerical.error;
  row.tolerance = worst.tolerance;
  row.step = worst.numerical.step;
  row.left = worst.left;
  row.right = worst.right;
}

/// Larger for entries that a reader should see first.
std::pair<GradientVerdict, double> urgency(const Finding& finding, double rms) {
  const bool noisy = finding.verdict == GradientVerdict::inconclusive;
  const double excess = relative(noisy ? finding.numerical.error : finding.difference(), finding, rms);
  return {finding.verdict, std::isnan(excess) ? std::numeric_limits<double>::infinity() : excess};
}

void check_tensor(GradientRow& row, Experiment& experiment, std::size_t tensor, const Tensor& values,
                  const Tensor& gradient, const std::vector<Tensor>& here, const GradientCheckOptions& options) {
  const bool reached = gradient.defined();
  const Scale scale = scale_of(gradient);
  const double typical = scale_of(values).rms;
  const std::vector<std::size_t> entries = chosen_entries(gradient, row.shape, tensor, options);
  std::vector<Finding> findings;
  for (const std::size_t entry : entries) {
    const double analytical = reached ? gradient.data<double>()[entry] : 0.0;
    const double size = std::max(std::isfinite(analytical) ? std::abs(analytical) : 0, scale.rms);
    experiment.begin_entry(tensor, entry, here);
    NumericalDerivative derivative([&](double step) { return experiment.quotients(step); },
                                   values.data<double>()[entry], typical);
    findings.push_back(examine(std::move(derivative), analytical, size, reached, options));
  }
  row.entries = entries.size();
  bool all_vanish = true;
  double noise = 0;
  std::size_t worst = 0;
  for (std::size_t k = 0; k < findings.size(); ++k) {
    const Finding& finding = findings[k];
    all_vanish = all_vanish && finding.vanishes();
    noise = std::max(noise, finding.numerical.error);
    const double size = std::abs(finding.numerical.value);
    if (std::isfinite(size) && size > 2 * finding.numerical.error) row.largest = std::max(row.largest, size);
    if (urgency(finding, scale.rms) > urgency(findings[worst], scale.rms)) worst = k;
  }
  if (!findings.empty()) {
    describe_worst(row, findings[worst], entries[worst], scale.rms);
    row.verdict = findings[worst].verdict;
    if (row.verdict != GradientVerdict::ok)
      row.failed = static_cast<std::size_t>(std::count_if(
          findings.begin(), findings.end(), [&](const Finding& finding) { return finding.verdict == row.verdict; }));
  }
  if (!reached) {
    // A function that is linear has no second derivative on the tape, and needs none.
    row.verdict = options.order == 2 && row.largest == 0 ? GradientVerdict::zero : GradientVerdict::unreachable;
  } else if (all_vanish && scale.largest <= noise) {
    row.verdict = GradientVerdict::zero;
  }
  if (const auto [refusals, text] = experiment.take_refusals(); refusals > 0)
    row.note = "the function refused moved values " + std::to_string(refusals) + " times: " + text;
}

void check_options(const GradientCheckOptions& options, const NamedTensors& tensors) {
  if (options.order != 1 && options.order != 2)
    throw ValueError("check_gradients: order " + std::to_string(options.order) + "; need 1 or 2");
  if (!(options.tolerance > 0 && options.tolerance < 1))
    throw ValueError("check_gradients: tolerance " + std::to_string(options.tolerance) + "; need 0 < tolerance < 1");
  if (!(options.noise_limit > 0 && options.noise_limit < 1))
    throw ValueError("check_gradients: noise limit " + std::to_string(options.noise_limit) + "; need 0 < limit < 1");
  if (tensors.empty()) throw ValueError("check_gradients: no tensors; need at least one");
}

void check_floating(const std::string& name, const Tensor& tensor) {
  if (!is_floating(tensor.dtype()))
    throw TypeError("check_gradients: " + name + " is int64 and has no gradient; let the function capture it");
}

NamedTensors named(const std::vector<Tensor>& tensors, const std::vector<std::string>& names) {
  if (!names.empty() && names.size() != tensors.size())
    throw ValueError("check_gradients: " + std::to_string(names.size()) + " names for " +
                     std::to_string(tensors.size()) + " tensors; need one for each, or none");
  NamedTensors list;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const std::string& label = tensors[t].label();
    list.emplace_back(!names.empty() ? names[t] : !label.empty() ? label : "input " + std::to_string(t), tensors[t]);
  }
  return list;
}

}  // namespace

GradientReport check_gradients_in_place(const std::function<Tensor()>& f, const NamedTensors& tensors,
                                        const GradientCheckOptions& options) {
  check_options(options, tensors);
  if (!f) throw ValueError("check_gradients: the function is empty");
  GradientReport report;
  report.order = options.order;
  report.allow_zero = options.allow_zero;
  for (const auto& [name, tensor] : tensors) {
    check_floating(name, tensor);
    if (tensor.dtype() != float64)
      throw TypeError("check_gradients: " + name + " is float32; need float64 to tell a gradient from rounding");
    if (tape_is_alive(tensor.body().tape))
      throw TapeError("check_gradients: " + name + " is the result of a recorded operation; need a tensor of its own");
    for (std::size_t t = 0; t < report.rows.size(); ++t)
      if (tensors[t].second.is(tensor))
        throw ValueError("check_gradients: " + tensors[t].first + " and " + name + " are one tensor; name it once");
    GradientRow row;
    row.name = name;
    row.shape = tensor.shape();
    report.rows.push_back(std::move(row));
  }
  const DefaultDType constants_are(float64);
  Experiment experiment(f, tensors, options);
  const std::vector<Tensor> gradients = experiment.analytical();
  const std::vector<Tensor> again = experiment.analytical();
  const std::vector<Tensor> here = experiment.outputs();
  const bool repeats = same_bits(here, experiment.outputs());
  const bool finite = experiment.any_finite(here);
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    GradientRow& row = report.rows[t];
    if (!repeats || !same_bits(gradients[t], again[t])) {
      row.verdict = GradientVerdict::nondeterministic;
      row.note = repeats ? "of the gradient" : "of the function";
    } else if (!finite) {
      row.verdict = GradientVerdict::non_finite;
      row.note = "the function is not finite for the given values";
    } else {
      check_tensor(row, experiment, t, tensors[t].second, gradients[t], here, options);
    }
  }
  if (repeats && !same_bits(here, experiment.outputs()))
    for (GradientRow& row : report.rows) {
      row.verdict = GradientVerdict::nondeterministic;
      row.note = "of the function, after some calls";
    }
  report.evaluations = experiment.evaluations();
  return report;
}

GradientReport check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f, const NamedTensors& tensors,
                               const GradientCheckOptions& options) {
  if (!f) throw ValueError("check_gradients: the function is empty");
  std::vector<Tensor> copies;
  NamedTensors named_copies;
  {
    const Pause pause;
    for (const auto& [name, tensor] : tensors) {
      check_floating(name, tensor);
      copies.push_back(tensor.to(float64).label(name));
      named_copies.emplace_back(name, copies.back());
    }
  }
  return check_gradients_in_place([&] { return f(copies); }, named_copies, options);
}

GradientReport check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                               const std::vector<Tensor>& tensors, const GradientCheckOptions& options) {
  return check_gradients(f, named(tensors, options.names), options);
}

}  // namespace xgrad
