#include <autograd/ops/activations.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tensor/error.hpp>

#include <algorithm>
#include <string>

namespace xgrad {

// Comparisons are turned so that NaN takes the branch that hands it on.

Tensor step(const Tensor& x, double at_zero) {
  static constexpr double flat[] = {0};
  const auto heaviside = [at_zero](auto a) {
    const auto s = sign(a);
    return where(s > 0, 1, where(s < 0, 0, where(s == 0, at_zero, s)));
  };
  return pointwise_with({.coefficients = flat, .bounds = {0, 1}}, "step", heaviside, x);
}

Tensor sigmoid(const Tensor& x) {
  return pointwise_with(
      {.bounds = {0, 1}}, "sigmoid", [](auto a) { return sigmoid(a); }, x);
}

Tensor log_sigmoid(const Tensor& x) {
  return pointwise_with(
      {.bounds = {.high = 0}}, "log_sigmoid", [](auto a) { return -softplus(-a); }, x);
}

Tensor softplus(const Tensor& x) {
  return pointwise_with(
      {.bounds = {.low = 0}}, "softplus", [](auto a) { return softplus(a); }, x);
}

Tensor relu(const Tensor& x) {
  return pointwise_with(
      {.derivative_of_result = true, .bounds = {.low = 0}}, "relu", [](auto a) { return where(a <= 0, 0, a); }, x);
}

Tensor leaky_relu(const Tensor& x, double slope) {
  return pointwise_with(
      {.derivative_of_result = slope >= 0}, "leaky_relu", [slope](auto a) { return where(a > 0, a, slope * a); }, x);
}

Tensor prelu(const Tensor& x, const Tensor& slope) {
  return pointwise_with(
      {.kind = OperationKind::activation}, "prelu", [](auto a, auto s) { return where(a > 0, a, s * a); }, x, slope);
}

Tensor elu(const Tensor& x, double alpha) {
  return pointwise_with(
      {.bounds = {.low = -std::max(alpha, 0.0)}}, "elu", [alpha](auto a) { return where(a > 0, a, alpha * expm1(a)); },
      x);
}

Tensor swish(const Tensor& x) {
  return pointwise(
      "swish", [](auto a) { return a * sigmoid(a); }, x);
}

Tensor hard_tanh(const Tensor& x) {
  return pointwise_with(
      {.derivative_of_result = true, .bounds = {-1, 1}}, "hard_tanh",
      [](auto a) { return where(a <= -1, -1, where(a >= 1, 1, a)); }, x);
}

Tensor maxout(const Tensor& x, std::int64_t pieces) {
  const Tensor* const inputs[] = {&x};
  common_floating_dtype("maxout", Inputs(inputs, 1));
  if (pieces < 1) throw ValueError("maxout: " + std::to_string(pieces) + " pieces; need at least one");
  if (x.rank() == 0 || x.shape().back() % pieces != 0)
    throw ShapeError("maxout: x is " + to_string(x.shape()) + "; need a last axis of " + std::to_string(pieces) +
                     " pieces of one length");
  Shape result = x.shape();
  result.back() /= pieces;
  const std::int64_t length = result.back();
  const auto rows = static_cast<std::int64_t>(length == 0 ? 0 : result.elements() / static_cast<std::size_t>(length));
  return reshape(max(reshape(x, {rows, pieces, length}), {1}), result);  // (rows, k, n) -> (rows, n)
}

}  // namespace xgrad
