#pragma once

#include <autograd/gradients.hpp>
#include <autograd/tensor.hpp>

#include <vector>

namespace xgrad::nn {

struct SGDOptions {
  double learning_rate = 0.01;
  double momentum = 0.0;
  double dampening = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;
};

/// Stochastic gradient descent, as PyTorch 1.13 defines it. With g the gradient plus weight_decay · θ:
///
///     v ← g on a parameter's first step, then momentum · v + (1 - dampening) · g
///     θ ← θ - learning_rate · v, or with Nesterov's momentum θ - learning_rate · (g + momentum · v)
///
/// The lectures' Δθ = -η g + α Δθ_previous is the same for a constant rate. Parameters are written in place.
class SGD {
 public:
  /// ValueError for no parameters, one that is listed twice, negative or non-finite numbers, Nesterov's momentum
  /// without momentum or with dampening; TypeError for int64.
  SGD(std::vector<Tensor> parameters, const SGDOptions& options = {});

  /// One step. Parameters that are absent from the gradients are left alone, with their velocity. Everything is checked
  /// before anything is written: TypeError for a parameter whose dtype changed since the optimizer was made.
  void step(const Gradients& gradients);

  const std::vector<Tensor>& parameters() const { return parameters_; }
  const SGDOptions& options() const { return options_; }
  double learning_rate() const { return options_.learning_rate; }
  /// ValueError unless finite and not negative.
  void learning_rate(double rate);

  /// The velocities, one for each parameter in order, empty handles before its first step: what must be saved beside
  /// the parameters to go on later.
  const std::vector<Tensor>& velocities() const { return velocities_; }
  /// Copies of these take their place. ShapeError, TypeError or ValueError for what does not fit the parameters.
  void velocities(const std::vector<Tensor>& values);

 private:
  std::vector<Tensor> parameters_;
  std::vector<DType> dtypes_;
  std::vector<Tensor> velocities_;
  SGDOptions options_;
};

}  // namespace xgrad::nn
