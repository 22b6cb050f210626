#include <autograd/check/finding.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace xgrad {

namespace {

GradientVerdict judge(const Finding& finding, const NumericalDerivative& derivative, double noise_limit) {
  if (derivative.jumps()) return GradientVerdict::kink;  // any slope is as good as another
  if (!std::isfinite(finding.numerical)) return GradientVerdict::non_finite;
  const Estimate& left = derivative.left();
  const Estimate& right = derivative.right();
  // A function may refuse the values of one side; NaN there is no edge of a domain.
  if (left.defined() != right.defined() && finding.refusals == 0) return GradientVerdict::non_finite;
  const double slack = finding.tolerance + 2 * (left.error + right.error);
  if (left.defined() && right.defined() && std::abs(right.value - left.value) > slack) {
    const auto [low, high] = std::minmax(left.value, right.value);
    const bool between = finding.analytical >= low - slack && finding.analytical <= high + slack;
    return between ? GradientVerdict::kink : GradientVerdict::wrong;
  }
  if (finding.absolute_error > finding.tolerance + 2 * finding.noise) return GradientVerdict::wrong;
  return finding.noise > noise_limit ? GradientVerdict::inconclusive : GradientVerdict::ok;
}

void set_numerical(Finding& finding, const Estimate& estimate) {
  finding.numerical = estimate.value;
  finding.noise = estimate.error;
  finding.step = estimate.step;
  finding.absolute_error = std::abs(finding.numerical - finding.analytical);
  finding.relative_error = relative(finding.absolute_error, finding, finding.rms);
}

}  // namespace

double relative(double error, const GradientEntry& entry, double rms) {
  return error == 0 ? 0 : error / std::max({std::abs(entry.analytical), std::abs(entry.numerical), rms});
}

bool Finding::vanishes() const { return std::abs(numerical) <= 2 * noise && std::abs(analytical) <= noise; }

std::pair<GradientVerdict, double> Finding::urgency() const {
  const double excess = verdict == GradientVerdict::inconclusive ? relative(noise, *this, rms) : relative_error;
  return {verdict, std::isnan(excess) ? std::numeric_limits<double>::infinity() : excess};
}

namespace {

/// Takes over what thorough differences have shown.
void set_thorough(Finding& finding, const NumericalDerivative& derivative) {
  set_numerical(finding, derivative.central());
  finding.left = derivative.left().value;
  finding.right = derivative.right().value;
}

/// Whether the gradient is right on both sides, where elements of a maximum that tie here do not: the function is
/// smooth, and a gradient that ties share is not its derivative.
bool is_tie(const Finding& finding, Experiment& experiment) {
  if (!experiment.takes_extremes() ||
      !(std::abs(finding.right - finding.left) <= finding.tolerance + 2 * finding.noise))
    return false;
  const double step =
      std::exp2(std::floor(std::log2(std::max({std::abs(finding.x), finding.typical, 0x1p-10})))) * 0x1p-20;
  const double below = experiment.analytical_at(-step), above = experiment.analytical_at(step);
  const double slack = finding.tolerance + 2 * finding.noise + std::abs(above - below);
  return std::abs((below + above) / 2 - finding.numerical) <= slack;
}

}  // namespace

void examine(Finding& finding, Experiment& experiment, const std::vector<Tensor>& here,
             const GradientCheckOptions& options) {
  constexpr double wanted = 1e-9;  // error of a numerical value, if that is cheap
  const bool finite = std::isfinite(finding.analytical);
  const double size = std::max(finite ? std::abs(finding.analytical) : 0, finding.rms);
  finding.tolerance = options.tolerance * size;

  const auto note_refusals = [&] {
    auto [times, why] = experiment.take_refusals();
    finding.refusals += times;
    if (times > 0) finding.refusal = std::move(why);
  };
  experiment.begin(finding.move, here, finding.rms);
  NumericalDerivative derivative([&](double step) { return experiment.quotients(step); }, finding.x, finding.typical);
  const bool smooth = derivative.quick(wanted * size, finding.tolerance);
  set_numerical(finding, derivative.central());
  const bool agrees =
      (finding.noise <= finding.tolerance && finding.absolute_error <= finding.tolerance + finding.noise) ||
      (finding.tolerance == 0 && finding.absolute_error == 0);  // the whole gradient is 0
  if (!finite) {
    finding.verdict = GradientVerdict::non_finite;
  } else if (!smooth || (finding.reached && !agrees)) {
    derivative.thorough();
    set_thorough(finding, derivative);
    note_refusals();
    const double noise_limit = options.noise_limit * size;
    finding.verdict = judge(finding, derivative, noise_limit);
    if (finding.verdict == GradientVerdict::wrong || derivative.jumps()) {
      double height = experiment.stair_height(derivative.first_step());
      if (height == 0) height = experiment.stair_height(derivative.largest_step());
      finding.stairs = height > 0;
      if (finding.stairs) {
        derivative.reconsider(height);
        set_thorough(finding, derivative);
        finding.verdict = judge(finding, derivative, noise_limit);
        if (finding.verdict < GradientVerdict::inconclusive) finding.verdict = GradientVerdict::inconclusive;
      }
    }
    if (finding.verdict == GradientVerdict::wrong && is_tie(finding, experiment))
      finding.verdict = GradientVerdict::kink;
  }
  note_refusals();
}

void conclude(GradientRow& row, std::span<const Finding> findings, const Tensor& gradient, int order) {
  constexpr std::size_t listed = 3;
  bool all_vanish = true;
  double noise = 0;
  std::size_t refusals = 0;
  std::string refusal;
  std::vector<const Finding*> worst;
  for (const Finding& finding : findings) {
    row.directional = row.directional || finding.direction;
    row.entries += !finding.direction;
    all_vanish = all_vanish && finding.verdict != GradientVerdict::kink && !finding.stairs && finding.vanishes();
    noise = std::max(noise, finding.noise);
    const double size = std::abs(finding.numerical);
    if (std::isfinite(size) && size > 2 * finding.noise) row.largest = std::max(row.largest, size);
    if (finding.refusals > 0) refusal = finding.refusal;
    refusals += finding.refusals;
    worst.push_back(&finding);
  }
  std::stable_sort(worst.begin(), worst.end(),
                   [](const Finding* a, const Finding* b) { return a->urgency() > b->urgency(); });
  if (!worst.empty()) {
    static_cast<GradientEntry&>(row) = *worst[0];
    row.verdict = worst[0]->verdict;
    for (const Finding* finding : worst) {
      if (row.verdict == GradientVerdict::ok || finding->verdict != row.verdict) break;
      if (row.failed++ > 0 && row.others.size() + 1 < listed) row.others.push_back(*finding);
    }
  }
  const bool reached = gradient.defined();
  if (!reached || (all_vanish && scale_of(gradient).largest <= noise)) {
    // A function that is linear has no second derivative on the tape, and needs none.
    row.verdict = reached || (order > 1 && row.largest == 0) ? GradientVerdict::zero : GradientVerdict::unreachable;
    row.others.clear();
  }
  if (refusals > 0) row.note = fmt::format("the function refused moved values {} times: {}", refusals, refusal);
}

}  // namespace xgrad
