#pragma once

#include <autograd/tensor/needs_cplusplus20.hpp>

#include <autograd/kernels/pointwise/dual.hpp>
#include <autograd/kernels/pointwise/loop.hpp>
#include <autograd/tape/operation.hpp>

#include <cstring>
#include <type_traits>

namespace xgrad {

/// What the author of a pointwise function may tell about it: the first three save memory and work.
struct PointwiseHints {
  Which saved = Which::all();  ///< the inputs that derivatives depend on
  /// Constant derivatives, one per input, of a linear function; nothing is saved then.
  const double* coefficients = nullptr;
  /// For a function of one input: f'(f(x)) = f'(x), and constant between kinks. The result is saved in x's place: most
  /// often the next operation keeps it anyway, and x is free. ValueError with several inputs.
  bool derivative_of_result = false;
  OperationKind kind = OperationKind::function;
  Bounds bounds = {};
};

namespace kernels {

inline constexpr std::size_t max_closure_bytes = 48;

/// Calls and records the pointwise function with this rule; the closure is copied.
Tensor call_pointwise(const char* name, const PointwiseRule& rule, const void* closure, std::size_t closure_bytes,
                      const PointwiseHints& hints, const Inputs& inputs);

}  // namespace kernels

/// y = f(x_0, ..., x_{n-1}) elementwise on 1 to 4 tensors that broadcast by NumPy's rule, with derivatives of every
/// order: the lambda is evaluated on SIMD vectors for its value and on dual numbers over them for its first and second
/// derivatives; beyond, its steps are traced once into a small program, which is differentiated by the same rules.
///
///     pointwise("swish", [](auto x) { return x * sigmoid(x); }, x)
///
/// The lambda takes `auto` arguments, uses + - * /, comparisons, where(mask, a, b) instead of ?:, and unqualified exp,
/// expm1, log, log1p, sqrt, sin, cos, tanh, abs, sign, floor, pow, sigmoid, softplus, with_derivative(f, derivative,
/// x). Results have types of their own, `auto y = x * x;`; what a loop assigns again begins as a variable:
///
///     [](auto x) {
///       auto y = variable(0.0, x);  // 0, with room for what is computed from x
///       for (int i = 1; i < 4; ++i) y += sin(i * x) / i;
///       return y;
///     }
///
/// It must be stable together with its derivative, or supply one by with_derivative. It may capture numbers, up to 48
/// bytes of them.
///
/// name: a literal (kept by pointer). Shapes: any that broadcast (ShapeError). dtypes: equal and floating (TypeError).
template <class F, class... In>
requires(sizeof...(In) >= 1 && (std::is_convertible_v<const In&, const Tensor&> && ...)) Tensor
    pointwise_with(const PointwiseHints& hints, const char* name, F f, const In&... inputs) {
  // With symbols first, here and in pointwise: what does not compile is said once, close to the user's line.
  if constexpr (kernels::gives_number<decltype(f(kernels::symbol_for<In>()...))>())
    if constexpr (kernels::is_tried<F, sizeof...(In)>) {
      constexpr std::size_t arity = sizeof...(In);
      static_assert(arity <= kernels::max_pointwise_arity, "pointwise takes 1 to 4 tensors");
      static_assert(std::is_trivially_copyable_v<F>,
                    "a pointwise lambda captures numbers only; a captured tensor would lose its gradient: pass it as "
                    "an argument");
      static_assert(sizeof(F) <= kernels::max_closure_bytes, "a pointwise lambda captures at most 48 bytes");
      const Tensor* const list[] = {&inputs...};
      return kernels::call_pointwise(name, kernels::rule_of<F, arity>, &f, std::is_empty_v<F> ? 0 : sizeof(F), hints,
                                     Inputs(list, arity));
    }
}

template <class F, class... In>
requires(sizeof...(In) >= 1 && (std::is_convertible_v<const In&, const Tensor&> && ...)) Tensor
    pointwise(const char* name, F f, const In&... inputs) {
  if constexpr (kernels::gives_number<decltype(f(kernels::symbol_for<In>()...))>())
#ifdef __clang__
    if constexpr (kernels::is_tried<F, sizeof...(In)>)
#endif
      return pointwise_with({}, name, f, inputs...);  // whose body g++ does not make after an error
}

}  // namespace xgrad
