#include <autograd/ops/activations.hpp>
#include <autograd/pointwise.hpp>

namespace xgrad {

// Comparisons are turned so that NaN takes the branch that hands it on.

Tensor sigmoid(const Tensor& x) {
  return pointwise(
      "sigmoid", [](auto a) { return sigmoid(a); }, x);
}

Tensor log_sigmoid(const Tensor& x) {
  return pointwise(
      "log_sigmoid", [](auto a) { return -softplus(-a); }, x);
}

Tensor softplus(const Tensor& x) {
  return pointwise(
      "softplus", [](auto a) { return softplus(a); }, x);
}

Tensor relu(const Tensor& x) {
  return pointwise(
      "relu", [](auto a) { return where(a <= 0, 0, a); }, x);
}

Tensor leaky_relu(const Tensor& x, double slope) {
  return pointwise(
      "leaky_relu", [slope](auto a) { return where(a > 0, a, slope * a); }, x);
}

Tensor prelu(const Tensor& x, const Tensor& slope) {
  return pointwise(
      "prelu", [](auto a, auto s) { return where(a > 0, a, s * a); }, x, slope);
}

Tensor elu(const Tensor& x, double alpha) {
  return pointwise(
      "elu", [alpha](auto a) { return where(a > 0, a, alpha * expm1(a)); }, x);
}

Tensor swish(const Tensor& x) {
  return pointwise(
      "swish", [](auto a) { return a * sigmoid(a); }, x);
}

Tensor hard_tanh(const Tensor& x) {
  return pointwise(
      "hard_tanh", [](auto a) { return where(a <= -1, -1, where(a >= 1, 1, a)); }, x);
}

}  // namespace xgrad
