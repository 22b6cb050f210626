#include <autograd/check/numerical_derivative.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace xgrad {

namespace {

constexpr std::size_t columns = 7;  // of a tableau
constexpr std::size_t quick_steps = 12;
constexpr std::size_t finite_steps = 40;  // of a thorough search
constexpr std::size_t all_steps = 80;
constexpr std::size_t noisy_steps = 4;  // smallest steps, from which the noise is measured

double power_of_two_below(double value) { return std::exp2(std::floor(std::log2(value))); }

std::vector<Quotient> column(const std::vector<Quotients>& ladder, Quotient Quotients::*side) {
  std::vector<Quotient> quotients;
  for (const Quotients& level : ladder) quotients.push_back(level.*side);
  return quotients;
}

/// The best extrapolated value that ends at each step, undefined where fewer than three steps in a row are finite.
/// `power`: the quotient's error is a series in step^power.
std::vector<Estimate> extrapolate(const std::vector<Quotient>& quotients, int power) {
  struct Entry {
    double value;
    double rounding;
  };
  std::vector<Estimate> best(quotients.size());
  std::vector<Entry> row, above;
  for (std::size_t k = 0; k < quotients.size(); ++k) {
    const Quotient& quotient = quotients[k];
    const bool follows = k > 0 && quotients[k - 1].step < 3 * quotient.step;
    above = follows ? std::exchange(row, {}) : std::vector<Entry>();
    row.clear();
    if (!std::isfinite(quotient.value)) continue;
    row.push_back({quotient.value, quotient.rounding});
    for (std::size_t p = 1; p <= std::min(above.size(), columns - 1); ++p) {
      const double factor = std::exp2(power * static_cast<int>(p));
      const Entry& fine = row[p - 1];
      const Entry& coarse = above[p - 1];
      const double value = fine.value + (fine.value - coarse.value) / (factor - 1);
      const double rounding = (factor * fine.rounding + coarse.rounding) / (factor - 1);
      const double error = std::max(std::abs(value - fine.value), std::abs(value - coarse.value)) + rounding;
      if (p >= 2 && error < best[k].error) best[k] = {value, error, quotient.step};
      row.push_back({value, rounding});
    }
  }
  return best;
}

/// The one of least error; with a veto, of those that no estimate from smaller steps contradicts.
Estimate of_least_error(const std::vector<Estimate>& estimates, bool veto) {
  Estimate best;
  for (auto one = estimates.begin(); one != estimates.end(); ++one) {
    const auto contradicts = [&one](const Estimate& smaller) {
      return smaller.defined() && std::abs(one->value - smaller.value) > one->error + 4 * smaller.error;
    };
    const bool better = one->defined() && one->error < best.error;
    if (better && !(veto && std::any_of(one + 1, estimates.end(), contradicts))) best = *one;
  }
  return best;
}

/// The last few finite quotients, next to which rounding is all that is left.
std::vector<Quotient> tail(const std::vector<Quotient>& quotients) {
  std::vector<Quotient> last;
  for (std::size_t k = quotients.size(); k-- > 0 && last.size() < noisy_steps + 1;)
    if (std::isfinite(quotients[k].value)) last.push_back(quotients[k]);
  return last;  // smallest step first
}

/// Whether f's difference stays the same while the step goes to 0.
bool is_jump(const std::vector<Quotient>& quotients) {
  const std::vector<Quotient> last = tail(quotients);
  if (last.size() <= noisy_steps) return false;
  const double jump = last[0].value * last[0].step;
  if (!(std::abs(jump) > 1e3 * last[0].rounding * last[0].step)) return false;
  return std::all_of(last.begin(), last.end(),
                     [&](const Quotient& q) { return std::abs(q.value * q.step - jump) <= 1e-3 * std::abs(jump); });
}

Estimate best_estimate(std::vector<Quotient> quotients, int power) {
  // Between two steps of h and 2h the quotient of a smooth function changes by O(h), which is nothing here.
  const std::vector<Quotient> last = tail(quotients);
  double noise = 0;
  for (std::size_t k = 0; k + 1 < last.size(); ++k)
    noise = std::max(noise, std::abs(last[k].value - last[k + 1].value) * last[k].step);
  for (Quotient& quotient : quotients) quotient.rounding = std::max(quotient.rounding, noise / quotient.step);
  return of_least_error(extrapolate(quotients, power), true);
}

}  // namespace

