#include <autograd/ops/activations.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>

namespace xgrad {

namespace {

/// The function last, where it reads best.
template <class F>
Tensor map(const char* name, const Tensor& x, F f, const PointwiseHints& hints = {}) {
  return pointwise_with(hints, name, f, x);
}

}  // namespace

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
  return map("sigmoid", x, [](auto a) { return sigmoid(a); }, {.bounds = {0, 1}});
}
Tensor log_sigmoid(const Tensor& x) {
  return map("log_sigmoid", x, [](auto a) { return -softplus(-a); }, {.bounds = {.high = 0}});
}
Tensor softplus(const Tensor& x) {
  return map("softplus", x, [](auto a) { return softplus(a); }, {.bounds = {.low = 0}});
}
Tensor elu(const Tensor& x) { return elu(x, 1); }

Tensor swish(const Tensor& x) {
  return map("swish", x, [](auto a) { return swish(a); });
}

Tensor elu(const Tensor& x, double alpha) {
  const auto negative = [alpha](auto a) {
    return with_derivative([alpha](auto b) { return alpha * expm1(b); },
                           [alpha](auto b) { return scaled_exp(alpha, b); }, a);
  };
  return map("elu", x, [negative](auto a) { return where(a > 0, a, negative(a)); },
             {.bounds = {.low = -static_cast<float>(std::max(alpha, 0.0))}});
}

Tensor relu(const Tensor& x) {
  return pointwise_with(
      {.derivative_of_result = true, .bounds = {.low = 0}}, "relu", [](auto a) { return where(a <= 0, 0, a); }, x);
}

Tensor leaky_relu(const Tensor& x, double slope) {
  return pointwise_with(
      {.derivative_of_result = slope >= 0}, "leaky_relu", [slope](auto a) { return where(a > 0, a, slope * a); }, x);
}

Tensor leaky_relu(const Tensor& x) { return leaky_relu(x, 0.01); }

Tensor prelu(const Tensor& x, const Tensor& slope) {
  return pointwise_with(
      {.kind = OperationKind::activation}, "prelu", [](auto a, auto s) { return where(a > 0, a, s * a); }, x, slope);
}

Tensor mish(const Tensor& x) {
  return pointwise_with(
      {.bounds = {.low = -0.30884344f}}, "mish", [](auto a) { return mish(a); }, x);
}

Tensor hard_tanh(const Tensor& x) {
  return pointwise_with(
      {.derivative_of_result = true, .bounds = {-1, 1}}, "hard_tanh",
      [](auto a) { return where(a <= -1, -1, where(a >= 1, 1, a)); }, x);
}

Tensor maxout(const Tensor& x, std::int64_t pieces) {
  common_floating_dtype("maxout", x);
  if (pieces < 1) throw_as<ValueError>("maxout: {} pieces; need at least one", pieces);
  if (x.rank() == 0 || x.shape().back() % pieces != 0)
    throw_as<ShapeError>("maxout: x is {}; need a last axis of {} pieces of one length", x.shape(), pieces);
  Shape result = x.shape();
  result.back() /= pieces;
  const std::size_t length = result.extent(result.rank() - 1);
  const auto rows = static_cast<std::int64_t>(length == 0 ? 0 : result.elements() / length);
  return reshape(max(reshape(x, {rows, pieces, result.back()}), {1}), result);  // (rows, k, n) -> (rows, n)
}

}  // namespace xgrad
