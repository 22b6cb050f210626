#include <autograd/check/experiment.hpp>
#include <autograd/check/finding.hpp>
#include <autograd/check/gradient_check.hpp>
#include <autograd/check/precision.hpp>
#include <autograd/ops/random.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/tape.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <optional>
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
  std::vector<std::size_t> entries;
  if (options.mode == GradientMode::directional && count > 0) return entries;
  if (options.mode == GradientMode::full || count <= options.sample) {
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

/// 1 or -1 for each entry.
Tensor random_direction(const Shape& shape, std::size_t tensor, const GradientCheckOptions& options) {
  Generator generator = Generator(options.seed, 3).split(tensor);
  Tensor direction = uniform(shape, -1, 1, float64, generator);
  direction.modify([](std::span<double> values) {
    for (double& value : values) value = value < 0 ? -1 : 1;
  });
  return direction;
}

/// The derivatives of one tensor to compare; `gradient` is empty if it is not reached.
std::vector<Comparison> comparisons_of(std::size_t tensor, const Tensor& values, const Tensor& gradient,
                                       const GradientCheckOptions& options) {
  Comparison one;
  one.move.tensor = tensor;
  one.reached = gradient.defined();
  one.rms = scale_of(gradient).rms;
  one.typical = scale_of(values).rms;
  std::vector<Comparison> list;
  for (const std::size_t entry : chosen_entries(gradient, values.size(), tensor, options)) {
    one.move.entry = entry;
    one.analytical = one.reached ? gradient.data<double>()[entry] : 0.0;
    one.x = values.data<double>()[entry];
    list.push_back(one);
  }
  const bool automatic = options.mode == GradientMode::automatic && values.size() > options.sample;
  if (values.size() > 0 && (automatic || options.mode == GradientMode::directional)) {
    one.move.direction = random_direction(values.shape(), tensor, options);
    long double along = 0;
    for (std::size_t i = 0; one.reached && i < values.size(); ++i)
      along += static_cast<long double>(gradient.data<double>()[i]) * one.move.direction.data<double>()[i];
    one.analytical = static_cast<double>(along);
    one.rms *= std::sqrt(static_cast<double>(values.size()));
    one.x = one.typical;
    list.push_back(one);
  }
  return list;
}

/// Fills a row from the findings about its tensor.
void conclude(GradientRow& row, std::span<const Finding> findings, const Tensor& gradient, int order) {
  constexpr std::size_t listed = 3;
  bool all_vanish = true;
  double noise = 0;
  std::size_t refusals = 0;
  std::string refusal;
  std::vector<const Finding*> worst;
  for (const Finding& finding : findings) {
    row.directional = row.directional || finding.move.along_direction();
    row.entries += !finding.move.along_direction();
    all_vanish = all_vanish && finding.verdict != GradientVerdict::kink && finding.vanishes();
    noise = std::max(noise, finding.numerical.error);
    const double size = std::abs(finding.numerical.value);
    if (std::isfinite(size) && size > 2 * finding.numerical.error) row.largest = std::max(row.largest, size);
    if (finding.refusals > 0) refusal = finding.refusal;
    refusals += finding.refusals;
    worst.push_back(&finding);
  }
  std::stable_sort(worst.begin(), worst.end(),
                   [](const Finding* a, const Finding* b) { return a->urgency() > b->urgency(); });
  if (!worst.empty()) {
    static_cast<GradientEntry&>(row) = worst[0]->entry(row.shape);
    row.verdict = worst[0]->verdict;
    for (const Finding* finding : worst) {
      if (row.verdict == GradientVerdict::ok || finding->verdict != row.verdict) break;
      if (row.failed++ > 0 && row.others.size() + 1 < listed) row.others.push_back(finding->entry(row.shape));
    }
  }
  const bool reached = gradient.defined();
  if (!reached || (all_vanish && scale_of(gradient).largest <= noise)) {
    // A function that is linear has no second derivative on the tape, and needs none.
    row.verdict = reached || (order == 2 && row.largest == 0) ? GradientVerdict::zero : GradientVerdict::unreachable;
    row.others.clear();
  }
  if (refusals > 0) row.note = "the function refused moved values " + std::to_string(refusals) + " times: " + refusal;
}

/// What speaks against a gradient whatever the function's values are: its relative `other` must be `factor` times it.
std::string contradiction(const Tensor& gradient, const Tensor& other, double factor, double tolerance,
                          const std::string& what) {
  if (gradient.defined() != other.defined()) return what + " it is there only once";
  if (!gradient.defined()) return "";
  const double rms = scale_of(gradient).rms;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double expected = factor * gradient.data<double>()[i];
    const double found = other.data<double>()[i];
    const double slack = std::abs(factor) * tolerance * std::max(std::abs(gradient.data<double>()[i]), rms);
    if (std::isfinite(expected) && !(std::abs(found - expected) <= slack))
      return what + " entry " + to_string(index_of(i, gradient.shape())) + " is " + std::to_string(found / expected) +
             " times what it should be";
  }
  return "";
}

