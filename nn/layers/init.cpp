#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/linear_algebra.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/init.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>

namespace xgrad::nn::init {

namespace {

struct Fans {
  double in;
  double out;
};

Fans fans_of(const char* function, const Tensor& weight) {
  check_defined(function, "the weight", weight);
  const Shape& shape = weight.shape();
  if (shape.rank() != 2 || shape[0] < 1 || shape[1] < 1)
    throw_as<ShapeError>("{}: the weight is {}; need (in, out) with at least one of each", function, shape);
  if (!is_floating(weight.dtype())) throw_as<TypeError>("{}: the weight is int64; need float32 or float64", function);
  return {static_cast<double>(shape[0]), static_cast<double>(shape[1])};
}

void require_positive_gain(const char* function, double gain) {
  if (!(gain > 0.0) || std::isinf(gain)) throw_as<ValueError>("{}: gain is {}; need a number above 0", function, gain);
}

double relu_gain(const char* function, double slope) {
  if (std::isnan(slope)) throw_as<ValueError>("{}: slope is nan; need a number", function);
  return std::sqrt(2.0 / (1.0 + slope * slope));
}

double xavier_variance(const char* function, const Tensor& weight, const XavierOptions& options) {
  require_positive_gain(function, options.gain);
  const Fans fans = fans_of(function, weight);
  return options.gain * options.gain * (options.fan == Fan::in ? 1.0 / fans.in : 2.0 / (fans.in + fans.out));
}

double he_variance(const char* function, const Tensor& weight, double slope) {
  const double gain = relu_gain(function, slope);
  return gain * gain / fans_of(function, weight).in;
}

/// U(-b, b) has the variance b²/3.
void uniform_of_variance(Tensor& x, double variance, Generator& generator) {
  const double bound = std::sqrt(3.0 * variance);
  uniform(x, -bound, bound, generator);
}

}  // namespace

void zero(Tensor& x) {
  check_defined("zero", "the tensor", x);
  constant(x, 0.0);
}

void constant(Tensor& x, double value) {
  check_defined("constant", "the tensor", x);
  x.assign(full(x.shape(), value, x.dtype()));
}

void uniform(Tensor& x, double low, double high, Generator& generator) {
  check_defined("uniform", "the tensor", x);
  x.assign(xgrad::uniform(x.shape(), low, high, x.dtype(), generator));
}

void normal(Tensor& x, double mean, double std, Generator& generator) {
  check_defined("normal", "the tensor", x);
  x.assign(xgrad::normal(x.shape(), mean, std, x.dtype(), generator));
}

void xavier_uniform(Tensor& weight, XavierOptions options, Generator& generator) {
  uniform_of_variance(weight, xavier_variance("xavier_uniform", weight, options), generator);
}

void xavier_normal(Tensor& weight, XavierOptions options, Generator& generator) {
  normal(weight, 0.0, std::sqrt(xavier_variance("xavier_normal", weight, options)), generator);
}

void he_uniform(Tensor& weight, double slope, Generator& generator) {
  uniform_of_variance(weight, he_variance("he_uniform", weight, slope), generator);
}

void he_normal(Tensor& weight, double slope, Generator& generator) {
  normal(weight, 0.0, std::sqrt(he_variance("he_normal", weight, slope)), generator);
}

void orthogonal(Tensor& weight, double gain, Generator& generator) {
  require_positive_gain("orthogonal", gain);
  fans_of("orthogonal", weight);
  const auto [rows, columns] = std::minmax({weight.shape(0), weight.shape(1)}, std::greater<>());
  // In float64 for both dtypes, so that float32 only rounds the result.
  const Tensor q = orthonormal_factor(xgrad::normal({rows, columns}, 0.0, 1.0, float64, generator));
  weight.assign((gain * (rows == weight.shape(0) ? q : transpose(q))).to(weight.dtype()));
}

void linear_default(Tensor& x, std::int64_t fan_in, Generator& generator) {
  check_defined("linear_default", "the tensor", x);
  if (!is_floating(x.dtype())) throw TypeError("linear_default: the tensor is int64; need float32 or float64");
  if (fan_in < 1) throw_as<ValueError>("linear_default: fan_in is {}; need at least 1", fan_in);
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  uniform(x, -bound, bound, generator);
}

double gain(Activation activation, double slope) {
  switch (activation) {
    case Activation::linear:
    case Activation::sigmoid:
      return 1.0;
    case Activation::tanh:
      return 5.0 / 3.0;
    case Activation::relu:
      return std::numbers::sqrt2;
    case Activation::leaky_relu:
      return relu_gain("gain", slope);
  }
  throw ValueError("gain: no such activation");
}

}  // namespace xgrad::nn::init
