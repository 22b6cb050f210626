#include <autograd/ops/compare.hpp>
#include <autograd/pointwise.hpp>

namespace xgrad {

namespace {

/// A rule that takes int64 as well; relations have no slope.
template <class F>
constexpr kernels::PointwiseRule make_relation() {
  kernels::PointwiseRule rule = kernels::make_rule<F, 2>();
  rule.value[2] = &kernels::PointwiseKernels<F, 2, std::int64_t>::value;
  return rule;
}

template <class F>
constexpr kernels::PointwiseRule relation = make_relation<F>();

template <class F>
Tensor compare(const char* name, F f, const Tensor& x, const Tensor& y) {
  const Tensor* const inputs[] = {&x, &y};
  return kernels::call_pointwise(name, relation<F>, &f, sizeof(F), {.saved = Which::none()}, Inputs(inputs, 2));
}

}  // namespace

Tensor eq(const Tensor& x, const Tensor& y) {
  return compare(
      "eq", [](auto a, auto b) { return where(a == b, 1, 0); }, x, y);
}

Tensor ne(const Tensor& x, const Tensor& y) {
  return compare(
      "ne", [](auto a, auto b) { return where(a != b, 1, 0); }, x, y);
}

Tensor lt(const Tensor& x, const Tensor& y) {
  return compare(
      "lt", [](auto a, auto b) { return where(a < b, 1, 0); }, x, y);
}

Tensor le(const Tensor& x, const Tensor& y) {
  return compare(
      "le", [](auto a, auto b) { return where(a <= b, 1, 0); }, x, y);
}

Tensor gt(const Tensor& x, const Tensor& y) {
  return compare(
      "gt", [](auto a, auto b) { return where(a > b, 1, 0); }, x, y);
}

Tensor ge(const Tensor& x, const Tensor& y) {
  return compare(
      "ge", [](auto a, auto b) { return where(a >= b, 1, 0); }, x, y);
}

}  // namespace xgrad