// Half the size of x to begin with is too far for most functions and 1/1000 loses digits. Where entries are zero or
// much smaller than their neighbours, those tell the scale; but not beyond 1, the scale of most functions in use.
NumericalDerivative::NumericalDerivative(Measure measure, double x, double typical)
    : measure_(std::move(measure)), x_(std::abs(x)) {
  double scale = std::max(x_, std::min(typical, 1.0));
  if (!(scale > 0)) scale = 1;
  first_step_ = power_of_two_below(scale) / 16;
  largest_step_ = power_of_two_below(std::max(x_, 1.0));
}

double NumericalDerivative::next_step() const {
  if (ladder_.empty()) return first_step_;
  const double step = ladder_.back().central.step;
  // Out of the domain on both or one side: the boundary is often 0.
  if (ladder_.size() >= 3 && x_ > 0 && step > x_ && !std::isfinite(ladder_.back().central.value))
    return power_of_two_below(x_) / 2;
  return step / 2;
}

const Quotients& NumericalDerivative::descend() {
  const double step = next_step();
  ladder_.push_back(measure_(step));
  return ladder_.back();
}

bool NumericalDerivative::quick(double wanted, double tolerance) {
  const Quotient first = descend().central;
  const double rounding = 8 * first.rounding;  // smaller steps and extrapolation multiply it
  if (rounding > wanted && first.step < largest_step_) {
    // This step leaves too few digits: begin with one as large as needed.
    const double factor = wanted > 0 ? std::exp2(std::min(60.0, std::ceil(std::log2(rounding / wanted)))) : 1e18;
    first_step_ = std::min(largest_step_, first.step * factor);
    ladder_.clear();
  }
  while (ladder_.size() < quick_steps) {
    const Quotient last = descend().central;
    central_ = of_least_error(extrapolate(column(ladder_, &Quotients::central), 2), false);
    if (central_.error <= wanted || last.rounding >= central_.error) break;
  }
  return central_.defined() && confirmed_far_below(tolerance);
}

bool NumericalDerivative::confirmed_far_below(double tolerance) const {
  // Not a power of two, or a periodic function might look the same at every step.
  constexpr double ratio = 3.0 / 512;
  const Quotients& near = ladder_.back();
  const Quotients far = measure_(near.central.step * ratio);
  if (!std::isfinite(far.central.value)) return false;
  const double curvature = std::abs(near.central.value - central_.value) * ratio * ratio;
  if (std::abs(far.central.value - central_.value) > tolerance + central_.error + far.central.rounding + 4 * curvature)
    return false;
  // Left and right slopes of a smooth function approach each other like the step.
  const double gap_near = std::abs(near.right.value - near.left.value);
  const double gap_far = std::abs(far.right.value - far.left.value);
  return gap_far <= 0.02 * gap_near + tolerance + 2 * (far.right.rounding + far.left.rounding);
}

void NumericalDerivative::thorough() {
  std::size_t finite = 0;
  while (ladder_.size() < all_steps && finite < finite_steps) {
    const double step = next_step();
    if (step < x_ * 0x1p-44 || step < std::numeric_limits<double>::min()) break;
    const Quotients& level = descend();
    finite += std::isfinite(level.central.value) || std::isfinite(level.left.value) || std::isfinite(level.right.value);
  }
  settle();
}

void NumericalDerivative::reconsider(double error_of_values) {
  for (Quotients& level : ladder_)
    for (Quotient* const quotient : {&level.left, &level.right, &level.central})
      quotient->rounding = std::max(quotient->rounding, 2 * error_of_values / quotient->step);
  settle();
}

void NumericalDerivative::settle() {
  jumps_ = false;
  const std::vector<Quotient> left = column(ladder_, &Quotients::left);
  const std::vector<Quotient> right = column(ladder_, &Quotients::right);
  const auto one_sided = [this](const std::vector<Quotient>& quotients) {
    if (!is_jump(quotients)) return best_estimate(quotients, 1);
    jumps_ = true;
    const Quotient last = tail(quotients).front();
    return Estimate{std::copysign(std::numeric_limits<double>::infinity(), last.value), 0, last.step};
  };
  left_ = one_sided(left);
  right_ = one_sided(right);
  central_ = best_estimate(column(ladder_, &Quotients::central), 2);
  if (jumps_) central_.value = std::numeric_limits<double>::infinity();
  // At the edge of its domain a function has the slope of the one side that is there.
  if (!central_.defined() && left_.defined() != right_.defined()) central_ = left_.defined() ? left_ : right_;
}

}  // namespace xgrad
