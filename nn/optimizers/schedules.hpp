#pragma once

#include <cstdint>
#include <functional>

namespace xgrad::nn {

/// A learning rate η(t) for step t = 0, 1, 2, ... (or epoch: whatever is counted). ValueError for a negative t.
///
///     const nn::Schedule rate = nn::warm_up(500, nn::cosine_decay(0.1, 20000));
///     optimizer.learning_rate(rate(optimizer.steps()));  // before each step
using Schedule = std::function<double(std::int64_t step)>;

// All throw ValueError for rates that are negative or not finite, and for what is said of the other numbers.

/// η(t) = rate.
Schedule constant_rate(double rate);

/// η(t) = rate · factor^⌊t / every⌋. every >= 1, 0 < factor <= 1.
Schedule step_decay(double rate, std::int64_t every, double factor = 0.1);

/// η(t) = rate · factor^t. 0 < factor <= 1.
Schedule exponential_decay(double rate, double factor);

/// η(t) = rate / (1 + decay · t): "1/t" (Robbins and Monro 1951). decay >= 0.
Schedule inverse_time_decay(double rate, double decay);

/// η(t) = final_rate + (rate - final_rate) · (1 + cos(π t / steps)) / 2 for t < steps, then final_rate: Loshchilov and
/// Hutter (2017), eq. 5, without restarts. steps >= 1.
Schedule cosine_decay(double rate, std::int64_t steps, double final_rate = 0.0);

/// η(t) = schedule(0) · (t + 1) / (steps + 1) for t < steps, then schedule(t - steps): a linear rise without a step of
/// rate 0 (Goyal et al. 2017, section 2.2). steps >= 0; the schedule is not empty.
Schedule warm_up(std::int64_t steps, Schedule schedule);

/// Whether a smaller or a larger metric is better.
enum class Better : bool { smaller, larger };

/// The defaults are PyTorch 1.13's.
struct PlateauOptions {
  double factor = 0.1;         ///< the rate is multiplied by, 0 < factor < 1
  std::int64_t patience = 10;  ///< metrics in a row without improvement that are tolerated
  double threshold = 1e-4;     ///< improvement that counts, relative to the best metric or absolute
  bool relative = true;
  std::int64_t cooldown = 0;  ///< metrics after a reduction during which nothing is counted
  double minimum_rate = 0.0;
  double smallest_change = 1e-8;  ///< a smaller reduction is skipped
  Better better = Better::smaller;
};

/// Lowers the rate when a metric has stopped improving, as PyTorch 1.13's ReduceLROnPlateau does, but for negative
/// metrics. A metric m improves on the best one, b, if m < b - threshold · |b| (relative) or m < b - threshold; for
/// larger ones m > b + threshold · |b| or m > b + threshold (PyTorch has b in place of |b|, by which a constant
/// negative metric improves for ever). NaN is no improvement. After more than `patience` metrics in a row without
/// improvement
///
///     rate ← max(factor · rate, minimum_rate)
class ReduceOnPlateau {
 public:
  /// ValueError for a rate or minimum that is negative or not finite, a factor outside (0, 1), and negative numbers.
  explicit ReduceOnPlateau(double rate, const PlateauOptions& options = {});

  /// Takes the next metric, say an epoch's validation loss, and returns the rate to go on with.
  double observe(double metric);

  double rate() const { return rate_; }
  double best() const { return best_; }

  /// What it has learned of the metrics: what must be saved to go on later.
  struct State {
    double rate;
    double best;
    std::int64_t bad;
    std::int64_t cooldown;
  };
  State state() const { return {rate_, best_, bad_, cooldown_}; }
  void state(const State& values) {
    rate_ = values.rate;
    best_ = values.best;
    bad_ = values.bad;
    cooldown_ = values.cooldown;
  }

 private:
  bool improves(double metric) const;

  PlateauOptions options_;
  double rate_;
  double best_;
  std::int64_t bad_ = 0;       // metrics since the last improvement
  std::int64_t cooldown_ = 0;  // metrics that are still not counted
};

}  // namespace xgrad::nn
