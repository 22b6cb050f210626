#include <autograd/ops/elementary.hpp>
#include <autograd/pointwise.hpp>

namespace xgrad {

namespace {

constexpr double flat[] = {0.0};  // the slope of a step function

}  // namespace

Tensor exp(const Tensor& x) {
  return pointwise(
      "exp", [](auto a) { return exp(a); }, x);
}

Tensor expm1(const Tensor& x) {
  return pointwise(
      "expm1", [](auto a) { return expm1(a); }, x);
}

Tensor log(const Tensor& x) {
  return pointwise(
      "log", [](auto a) { return log(a); }, x);
}

Tensor log1p(const Tensor& x) {
  return pointwise(
      "log1p", [](auto a) { return log1p(a); }, x);
}

Tensor sqrt(const Tensor& x) {
  return pointwise_with(
      {.kind = OperationKind::arithmetic}, "sqrt", [](auto a) { return sqrt(a); }, x);
}

Tensor square(const Tensor& x) {
  return pointwise_with(
      {.kind = OperationKind::arithmetic}, "square", [](auto a) { return a * a; }, x);
}

Tensor abs(const Tensor& x) {
  return pointwise(
      "abs", [](auto a) { return abs(a); }, x);
}

Tensor sign(const Tensor& x) {
  return pointwise_with(
      {.coefficients = flat}, "sign", [](auto a) { return sign(a); }, x);
}

Tensor floor(const Tensor& x) {
  return pointwise_with(
      {.coefficients = flat}, "floor", [](auto a) { return floor(a); }, x);
}

Tensor sin(const Tensor& x) {
  return pointwise(
      "sin", [](auto a) { return sin(a); }, x);
}

Tensor cos(const Tensor& x) {
  return pointwise(
      "cos", [](auto a) { return cos(a); }, x);
}

Tensor tanh(const Tensor& x) {
  return pointwise_with(
      {.bounds = {-1, 1}}, "tanh", [](auto a) { return tanh(a); }, x);
}

}  // namespace xgrad