void check_options(const GradientCheckOptions& options) {
  if (options.order != 1 && options.order != 2)
    throw ValueError("check_gradients: order " + std::to_string(options.order) + "; need 1 or 2");
  if (!(options.tolerance > 0 && options.tolerance < 1))
    throw ValueError("check_gradients: tolerance " + std::to_string(options.tolerance) + "; need 0 < tolerance < 1");
  if (!(options.noise_limit > 0 && options.noise_limit < 1))
    throw ValueError("check_gradients: noise limit " + std::to_string(options.noise_limit) + "; need 0 < limit < 1");
  if (!(options.rounding_limit > 0))
    throw ValueError("check_gradients: rounding limit " + std::to_string(options.rounding_limit) +
                     "; need a positive number of roundings");
  if (options.sample == 0) throw ValueError("check_gradients: a sample of 0 entries; need at least 1, or mode full");
  if (!is_floating(options.dtype)) throw TypeError("check_gradients: dtype int64; need float32 or float64");
  if (options.dtype == float32 && options.order != 1)
    throw ValueError("check_gradients: order 2 in float32; the check of float32 against float64 has order 1 only");
}

void check_floating(const std::string& name, const Tensor& tensor) {
  if (!is_floating(tensor.dtype()))
    throw TypeError("check_gradients: " + name + " is int64 and has no gradient; let the function capture it");
}

void check_subject(const GradientSubject& subject) {
  if (!subject.f) throw ValueError("check_gradients: the function is empty");
  if (subject.tensors.empty()) throw ValueError("check_gradients: no tensors; need at least one");
  for (std::size_t i = 0; i < subject.tensors.size(); ++i) {
    const auto& [name, tensor] = subject.tensors[i];
    check_floating(name, tensor);
    if (tensor.dtype() != float64)
      throw TypeError("check_gradients: " + name + " is float32; need float64 to tell a gradient from rounding");
    if (is_recorded(tensor))
      throw TapeError("check_gradients: " + name + " is the result of a recorded operation; need a tensor of its own");
    for (std::size_t k = 0; k < i; ++k)
      if (subject.tensors[k].second.is(tensor))
        throw ValueError("check_gradients: " + subject.tensors[k].first + " and " + name +
                         " are one tensor; name it once");
  }
}

std::string mode_text(const GradientCheckOptions& options, const std::vector<GradientRow>& rows) {
  const std::string sample = std::to_string(options.sample) + " entries of larger tensors";
  switch (options.mode) {
    case GradientMode::automatic: {
      const bool all = std::none_of(rows.begin(), rows.end(), [](const GradientRow& row) { return row.directional; });
      return all ? "every entry" : sample + " and a direction";
    }
    case GradientMode::full:
      return "every entry";
    case GradientMode::sampled:
      return sample;
    case GradientMode::directional:
      return "one direction";
  }
  return "";
}

/// Experiments for threads to work with, one at a time each. The first one serves alone unless more can be made.
class Experiments {
 public:
  Experiments(Experiment& first, const std::function<GradientSubject()>* make) : first_(first), make_(make) {}

  template <class F>
  void with_one(const F& f) {
    Experiment* experiment = take();
    struct GiveBack {
      Experiments& all;
      Experiment* one;
      ~GiveBack() {
        const std::lock_guard lock(all.mutex_);
        all.idle_.push_back(one);
      }
    } const give_back{*this, experiment};
    f(*experiment);
  }

 private:
  Experiment* take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) {
      made_.push_back(std::make_unique<Experiment>((*make_)(), first_));
      return made_.back().get();
    }
    Experiment* const experiment = idle_.back();
    idle_.pop_back();
    return experiment;
  }

  Experiment& first_;
  const std::function<GradientSubject()>* make_;
  std::mutex mutex_;
  std::vector<Experiment*> idle_{&first_};
  std::vector<std::unique_ptr<Experiment>> made_;
};

