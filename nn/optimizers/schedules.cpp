#include <autograd/tensor/format.hpp>
#include <nn/optimizers/schedules.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace xgrad::nn {

namespace {

template <class Number>
void require(bool good, const char* function, const char* what, Number value, const char* rule) {
  if (!good) throw_as<ValueError>("{}: {} {}; need {}", function, what, value, rule);
}

void require_not_negative(const char* function, const char* what, double value) {
  require(value >= 0 && std::isfinite(value), function, what, value, "a finite number >= 0");
}

void require_factor(const char* function, double factor) {
  require(factor > 0 && factor <= 1, function, "factor", factor, "0 < factor <= 1");
}

/// rate(t), where t is the step as a number, for steps that are not negative.
template <class Rate>
Schedule checked(const char* function, Rate rate) {
  return [function, rate = std::move(rate)](std::int64_t step) {
    require(step >= 0, function, "step", step, "step >= 0");
    return rate(step);
  };
}

}  // namespace

Schedule constant_rate(double rate) {
  require_not_negative("constant_rate", "rate", rate);
  return checked("constant_rate", [rate](std::int64_t) { return rate; });
}

Schedule step_decay(double rate, std::int64_t every, double factor) {
  require_not_negative("step_decay", "rate", rate);
  require(every >= 1, "step_decay", "every", every, "every >= 1");
  require_factor("step_decay", factor);
  return checked("step_decay",
                 [=](std::int64_t step) { return rate * std::pow(factor, static_cast<double>(step / every)); });
}

Schedule exponential_decay(double rate, double factor) {
  require_not_negative("exponential_decay", "rate", rate);
  require_factor("exponential_decay", factor);
  return checked("exponential_decay",
                 [=](std::int64_t step) { return rate * std::pow(factor, static_cast<double>(step)); });
}

Schedule inverse_time_decay(double rate, double decay) {
  require_not_negative("inverse_time_decay", "rate", rate);
  require_not_negative("inverse_time_decay", "decay", decay);
  return checked("inverse_time_decay",
                 [=](std::int64_t step) { return rate / (1 + decay * static_cast<double>(step)); });
}

Schedule cosine_decay(double rate, std::int64_t steps, double final_rate) {
  require_not_negative("cosine_decay", "rate", rate);
  require(steps >= 1, "cosine_decay", "steps", steps, "steps >= 1");
  require_not_negative("cosine_decay", "final_rate", final_rate);
  return checked("cosine_decay", [=](std::int64_t step) {
    if (step >= steps) return final_rate;
    const double angle = std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps);
    return final_rate + (rate - final_rate) * (1 + std::cos(angle)) / 2;
  });
}

Schedule warm_up(std::int64_t steps, Schedule schedule) {
  require(steps >= 0, "warm_up", "steps", steps, "steps >= 0");
  if (!schedule) throw ValueError("warm_up: the schedule is empty; need one to warm up to");
  return checked("warm_up", [steps, schedule = std::move(schedule)](std::int64_t step) {
    if (step >= steps) return schedule(step - steps);
    return schedule(0) * (static_cast<double>(step) + 1) / (static_cast<double>(steps) + 1);
  });
}

ReduceOnPlateau::ReduceOnPlateau(double rate, const PlateauOptions& options)
    : options_(options),
      rate_(rate),
      best_(options.better == Better::smaller ? std::numeric_limits<double>::infinity()
                                              : -std::numeric_limits<double>::infinity()) {
  constexpr const char* name = "ReduceOnPlateau";
  require_not_negative(name, "rate", rate);
  require(options.factor > 0 && options.factor < 1, name, "factor", options.factor, "0 < factor < 1");
  require(options.patience >= 0, name, "patience", options.patience, "patience >= 0");
  require_not_negative(name, "threshold", options.threshold);
  require(options.cooldown >= 0, name, "cooldown", options.cooldown, "cooldown >= 0");
  require_not_negative(name, "minimum_rate", options.minimum_rate);
  require_not_negative(name, "smallest_change", options.smallest_change);
}

bool ReduceOnPlateau::improves(double metric) const {
  const bool smaller = options_.better == Better::smaller;
  if (std::isinf(best_)) return smaller ? metric < best_ : metric > best_;
  const double margin = options_.relative ? options_.threshold * std::abs(best_) : options_.threshold;
  return smaller ? metric < best_ - margin : metric > best_ + margin;
}

double ReduceOnPlateau::observe(double metric) {
  if (improves(metric)) {
    best_ = metric;
    bad_ = 0;
  } else {
    ++bad_;
  }
  if (cooldown_ > 0) {
    --cooldown_;
    bad_ = 0;
  }
  if (bad_ > options_.patience) {
    const double lower = std::max(rate_ * options_.factor, options_.minimum_rate);
    if (rate_ - lower > options_.smallest_change) rate_ = lower;
    cooldown_ = options_.cooldown;
    bad_ = 0;
  }
  return rate_;
}

}  // namespace xgrad::nn
