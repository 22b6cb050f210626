#pragma once

#include <autograd/check/gradient_check.hpp>
#include <autograd/check/numerical_derivative.hpp>
#include <autograd/tape/tape.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad {

/// How a tensor is moved by a step h: one entry by h, or every entry by h times the direction's.
struct Move {
  std::size_t tensor = 0;
  std::size_t entry = 0;
  Tensor direction = {};  ///< 1 and -1; empty: the entry alone
  bool along_direction() const { return direction.defined(); }
};

/// A function of tensors that can be moved, and what is compared: for order 1 its value, for order n the gradients of
/// what order n - 1 compares, each weighted and summed to one number. The tensors are put back at the end.
class Experiment {
 public:
  /// dtype: that the tensors have, and the result must have.
  Experiment(GradientSubject subject, const GradientCheckOptions& options, DType dtype = float64);
  /// The same experiment on other tensors of equal values.
  Experiment(GradientSubject subject, const Experiment& like);
  Experiment(const Experiment&) = delete;
  Experiment& operator=(const Experiment&) = delete;
  ~Experiment();

  /// What the tape says: the gradient of `factor` times the weighted sum for every tensor, an empty handle if it is not
  /// reached.
  std::vector<Tensor> analytical(double factor = 1);
  /// The same of the sum of two calls of the function on one tape.
  std::vector<Tensor> analytical_of_two_calls();
  /// The outputs whose weighted sum is differentiated, for the tensors' present values.
  std::vector<Tensor> outputs();
  /// Turns to one derivative; `here` are the outputs where nothing is moved, and must live on. gradient: size of the
  /// tensor's, from which the effect of rounding moved values follows.
  void begin(const Move& move, const std::vector<Tensor>& here, double gradient);
  /// Quotients of the weighted sum along the move.
  Quotients quotients(double step);
  /// What the tape says of the derivative along the move, where the move has been made; NaN if the function refuses.
  double analytical_at(double step);
  /// Whether the function takes maxima or minima, whose gradient elements that tie share. Known after `analytical`.
  bool takes_extremes() const { return takes_extremes_; }
  /// Looks whether the values climb in stairs that are higher than their own rounding, as they do after a cancellation
  /// or a cast: how high, or 0. step: a distance over which they climb many.
  double stair_height(double step);
  /// Whether any weighted output is finite.
  bool any_finite(const std::vector<Tensor>& outputs) const;

  std::size_t evaluations() const { return evaluations_; }
  /// How often moved values were refused since the last call, and why the last time.
  std::pair<std::size_t, std::string> take_refusals() { return {std::exchange(refusals_, 0), refusal_}; }

 private:
  void mark_tensors();
  Tensor call();
  void set_up_weights(const Tensor& y);
  void check_tensors_unchanged() const;
  std::vector<Tensor> sweep(Tape& tape, const std::vector<Tensor>& results, const std::vector<Tensor>& weights,
                            double factor = 1, bool differentiable = false) const;
  std::vector<Tensor> derived(Tape& tape, bool differentiable);
  std::vector<Tensor> outputs_at(double step);
  long double weighted_sum(const std::vector<Tensor>& outputs) const;
  std::string what_moved() const;
  double moved(std::size_t i, double step) const;
  void write(double step);
  void note_affected(const std::vector<Tensor>& moved);
  Quotient quotient(const std::vector<Tensor>& low, const std::vector<Tensor>& high, double nominal,
                    double distance) const;

  const GradientSubject subject_;
  const GradientCheckOptions& options_;
  const DType dtype_;
  std::vector<Tensor> handles_;
  std::vector<Tensor> originals_;
  std::vector<bool> marked_;
  std::vector<std::uint32_t> versions_;
  Shape result_shape_;
  Tensor cotangent_;             // of f's result
  std::vector<Tensor> weights_;  // of the outputs
  Move move_;
  double rounding_of_moves_ = 0;
  const std::vector<Tensor>* here_ = nullptr;
  std::vector<std::vector<char>> affected_;  // which outputs the move has changed so far
  bool any_affected_ = false;
  bool takes_extremes_ = false;
  double step_ = 0;  // of the move; 0 while nothing is moved
  std::size_t evaluations_ = 0;
  std::size_t refusals_ = 0;
  std::string refusal_;
};

/// Root of the mean square and largest size of the finite entries; 0 for an empty handle.
struct Scale {
  double rms = 0;
  double largest = 0;
};
Scale scale_of(const Tensor& x);

Extents index_of(std::size_t entry, const Shape& shape);
bool same_bits(const Tensor& a, const Tensor& b);
bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b);

}  // namespace xgrad
