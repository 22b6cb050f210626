#pragma once

#include <autograd/gradient_check.hpp>
#include <autograd/numerical_derivative.hpp>
#include <autograd/tape.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad {

/// A function of tensors that can be moved entry by entry, and what is compared: for order 1 its value, for order 2 its
/// gradients, each weighted and summed to one number.
class Experiment {
 public:
  Experiment(const std::function<Tensor()>& f, const NamedTensors& tensors, const GradientCheckOptions& options);
  Experiment(const Experiment&) = delete;
  Experiment& operator=(const Experiment&) = delete;
  ~Experiment();

  /// What the tape says: the gradient of the weighted sum for every tensor, an empty handle if it is not reached.
  std::vector<Tensor> analytical();
  /// The outputs whose weighted sum is differentiated, for the tensors' present values.
  std::vector<Tensor> outputs();
  /// Turns to one entry; `here` are the outputs where nothing is moved, and must live on.
  void begin_entry(std::size_t tensor, std::size_t entry, const std::vector<Tensor>& here);
  /// Quotients of the weighted sum along the entry.
  Quotients quotients(double step);
  /// Whether any weighted output is finite.
  bool any_finite(const std::vector<Tensor>& outputs) const;

  std::size_t evaluations() const { return evaluations_; }
  /// How often moved values were refused since the last call, and why at last.
  std::pair<std::size_t, std::string> take_refusals() { return {std::exchange(refusals_, 0), refusal_}; }

 private:
  Tensor call();
  void check_tensors_unchanged() const;
  std::vector<Tensor> gradients_of(Tape& tape, const Tensor& y, bool differentiable) const;
  std::vector<Tensor> outputs_at(double value, const char* direction);
  void write(double value);
  void note_affected(const std::vector<Tensor>& moved);
  Quotient quotient(const std::vector<Tensor>& low, const std::vector<Tensor>& high, double nominal,
                    double distance) const;

  const std::function<Tensor()>& f_;
  const NamedTensors& tensors_;
  const GradientCheckOptions& options_;
  std::vector<Tensor> handles_;
  std::vector<Tensor> originals_;
  std::vector<bool> marked_;
  std::vector<std::uint32_t> versions_;
  Shape result_shape_;
  Tensor cotangent_;             // of f's result
  std::vector<Tensor> weights_;  // of the outputs
  std::size_t tensor_ = 0;
  std::size_t entry_ = 0;
  const std::vector<Tensor>* here_ = nullptr;
  std::vector<std::vector<char>> affected_;  // which outputs the entry has changed so far
  bool any_affected_ = false;
  std::string moving_;  // which entry is moved, for messages; empty while none is
  std::size_t evaluations_ = 0;
  std::size_t refusals_ = 0;
  std::string refusal_;
};

Extents index_of(std::size_t entry, const Shape& shape);
bool same_bits(const Tensor& a, const Tensor& b);
bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b);

}  // namespace xgrad
