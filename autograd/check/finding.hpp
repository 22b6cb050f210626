#pragma once

#include <autograd/check/experiment.hpp>
#include <autograd/check/gradient_check.hpp>
#include <autograd/check/numerical_derivative.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace xgrad {

/// One derivative to compare: the tape's value, and the size of the gradient that errors are relative to.
struct Comparison {
  Move move;
  bool reached = true;    ///< whether the tape gives the tensor a gradient at all
  double analytical = 0;  ///< 0 if not reached
  double rms = 0;         ///< of the tensor's gradient; along a direction its norm, the size of what is expected there
  double x = 0;           ///< the value that is moved
  double typical = 0;     ///< size of the tensor's values
};

/// What was found out about it.
struct Finding {
  Move move;
  GradientVerdict verdict = GradientVerdict::ok;
  double analytical = 0;
  double rms = 0;
  double tolerance = 0;
  double noise_limit = 0;
  Slope numerical;
  double left = GradientEntry::unknown;
  double right = GradientEntry::unknown;
  std::size_t evaluations = 0;
  std::size_t refusals = 0;
  std::string refusal;

  double difference() const;
  /// Whether both values are 0 to within the numerical one's error.
  bool vanishes() const;
  /// Larger for what a reader should see first.
  std::pair<GradientVerdict, double> urgency() const;
  GradientEntry entry(const Shape& shape) const;
};

/// here: the experiment's outputs where nothing is moved.
Finding examine(const Comparison& comparison, Experiment& experiment, const std::vector<Tensor>& here,
                const GradientCheckOptions& options);

}  // namespace xgrad
