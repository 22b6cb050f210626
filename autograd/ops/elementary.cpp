#include <autograd/ops/elementary.hpp>
#include <autograd/pointwise.hpp>

namespace xgrad {

namespace {

constexpr double flat[] = {0.0};  // the derivative of a step function

/// The function last, where it reads best.
template <class F>
Tensor map(const char* name, const Tensor& x, F f, const PointwiseHints& hints = {}) {
  return pointwise_with(hints, name, f, x);
}

}  // namespace

Tensor exp(const Tensor& x) {
  return map("exp", x, [](auto a) { return exp(a); });
}
Tensor expm1(const Tensor& x) {
  return map("expm1", x, [](auto a) { return expm1(a); });
}
Tensor log(const Tensor& x) {
  return map("log", x, [](auto a) { return log(a); });
}
Tensor log1p(const Tensor& x) {
  return map("log1p", x, [](auto a) { return log1p(a); });
}
Tensor sqrt(const Tensor& x) {
  return map("sqrt", x, [](auto a) { return sqrt(a); }, {.kind = OperationKind::arithmetic});
}
Tensor square(const Tensor& x) {
  return map("square", x, [](auto a) { return a * a; }, {.kind = OperationKind::arithmetic});
}
Tensor abs(const Tensor& x) {
  return map("abs", x, [](auto a) { return abs(a); });
}
Tensor sin(const Tensor& x) {
  return map("sin", x, [](auto a) { return sin(a); });
}
Tensor cos(const Tensor& x) {
  return map("cos", x, [](auto a) { return cos(a); });
}
Tensor tanh(const Tensor& x) {
  return map("tanh", x, [](auto a) { return tanh(a); }, {.bounds = {-1, 1}});
}

Tensor sign(const Tensor& x) {
  return pointwise_with(
      {.coefficients = flat}, "sign", [](auto a) { return sign(a); }, x);
}

Tensor floor(const Tensor& x) {
  return pointwise_with(
      {.coefficients = flat}, "floor", [](auto a) { return floor(a); }, x);
}

}  // namespace xgrad
