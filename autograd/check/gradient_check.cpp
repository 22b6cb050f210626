#include <autograd/check/experiment.hpp>
#include <autograd/check/finding.hpp>
#include <autograd/check/gradient_check.hpp>
#include <autograd/check/precision.hpp>
#include <autograd/ops/random.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <numeric>
#include <span>

namespace xgrad {

namespace {

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
std::vector<std::size_t> chosen_entries(const Tensor& gradient, std::size_t count, std::size_t tensor,
                                        const GradientCheckOptions& options) {
  if (options.mode == GradientMode::directional) return {};
  if (options.mode == GradientMode::full || count <= options.sample) {
    std::vector<std::size_t> all(count);
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
  }
  Generator generator = Generator(options.seed, 2).split(tensor);
  const Tensor order = permutation(static_cast<std::int64_t>(count), generator);
  const auto drawn = order.values<std::int64_t>().first(options.sample);
  std::vector<std::size_t> entries(drawn.begin(), drawn.end());
  const std::size_t telling = gradient.defined() ? most_telling(gradient.values<double>()) : entries.back();
  if (std::find(entries.begin(), entries.end(), telling) == entries.end()) entries.back() = telling;
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// 1 or -1 for each entry.
Tensor random_direction(const Shape& shape, std::size_t tensor, const GradientCheckOptions& options) {
  Generator generator = Generator(options.seed, 3).split(tensor);
  Tensor direction = uniform(shape, -1, 1, float64, generator);
  direction.modify([](std::span<double> values) {
    for (double& value : values) value = value < 0 ? -1 : 1;
  });
  return direction;
}

/// Adds the derivatives of one tensor to compare; `gradient` is empty if it is not reached.
void add_comparisons(std::vector<Finding>& list, std::size_t tensor, const Tensor& values, const Tensor& gradient,
                     const GradientCheckOptions& options) {
  Finding one;
  one.move.tensor = tensor;
  one.reached = gradient.defined();
  one.rms = scale_of(gradient).rms;
  one.typical = scale_of(values).rms;
  for (const std::size_t entry : chosen_entries(gradient, values.size(), tensor, options)) {
    one.move.entry = entry;
    one.index = index_of(entry, values.shape());
    one.analytical = one.reached ? gradient.data<double>()[entry] : 0.0;
    one.x = values.data<double>()[entry];
    list.push_back(one);
  }
  const bool automatic = options.mode == GradientMode::automatic && values.size() > options.sample;
  if (values.size() == 0 || !(automatic || options.mode == GradientMode::directional)) return;
  one.direction = true;
  one.index = {};
  one.move.direction = random_direction(values.shape(), tensor, options);
  long double along = 0;
  for (std::size_t i = 0; one.reached && i < values.size(); ++i)
    along += static_cast<long double>(gradient.data<double>()[i]) * one.move.direction.data<double>()[i];
  one.analytical = static_cast<double>(along);
  one.rms *= std::sqrt(static_cast<double>(values.size()));
  one.x = one.typical;
  list.push_back(one);
}

/// What speaks against a gradient whatever the function's values are: the gradient `other` must be `factor` times it.
std::string contradiction(const Tensor& gradient, const Tensor& other, double factor, double tolerance,
                          const char* what) {
  if (gradient.defined() != other.defined()) return fmt::format("the gradient {} it is there only once", what);
  if (!gradient.defined()) return "";
  const double rms = scale_of(gradient).rms;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double value = gradient.data<double>()[i];
    const double found = other.data<double>()[i];
    const double slack = std::abs(factor) * tolerance * std::max(std::abs(value), rms);
    if (std::isfinite(value) && !(std::abs(found - factor * value) <= slack))
      return fmt::format("the gradient {} entry {} is {:.6g} times what it should be", what,
                         index_of(i, gradient.shape()), found / (factor * value));
  }
  return "";
}

void check_options(const GradientCheckOptions& options) {
  const auto check_fraction = [](const char* name, double value) {
    if (!(value > 0 && value < 1)) throw_as<ValueError>("check_gradients: {0} {1}; need 0 < {0} < 1", name, value);
  };
  if (options.order < 1) throw_as<ValueError>("check_gradients: order {}; need 1 or more", options.order);
  check_fraction("tolerance", options.tolerance);
  check_fraction("noise limit", options.noise_limit);
  if (!(options.rounding_limit > 0))
    throw_as<ValueError>("check_gradients: rounding limit {}; need a positive number of roundings",
                         options.rounding_limit);
  if (options.sample == 0) throw ValueError("check_gradients: a sample of 0 entries; need at least 1, or mode full");
  if (!is_floating(options.dtype)) throw TypeError("check_gradients: dtype int64; need float32 or float64");
  if (options.dtype == float32 && options.order != 1)
    throw_as<ValueError>("check_gradients: order {} in float32; the check of float32 against float64 has order 1 only",
                         options.order);
}

void check_floating(const std::string& name, const Tensor& tensor) {
  if (!tensor.defined()) throw_undefined("check_gradients", name);
  if (!is_floating(tensor.dtype()))
    throw_as<TypeError>("check_gradients: {} is int64 and has no gradient; let the function capture it", name);
}

void check_subject(const GradientSubject& subject) {
  if (!subject.f) throw ValueError("check_gradients: the function is empty");
  if (subject.tensors.empty()) throw ValueError("check_gradients: no tensors; need at least one");
  for (std::size_t i = 0; i < subject.tensors.size(); ++i) {
    const auto& [name, tensor] = subject.tensors[i];
    check_floating(name, tensor);
    if (tensor.dtype() != float64)
      throw_as<TypeError>("check_gradients: {} is float32; need float64 to tell a gradient from rounding", name);
    if (is_recorded(tensor))
      throw_as<TapeError>("check_gradients: {} is the result of a recorded operation; need a tensor of its own", name);
    for (std::size_t k = 0; k < i; ++k)
      if (subject.tensors[k].second.is(tensor))
        throw_as<ValueError>("check_gradients: {} and {} are one tensor; name it once", subject.tensors[k].first, name);
  }
}

std::string mode_text(const GradientCheckOptions& options, const std::vector<GradientRow>& rows) {
  const bool all = options.mode == GradientMode::full ||
                   (options.mode == GradientMode::automatic &&
                    std::none_of(rows.begin(), rows.end(), [](const GradientRow& row) { return row.directional; }));
  if (all) return "every entry";
  if (options.mode == GradientMode::directional) return "one direction";
  return fmt::format("{} entries of larger tensors{}", options.sample,
                     options.mode == GradientMode::automatic ? " and a direction" : "");
}

/// Returns the evaluations of all experiments so far. make: for parallel calls, each thread's on an experiment of its
/// own; nullptr for none.
std::size_t examine_all(std::vector<Finding>& findings, Experiment& first, const std::function<GradientSubject()>* make,
                        const std::vector<Tensor>& here, const GradientCheckOptions& options) {
  constexpr std::size_t worth_a_thread = 4;
  const std::size_t threads = std::min(kernels::thread_count(), findings.size() / worth_a_thread);
  std::atomic<std::size_t> next{0}, evaluations{0};
  std::mutex making, telling;
  std::size_t done = 0;
  parallel_parts(make == nullptr ? 1 : std::max<std::size_t>(threads, 1), [&](std::size_t worker) {
    const auto work = [&](Experiment& experiment) {
      try {
        for (std::size_t i = next++; i < findings.size(); i = next++) {
          examine(findings[i], experiment, here, options);
          if (!options.progress) continue;
          const std::lock_guard lock(telling);
          options.progress(++done, findings.size());
        }
      } catch (...) {
        next = findings.size();  // the others need not go on
        throw;
      }
      evaluations += experiment.evaluations();
    };
    if (worker == 0) return work(first);
    if (next >= findings.size()) return;
    std::unique_lock lock(making);
    Experiment own((*make)(), first);
    lock.unlock();
    work(own);
  });
  return evaluations;
}

/// A verdict that is not about single entries.
void decide(GradientRow& row, GradientVerdict verdict, std::string why) {
  row.verdict = verdict;
  row.failed = 0;
  row.note = std::move(why);
}

/// Fills the report's rows with gradients against differences.
void check_differences(GradientReport& report, const GradientSubject& subject,
                       const std::function<GradientSubject()>* make, const GradientCheckOptions& options) {
  const DefaultDType constants_are(float64);
  Experiment experiment(subject, options);
  const std::vector<Tensor> gradients = experiment.analytical();
  const std::vector<Tensor> again = experiment.analytical();
  const std::vector<Tensor> here = experiment.outputs();
  const bool repeats = same_bits(here, experiment.outputs());
  const bool finite = experiment.any_finite(here);
  std::vector<Finding> findings;
  for (std::size_t t = 0; t < gradients.size(); ++t) {
    if (!repeats)
      decide(report.rows[t], GradientVerdict::nondeterministic, "of the function");
    else if (!same_bits(gradients[t], again[t]))
      decide(report.rows[t], GradientVerdict::nondeterministic, "of the gradient");
    else if (!finite)
      decide(report.rows[t], GradientVerdict::non_finite, "the function is not finite for the given values");
    else
      add_comparisons(findings, t, subject.tensors[t].second, gradients[t], options);
  }
  report.evaluations = examine_all(findings, experiment, make, here, options);
  const auto first_of = [&findings](std::size_t tensor) {
    return std::ranges::lower_bound(findings, tensor, {}, [](const Finding& one) { return one.move.tensor; });
  };

  const std::vector<Tensor> scaled = experiment.analytical(-2);
  const std::vector<Tensor> twice = options.order == 1 ? experiment.analytical_of_two_calls() : std::vector<Tensor>();
  for (std::size_t t = 0; t < gradients.size(); ++t) {
    GradientRow& row = report.rows[t];
    if (row.verdict != GradientVerdict::ok) continue;  // decided above
    conclude(row, {first_of(t), first_of(t + 1)}, gradients[t], options.order);
    if (row.verdict == GradientVerdict::zero || row.verdict >= GradientVerdict::non_finite) continue;
    std::string against = contradiction(gradients[t], scaled[t], -2, options.tolerance,
                                        "is not linear in the cotangent: for -2 times the cotangent,");
    if (against.empty() && !twice.empty())
      against = contradiction(gradients[t], twice[t], 2, options.tolerance,
                              "does not accumulate: for two calls of the function on one tape,");
    if (!against.empty()) decide(row, GradientVerdict::wrong, against);
  }
  report.mode = mode_text(options, report.rows);
  if (repeats && !same_bits(here, experiment.outputs()))
    for (GradientRow& row : report.rows)
      decide(row, GradientVerdict::nondeterministic, "of the function, after some calls");
}

GradientReport check(const GradientSubject& subject, const std::function<GradientSubject()>* make,
                     const GradientCheckOptions& options) {
  check_options(options);
  check_subject(subject);
  GradientReport report;
  report.order = options.order;
  report.dtype = options.dtype;
  report.allow_zero = options.allow_zero;
  for (const auto& [name, tensor] : subject.tensors) {
    GradientRow& row = report.rows.emplace_back();
    row.name = name;
    row.shape = tensor.shape();
  }
  if (options.dtype == float32)
    check_precision(report, subject, options);
  else
    check_differences(report, subject, make, options);
  return report;
}

}  // namespace

GradientReport check_gradients_in_place(const GradientSubject& subject, const GradientCheckOptions& options) {
  if (options.parallel.value_or(false))
    throw ValueError("check_gradients: parallel calls on tensors in place; need check_gradients_of_copies");
  return check(subject, nullptr, options);
}

GradientReport check_gradients_of_copies(const std::function<GradientSubject()>& make,
                                         const GradientCheckOptions& options) {
  if (!make) throw ValueError("check_gradients: the function is empty");
  return check(make(), options.parallel.value_or(true) ? &make : nullptr, options);
}

GradientReport check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f, const NamedTensors& tensors,
                               const GradientCheckOptions& options) {
  if (!f) throw ValueError("check_gradients: the function is empty");
  for (const auto& [name, tensor] : tensors) check_floating(name, tensor);
  GradientCheckOptions serial_unless_asked = options;
  serial_unless_asked.parallel = options.parallel.value_or(false);
  return check_gradients_of_copies(
      [&] {
        const Pause pause;
        NamedTensors named;
        std::vector<Tensor> copies;
        for (const auto& [name, tensor] : tensors) {
          copies.push_back(tensor.to(float64).label(name));
          named.emplace_back(name, copies.back());
        }
        return GradientSubject{[&f, copies] { return f(copies); }, named};
      },
      serial_unless_asked);
}

GradientReport check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                               const std::vector<Tensor>& tensors, const GradientCheckOptions& options) {
  NamedTensors named;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const std::string label = tensors[t].defined() ? tensors[t].label() : "";
    named.emplace_back(label.empty() ? fmt::format("input {}", t) : label, tensors[t]);
  }
  return check_gradients(f, named, options);
}

}  // namespace xgrad
