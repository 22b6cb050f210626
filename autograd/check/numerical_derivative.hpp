#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <vector>

namespace xgrad {

/// A derivative from differences, with what is known about its error: truncation and rounding together.
struct Estimate {
  double value = std::numeric_limits<double>::quiet_NaN();
  double error = std::numeric_limits<double>::infinity();
  double step = 0;  ///< the smallest step that it was made from

  /// Whether the function had finite values to make it from.
  bool defined() const { return step > 0; }
};

/// A difference quotient of one step. `rounding` is the error that rounding alone may bring; the value is NaN where the
/// function is not finite.
struct Quotient {
  double step = 0;
  double value = 0;
  double rounding = 0;
};

/// The quotients (f(x) - f(x-h))/h, (f(x+h) - f(x))/h and (f(x+h) - f(x-h))/2h.
struct Quotients {
  Quotient left;
  Quotient right;
  Quotient central;
};

/// The derivative of a function of one number at a point, from its values on a ladder of steps h, h/2, h/4, ...
///
/// Central quotients are extrapolated to h = 0 in Neville's scheme, each column of which removes one more even power of
/// h (C. J. F. Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", 1982); three steps make a 6-point stencil. The
/// error of an extrapolated value is at most about its distance to the two values that it was made from, plus their
/// rounding errors; the estimate with the least sum is taken. Smaller steps have a veto: an estimate that contradicts
/// them, because a kink lies within its reach, is out.
class NumericalDerivative {
 public:
  using Measure = std::function<Quotients(double step)>;

  /// x: the point. typical: the size of values like it, which together with x sets the first step.
  NumericalDerivative(Measure measure, double x, double typical);

  /// Goes down only until the error is at most `wanted`, then looks once far below. True if nothing hints at a kink, or
  /// at a function that changes on a smaller scale, that matters by more than `tolerance`.
  bool quick(double wanted, double tolerance);
  /// Goes down as far as rounding permits; measures the function's noise there and counts it in. Fills left and right.
  void thorough();
  /// The same once more, for a function whose every value may be off by so much.
  void reconsider(double error_of_values);

  const Estimate& central() const& { return central_; }
  Estimate central() const&& { return central_; }
  /// One-sided slopes, infinite at a jump. Undefined before `thorough`.
  const Estimate& left() const& { return left_; }
  Estimate left() const&& { return left_; }
  const Estimate& right() const& { return right_; }
  Estimate right() const&& { return right_; }
  /// Where the steps began, and the largest that there may be.
  double first_step() const { return first_step_; }
  double largest_step() const { return largest_step_; }
  /// Whether the function is discontinuous at the point. Known after `thorough`.
  bool jumps() const { return jumps_; }

 private:
  const Quotients& descend();
  double next_step() const;
  bool confirmed_far_below(double tolerance) const;
  void settle();

  Measure measure_;
  double x_;
  double first_step_;
  double largest_step_;
  std::vector<Quotients> ladder_;  // every step half of the one before, but for gaps outside of the domain
  Estimate central_, left_, right_;
  bool jumps_ = false;
};

}  // namespace xgrad
