#include <autograd/check/finding.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace xgrad {

namespace {

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

/// An error relative to the largest of both values and the rms.
double relative(double error, const Finding& finding) {
  return error == 0 ? 0
                    : error / std::max({std::abs(finding.analytical), std::abs(finding.numerical.value), finding.rms});
}

}  // namespace

double Finding::difference() const { return std::abs(numerical.value - analytical); }

bool Finding::vanishes() const {
  return std::abs(numerical.value) <= 2 * numerical.error && std::abs(analytical) <= numerical.error;
}

std::pair<GradientVerdict, double> Finding::urgency() const {
  const bool noisy = verdict == GradientVerdict::inconclusive;
  const double excess = relative(noisy ? numerical.error : difference(), *this);
  return {verdict, std::isnan(excess) ? std::numeric_limits<double>::infinity() : excess};
}

GradientEntry Finding::entry(const Shape& shape) const {
  GradientEntry entry;
  entry.direction = move.along_direction();
  if (!entry.direction) entry.index = index_of(move.entry, shape);
  entry.numerical = numerical.value;
  entry.analytical = analytical;
  entry.absolute_error = difference();
  entry.relative_error = relative(difference(), *this);
  entry.noise = numerical.error;
  entry.tolerance = tolerance;
  entry.step = numerical.step;
  entry.left = left;
  entry.right = right;
  return entry;
}

Finding examine(const Comparison& comparison, Experiment& experiment, const std::vector<Tensor>& here,
                const GradientCheckOptions& options) {
  constexpr double wanted = 1e-9;  // error of a numerical value, if that is cheap
  const double analytical = comparison.analytical;
  const double size = std::max(std::isfinite(analytical) ? std::abs(analytical) : 0, comparison.rms);
  const double tolerance = options.tolerance * size;
  Finding finding;
  finding.move = comparison.move;
  finding.analytical = analytical;
  finding.rms = comparison.rms;
  finding.tolerance = tolerance;
  finding.noise_limit = options.noise_limit * size;

  const std::size_t evaluations = experiment.evaluations();
  experiment.begin(comparison.move, here, comparison.rms);
  NumericalDerivative derivative([&](double step) { return experiment.quotients(step); }, comparison.x,
                                 comparison.typical);
  const bool smooth = derivative.quick(wanted * size, tolerance);
  finding.numerical = derivative.central();
  const double error = finding.numerical.error;
  const bool agrees = (error <= tolerance && finding.difference() <= tolerance + error) ||
                      (tolerance == 0 && finding.difference() == 0);  // the whole gradient is 0
  if (!std::isfinite(analytical)) {
    finding.verdict = GradientVerdict::non_finite;
  } else if (!smooth || (comparison.reached && !agrees)) {
    derivative.thorough();
    finding.numerical = derivative.central();
    finding.left = derivative.left().value;
    finding.right = derivative.right().value;
    finding.verdict = judge(finding, derivative);
  }
  finding.evaluations = experiment.evaluations() - evaluations;
  std::tie(finding.refusals, finding.refusal) = experiment.take_refusals();
  return finding;
}

}  // namespace xgrad
