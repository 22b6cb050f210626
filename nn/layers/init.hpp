#pragma once

#include <autograd/ops/random.hpp>
#include <autograd/tensor/tensor.hpp>

namespace xgrad::nn::init {

// Initial values of parameters. Each function writes into the tensor, which keeps its dtype. Weights are (in, out), so
// fan_in is the first extent and fan_out the second: ShapeError for another rank or an extent of 0.

void zero(Tensor& x);
void constant(Tensor& x, double value);

/// Uniform on [low, high). ValueError unless low <= high.
void uniform(Tensor& x, double low, double high, Generator& generator = default_generator());

/// ValueError for a negative std.
void normal(Tensor& x, double mean, double std, Generator& generator = default_generator());

/// Which fan divides the variance of `xavier`.
enum class Fan {
  average,  ///< 2 gain² / (fan_in + fan_out): X. Glorot, Y. Bengio (2010), eq. 16
  in,       ///< gain² / fan_in: keeps the forward variance alone; the form that many lectures teach
};
struct XavierOptions {
  double gain = 1.0;
  Fan fan = Fan::average;
};
/// Mean 0 and the variance that `Fan` names; uniform on [-b, b) with b = √(3 variance). ValueError unless gain > 0.
void xavier_uniform(Tensor& weight, XavierOptions options = {}, Generator& generator = default_generator());
void xavier_normal(Tensor& weight, XavierOptions options = {}, Generator& generator = default_generator());

/// Mean 0, variance 2 / ((1 + slope²) fan_in), for layers before a relu or leaky relu of this slope: K. He, X. Zhang,
/// S. Ren, J. Sun (2015), eq. 15.
void he_uniform(Tensor& weight, double slope = 0.0, Generator& generator = default_generator());
void he_normal(Tensor& weight, double slope = 0.0, Generator& generator = default_generator());

/// gain · Q with Q uniform among the orthogonal matrices: WᵀW = gain² I when in >= out, W Wᵀ = gain² I when in <= out.
/// QR of a normal matrix with the signs of R's diagonal moved to Q: F. Mezzadri (2007). ValueError unless gain > 0.
void orthogonal(Tensor& weight, double gain = 1.0, Generator& generator = default_generator());

/// U(±1/√fan_in), the default of Linear, for the weight (in, out) or, with fan_in given, for its bias.
void linear_default(Tensor& x, std::int64_t fan_in, Generator& generator = default_generator());

/// The factor by which weights before an activation are larger so that its outputs keep their variance:
/// 1 for linear and sigmoid, 5/3 for tanh, √2 for relu, √(2 / (1 + slope²)) for leaky_relu.
enum class Activation { linear, sigmoid, tanh, relu, leaky_relu };
double gain(Activation activation, double slope = 0.01);

}  // namespace xgrad::nn::init
