#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tensor/error.hpp>

#include <cmath>
#include <string>

namespace xgrad {

namespace {

constexpr double plus_plus[] = {1.0, 1.0};
constexpr double plus_minus[] = {1.0, -1.0};
constexpr double minus_only[] = {-1.0};

}  // namespace

Tensor neg(const Tensor& x) {
  return pointwise_with(
      {.coefficients = minus_only, .kind = OperationKind::linear}, "neg", [](auto a) { return -a; }, x);
}

Tensor add(const Tensor& x, const Tensor& y) {
  return pointwise_with(
      {.coefficients = plus_plus, .kind = OperationKind::linear}, "add", [](auto a, auto b) { return a + b; }, x, y);
}

Tensor sub(const Tensor& x, const Tensor& y) {
  return pointwise_with(
      {.coefficients = plus_minus, .kind = OperationKind::linear}, "sub", [](auto a, auto b) { return a - b; }, x, y);
}

Tensor mul(const Tensor& x, const Tensor& y) {
  return pointwise_with(
      {.kind = OperationKind::product}, "mul", [](auto a, auto b) { return a * b; }, x, y);
}

Tensor div(const Tensor& x, const Tensor& y) {
  return pointwise_with(
      {.kind = OperationKind::product}, "div", [](auto a, auto b) { return a / b; }, x, y);
}

Tensor pow(const Tensor& x, const Tensor& y) {
  return pointwise(
      "pow", [](auto a, auto b) { return pow(a, b); }, x, y);
}

Tensor pow(const Tensor& x, double y) {
  if (y == 2.0) return square(x);
  if (y == 0.5) return sqrt(x);
  return pow(x, constant_like(x, y));
}

Tensor maximum(const Tensor& x, const Tensor& y) {
  // Unordered: the sum is NaN if either is.
  return pointwise(
      "maximum", [](auto a, auto b) { return where(a > b, a, where(b > a, b, where(a == b, tie(a, b), a + b))); }, x,
      y);
}

Tensor minimum(const Tensor& x, const Tensor& y) {
  return pointwise(
      "minimum", [](auto a, auto b) { return where(a < b, a, where(b < a, b, where(a == b, tie(a, b), a + b))); }, x,
      y);
}

Tensor clamp(const Tensor& x, double low, double high) {
  if (!(low <= high))
    throw ValueError("clamp: bounds " + std::to_string(low) + " and " + std::to_string(high) + "; need low <= high");
  return pointwise(
      "clamp", [low, high](auto a) { return where(a < low, low, where(a > high, high, a)); }, x);
}

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y) {
  return pointwise_with(
      {.saved = Which::only(0)}, "where", [](auto c, auto a, auto b) { return where(c != 0, a, b); }, condition, x, y);
}

Tensor constant_like(const Tensor& x, double value) {
  if (x.dtype() == DType::int64 && value != std::floor(value))
    throw TypeError("constant: " + std::to_string(value) + " beside an int64 tensor; convert it with to(float32)");
  return full({}, value, x.dtype());
}

}  // namespace xgrad
