#include <autograd/kernels/integers.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tape/broadcasting.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <cmath>
#include <limits>

namespace xgrad {

namespace {

constexpr double plus_plus[] = {1.0, 1.0};
constexpr double plus_minus[] = {1.0, -1.0};
constexpr double minus_only[] = {-1.0};

/// The function last, where it reads best.
template <class F>
Tensor map(const char* name, const Tensor& x, const Tensor& y, F f, const PointwiseHints& hints = {}) {
  return pointwise_with(hints, name, f, x, y);
}

/// Whether both are int64: then there is no gradient, and the arithmetic is exact.
bool are_integers(const Tensor& x, const Tensor& y) { return kernels::holds_integers(x) && kernels::holds_integers(y); }

Tensor of_integers(const char* name, kernels::IntegerOperation operation, const Tensor& x, const Tensor& y) {
  const Shape shape = broadcast(name, x.shape(), y.shape());
  return kernels::integer_arithmetic(name, operation, broadcast_to(x, shape), broadcast_to(y, shape));
}

/// A function that picks among its inputs, of int64 as well.
template <class F, std::size_t arity>
constexpr kernels::PointwiseRule make_choice() {
  kernels::PointwiseRule rule = kernels::make_rule<F, arity>();
  rule.value[2] = &kernels::PointwiseKernels<F, arity, std::int64_t>::value;
  return rule;
}
template <class F, std::size_t arity>
constexpr kernels::PointwiseRule choice = make_choice<F, arity>();

template <class F, class... In>
Tensor choose(const char* name, const PointwiseHints& hints, F f, const In&... inputs) {
  const Tensor* const list[] = {&inputs...};
  return kernels::call_pointwise(name, choice<F, sizeof...(In)>, &f, 0, hints, Inputs(list, sizeof...(In)));
}

}  // namespace

Tensor neg(const Tensor& x) {
  return pointwise_with(
      {.coefficients = minus_only, .kind = OperationKind::linear}, "neg", [](auto a) { return -a; }, x);
}

Tensor add(const Tensor& x, const Tensor& y) {
  if (are_integers(x, y)) [[unlikely]]
    return of_integers("add", kernels::IntegerOperation::add, x, y);
  return pointwise_with(
      {.coefficients = plus_plus, .kind = OperationKind::linear}, "add", [](auto a, auto b) { return a + b; }, x, y);
}

Tensor sub(const Tensor& x, const Tensor& y) {
  if (are_integers(x, y)) [[unlikely]]
    return of_integers("sub", kernels::IntegerOperation::subtract, x, y);
  return pointwise_with(
      {.coefficients = plus_minus, .kind = OperationKind::linear}, "sub", [](auto a, auto b) { return a - b; }, x, y);
}

Tensor mul(const Tensor& x, const Tensor& y) {
  if (are_integers(x, y)) [[unlikely]]
    return of_integers("mul", kernels::IntegerOperation::multiply, x, y);
  return map("mul", x, y, [](auto a, auto b) { return a * b; }, {.kind = OperationKind::product});
}
Tensor div(const Tensor& x, const Tensor& y) {
  return map("div", x, y, [](auto a, auto b) { return a / b; }, {.kind = OperationKind::product});
}
Tensor pow(const Tensor& x, const Tensor& y) {
  return map("pow", x, y, [](auto a, auto b) { return pow(a, b); });
}

Tensor pow(const Tensor& x, double y) {
  if (y == 2.0) return square(x);
  if (y == 0.5)  // sqrt has NaN for -inf, and the sign of -0
    return pointwise(
        "pow",
        [](auto a) {
          constexpr double infinity = std::numeric_limits<double>::infinity();
          return where(a == -infinity, infinity, sqrt(a + 0.0));
        },
        x);
  return pow(x, constant_like(x, y, "pow"));
}

// Unordered, neither larger, smaller nor equal: the sum is NaN if either is.

Tensor maximum(const Tensor& x, const Tensor& y) {
  if (are_integers(x, y))
    return choose(
        "maximum", {}, [](auto a, auto b) { return where(a > b, a, b); }, x, y);
  return map("maximum", x, y,
             [](auto a, auto b) { return where(a > b, a, where(b > a, b, where(a == b, tie(a, b), a + b))); });
}

Tensor minimum(const Tensor& x, const Tensor& y) {
  if (are_integers(x, y))
    return choose(
        "minimum", {}, [](auto a, auto b) { return where(a < b, a, b); }, x, y);
  return map("minimum", x, y,
             [](auto a, auto b) { return where(a < b, a, where(b < a, b, where(a == b, tie(a, b), a + b))); });
}

Tensor clamp(const Tensor& x, double low, double high) {
  check_defined("clamp", "x", x);
  if (!(low <= high)) throw_as<ValueError>("clamp: bounds {} and {}; need low <= high", low, high);
  const auto limit = [low, high](auto a) { return where(a < low, low, where(a > high, high, a)); };
  return pointwise("clamp", limit, x);
}

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y) {
  if (kernels::holds_integers(condition) && x.defined() && is_floating(x.dtype()))
    return where(condition.to(x.dtype()), x, y);
  return choose(
      "where", {.saved = Which::only(0)}, [](auto c, auto a, auto b) { return where(c != 0, a, b); }, condition, x, y);
}

Tensor constant_like(const Tensor& x, double value, const char* operation) {
  check_defined(operation, "the tensor", x);
  if (x.dtype() == int64 && std::floor(value) < value)
    throw_as<TypeError>("{}: {} beside an int64 tensor; convert it with to(float32)", operation, value);
  return visit(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Tensor result = Tensor::uninitialized({}, dtype_of<T>);
    *result.fresh_data<T>() = number_as<T>(value, operation);
    return result;
  });
}

}  // namespace xgrad