std::vector<Finding> examine_all(const std::vector<Comparison>& comparisons, Experiment& first,
                                 const std::function<GradientSubject()>* make, const std::vector<Tensor>& here,
                                 const GradientCheckOptions& options) {
  std::vector<Finding> findings(comparisons.size());
  if (make == nullptr) {
    for (std::size_t i = 0; i < comparisons.size(); ++i) findings[i] = examine(comparisons[i], first, here, options);
    return findings;
  }
  constexpr std::size_t per_part = 4;
  Experiments experiments(first, make);
  parallel_parts((comparisons.size() + per_part - 1) / per_part, [&](std::size_t part) {
    experiments.with_one([&](Experiment& experiment) {
      for (std::size_t i = part * per_part; i < std::min(comparisons.size(), (part + 1) * per_part); ++i)
        findings[i] = examine(comparisons[i], experiment, here, options);
    });
  });
  return findings;
}

GradientReport start_report(const GradientSubject& subject, const GradientCheckOptions& options) {
  GradientReport report;
  report.order = options.order;
  report.dtype = options.dtype;
  report.allow_zero = options.allow_zero;
  for (const auto& [name, tensor] : subject.tensors) {
    GradientRow& row = report.rows.emplace_back();
    row.name = name;
    row.shape = tensor.shape();
  }
  return report;
}

/// make: for parallel calls; nullptr for none.
GradientReport check(const GradientSubject& subject, const std::function<GradientSubject()>* make,
                     const GradientCheckOptions& options) {
  check_options(options);
  check_subject(subject);
  GradientReport report = start_report(subject, options);
  if (options.dtype == float32) {
    check_precision(report, subject, options);
    return report;
  }
  const DefaultDType constants_are(float64);
  Experiment experiment(subject, options);
  const std::vector<Tensor> gradients = experiment.analytical();
  const std::vector<Tensor> again = experiment.analytical();
  const std::vector<Tensor> here = experiment.outputs();
  const bool repeats = same_bits(here, experiment.outputs());
  const bool finite = experiment.any_finite(here);
  std::vector<Comparison> comparisons;
  std::vector<std::size_t> first_of(subject.tensors.size() + 1, 0);
  for (std::size_t t = 0; t < subject.tensors.size(); ++t) {
    GradientRow& row = report.rows[t];
    if (!repeats || !same_bits(gradients[t], again[t])) {
      row.verdict = GradientVerdict::nondeterministic;
      row.note = repeats ? "of the gradient" : "of the function";
    } else if (!finite) {
      row.verdict = GradientVerdict::non_finite;
      row.note = "the function is not finite for the given values";
    } else {
      for (Comparison& one : comparisons_of(t, subject.tensors[t].second, gradients[t], options))
        comparisons.push_back(std::move(one));
    }
    first_of[t + 1] = comparisons.size();
  }
  const std::size_t calls = experiment.evaluations();
  const std::vector<Finding> findings = examine_all(comparisons, experiment, make, here, options);
  report.evaluations = calls;
  for (const Finding& finding : findings) report.evaluations += finding.evaluations;
  const std::vector<Tensor> scaled = experiment.analytical(-2);
  const std::vector<Tensor> twice = options.order == 1 ? experiment.analytical_of_two_calls() : std::vector<Tensor>();
  for (std::size_t t = 0; t < subject.tensors.size(); ++t) {
    GradientRow& row = report.rows[t];
    if (row.verdict != GradientVerdict::ok) continue;  // decided above
    conclude(row, std::span(findings).subspan(first_of[t], first_of[t + 1] - first_of[t]), gradients[t], options.order);
    if (row.verdict == GradientVerdict::zero || row.verdict >= GradientVerdict::non_finite) continue;
    std::string against = contradiction(gradients[t], scaled[t], -2, options.tolerance,
                                        "is not linear in the cotangent: for -2 times the cotangent,");
    if (against.empty() && !twice.empty())
      against = contradiction(gradients[t], twice[t], 2, options.tolerance,
                              "does not accumulate: for two calls of the function on one tape,");
    if (against.empty()) continue;
    row.verdict = GradientVerdict::wrong;
    row.failed = 0;
    row.note = "the gradient " + against;
  }
  report.mode = mode_text(options, report.rows);
  if (repeats && !same_bits(here, experiment.outputs()))
    for (GradientRow& row : report.rows) {
      row.verdict = GradientVerdict::nondeterministic;
      row.note = "of the function, after some calls";
    }
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
  if (!options.names.empty() && options.names.size() != tensors.size())
    throw ValueError("check_gradients: " + std::to_string(options.names.size()) + " names for " +
                     std::to_string(tensors.size()) + " tensors; need one for each, or none");
  NamedTensors named;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const std::string& label = tensors[t].label();
    named.emplace_back(!options.names.empty() ? options.names[t]
                       : !label.empty()       ? label
                                              : "input " + std::to_string(t),
                       tensors[t]);
  }
  return check_gradients(f, named, options);
}

}  // namespace xgrad
