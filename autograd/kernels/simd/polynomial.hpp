#pragma once

#include <autograd/kernels/simd/simd.hpp>

#include <cstddef>

namespace xgrad::kernels {

/// Σ c_k·x^(k-first) over k = first, first + 2, ... by Horner's rule.
template <std::size_t first, class T, std::size_t n>
Vec<T> every_second_term(Vec<T> x_squared, const T (&c)[n]) {
  constexpr std::size_t terms = (n - first + 1) / 2, last = first + 2 * (terms - 1);
  Vec<T> sum = c[last];
  unrolled<terms - 1>([&](auto k) { sum = fma(sum, x_squared, Vec<T>(c[last - 2 * (k + 1)])); });
  return sum;
}

/// Σ c_k·x^k of two terms or more. Even and odd powers go side by side (Dorn 1962), which halves the chain of
/// additions.
template <class T, std::size_t n>
Vec<T> polynomial(Vec<T> x, const T (&c)[n]) {
  return fma(every_second_term<1>(x * x, c), x, every_second_term<0>(x * x, c));
}

}  // namespace xgrad::kernels
