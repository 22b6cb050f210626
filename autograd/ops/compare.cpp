#include <autograd/ops/compare.hpp>
#include <autograd/pointwise.hpp>

namespace xgrad {

namespace {

/// A rule that takes int64 as well; relations have no derivative.
template <class F>
constexpr kernels::PointwiseRule make_relation() {
  kernels::PointwiseRule rule = kernels::make_rule<F, 2>();
  rule.value[2] = &kernels::PointwiseKernels<F, 2, std::int64_t>::value;
  return rule;
}

template <class F>
constexpr kernels::PointwiseRule relation = make_relation<F>();

template <class F>
Tensor compare(const char* name, const Tensor& x, const Tensor& y, F f) {
  const Tensor* const inputs[] = {&x, &y};
  return kernels::call_pointwise(name, relation<F>, &f, sizeof(F), {.saved = Which::none()}, Inputs(inputs, 2));
}

}  // namespace

Tensor eq(const Tensor& x, const Tensor& y) {
  return compare("eq", x, y, [](auto a, auto b) { return where(a == b, 1, 0); });
}
Tensor ne(const Tensor& x, const Tensor& y) {
  return compare("ne", x, y, [](auto a, auto b) { return where(a != b, 1, 0); });
}
Tensor lt(const Tensor& x, const Tensor& y) {
  return compare("lt", x, y, [](auto a, auto b) { return where(a < b, 1, 0); });
}
Tensor le(const Tensor& x, const Tensor& y) {
  return compare("le", x, y, [](auto a, auto b) { return where(a <= b, 1, 0); });
}
Tensor gt(const Tensor& x, const Tensor& y) {
  return compare("gt", x, y, [](auto a, auto b) { return where(a > b, 1, 0); });
}
Tensor ge(const Tensor& x, const Tensor& y) {
  return compare("ge", x, y, [](auto a, auto b) { return where(a >= b, 1, 0); });
}

}  // namespace xgrad
