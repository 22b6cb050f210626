#include <autograd/ops/activations.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/ops/softmax.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tensor/error.hpp>
#include <nn/layers/activations.hpp>

#include <cmath>
#include <string>

namespace xgrad::nn {

namespace {

double finite(const char* layer, const char* option, double value) {
  if (!std::isfinite(value))
    throw ValueError(std::string(layer) + ": " + option + " " + std::to_string(value) + "; need a finite number");
  return value;
}

}  // namespace

Tensor Identity::apply(const Tensor& x) const { return reshape(x, x.shape()); }
Tensor Step::apply(const Tensor& x) const { return step(x, at_zero); }
Tensor ReLU::apply(const Tensor& x) const { return relu(x); }
Tensor LeakyReLU::apply(const Tensor& x) const { return leaky_relu(x, slope); }
Tensor ELU::apply(const Tensor& x) const { return elu(x, alpha); }
Tensor HardTanh::apply(const Tensor& x) const { return hard_tanh(x); }
Tensor Softplus::apply(const Tensor& x) const { return softplus(x); }
Tensor LogSigmoid::apply(const Tensor& x) const { return log_sigmoid(x); }
Tensor Softmax::apply(const Tensor& x) const { return softmax(x, axis); }
Tensor LogSoftmax::apply(const Tensor& x) const { return log_softmax(x, axis); }

Swish::Swish(double factor) : beta(finite("Swish", "beta", factor)) {}

Tensor Swish::apply(const Tensor& x) const {
  if (beta == 1) return swish(x);
  return pointwise(
      "swish", [b = beta](auto a) { return a * sigmoid(b * a); }, x);
}

Sigmoid::Sigmoid(double steepness) : slope(finite("Sigmoid", "slope", steepness)) {}

Tensor Sigmoid::apply(const Tensor& x) const {
  if (slope == 1) return sigmoid(x);
  return pointwise(
      "sigmoid", [s = slope](auto a) { return sigmoid(s * a); }, x);
}

Tanh::Tanh(double steepness) : slope(finite("Tanh", "slope", steepness)) {}

Tensor Tanh::apply(const Tensor& x) const {
  if (slope == 1) return tanh(x);
  return pointwise(
      "tanh", [s = slope](auto a) { return tanh(s * a); }, x);
}

Maxout::Maxout(std::int64_t count) : pieces(count) {
  if (count < 1) throw ValueError("Maxout: " + std::to_string(count) + " pieces; need at least one");
}

Tensor Maxout::apply(const Tensor& x) const { return maxout(x, pieces); }

PReLU::PReLU(std::int64_t features, double initial_slope) {
  if (features < 1) throw ValueError("PReLU: " + std::to_string(features) + " slopes; need at least one");
  slope = parameter("slope", full({features}, initial_slope));
}

Tensor PReLU::apply(const Tensor& x) const {
  const std::int64_t features = slope.shape()[0];
  if (features != 1 && (x.rank() == 0 || x.shape().back() != features))
    throw ShapeError("prelu expects (…, " + std::to_string(features) + "), got " + to_string(x.shape()));
  return prelu(x, slope);
}

}  // namespace xgrad::nn
