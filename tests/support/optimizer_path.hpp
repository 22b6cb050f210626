#pragma once

#include <autograd/tape/gradients.hpp>
#include <autograd/tensor/creation.hpp>
#include <nn/optimizers/adam.hpp>

#include <cmath>
#include <vector>

#include "tests/support/expect.hpp"

namespace optimizer_path {

using namespace xgrad;

/// θ after each step from θ = 1, in float64, with these gradients.
template <class Optimizer, class Options>
std::vector<double> path(const Options& options, const std::vector<double>& gradients) {
  const DefaultDType scope(float64);
  const Tensor parameter = expect::leaf(tensor({1.0}));
  Optimizer optimizer({parameter}, options);
  std::vector<double> result;
  for (const double g : gradients) {
    Gradients step;
    step.set(parameter, tensor({g}));
    optimizer.step(step);
    result.push_back(parameter.item());
  }
  return result;
}

inline Gradients gradient_of(const Tensor& parameter, const Tensor& gradient) {
  Gradients gradients;
  gradients.set(parameter, gradient);
  return gradients;
}

/// Kingma and Ba's (2015) algorithm 1 on numbers, with either kind of weight decay.
struct ScalarAdam {
  nn::AdamOptions options;
  bool decoupled = false;
  double m = 0, v = 0;
  int t = 0;

  void step(double& x, double gradient) {
    ++t;
    if (decoupled) x -= options.learning_rate * options.weight_decay * x;
    const double g = decoupled ? gradient : gradient + options.weight_decay * x;
    m = options.beta1 * m + (1 - options.beta1) * g;
    v = options.beta2 * v + (1 - options.beta2) * std::pow(g, 2);
    const double m_hat = m / (1 - std::pow(options.beta1, t));
    const double v_hat = v / (1 - std::pow(options.beta2, t));
    x -= options.learning_rate * m_hat / (std::sqrt(v_hat) + options.epsilon);
  }
};

}  // namespace optimizer_path
