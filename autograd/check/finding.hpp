#pragma once

#include <autograd/check/experiment.hpp>
#include <autograd/check/gradient_check.hpp>
#include <autograd/check/numerical_derivative.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace xgrad {

/// One derivative to compare, and, once it has been examined, what was found. `analytical` is 0 if not reached.
struct Finding : GradientEntry {
  Move move;
  bool reached = true;  ///< whether the tape gives the tensor a gradient at all
  double rms = 0;       ///< of the tensor's gradient; along a direction its norm, the size of what is expected there
  double x = 0;         ///< the value that is moved
  double typical = 0;   ///< size of the tensor's values

  GradientVerdict verdict = GradientVerdict::ok;
  bool stairs = false;       ///< whether f's values climb in stairs, so that nothing is known to be 0
  std::size_t refusals = 0;  ///< how often f refused moved values
  std::string refusal;       ///< why, the last time

  /// Whether both values are 0 to within the numerical one's error.
  bool vanishes() const;
  /// Larger for what a reader should see first.
  std::pair<GradientVerdict, double> urgency() const;
};

/// An error relative to the largest of both values and the gradient's rms.
double relative(double error, const GradientEntry& entry, double rms);

/// Compares the derivative with the numerical one. here: the experiment's outputs where nothing is moved.
void examine(Finding& finding, Experiment& experiment, const std::vector<Tensor>& here,
             const GradientCheckOptions& options);

/// Fills a row from the findings about its tensor.
void conclude(GradientRow& row, std::span<const Finding> findings, const Tensor& gradient, int order);

}  // namespace xgrad
