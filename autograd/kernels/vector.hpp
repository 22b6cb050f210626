#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace xgrad::kernels {

// Elementwise loops over whole tensors, in place, for sweeps and gradients. Shapes and dtypes have been checked.

/// y += factor · x.
void add_scaled(Tensor& y, const Tensor& x, double factor);
/// sum[k] = the sum of terms[0][k], terms[1][k], ..., for k < count, in the order that the closings say: after term i
/// the last closings[i] open sums are added, each to the one before it. One sum must stay, at most max_open_sums may be
/// open. A term may be where the sum goes.
template <class T>
void sum_in_tree(T* sum, std::size_t count, std::span<const T* const> terms, std::span<const std::uint8_t> closings);
inline constexpr std::size_t max_open_sums = 64;
/// x *= factor.
void scale(Tensor& x, double factor);
/// x /= divisor.
void divide(Tensor& x, double divisor);
/// Limits every element to [low, high]; NaN stays.
void clamp(Tensor& x, double low, double high);
/// Values of its own, unrecorded.
Tensor copy(const Tensor& x);
/// x's values as a new tensor, unrecorded, without a copy until one of both is written. Values of a leaf, which will be
/// written, are copied at once.
Tensor separate(const Tensor& x, const Shape& shape);
/// Σ x², in float64, in an order that the shape fixes.
double sum_of_squares(const Tensor& x);
/// How many elements are infinite or NaN; none in an int64 tensor.
std::size_t count_nonfinite(const Tensor& x);

}  // namespace xgrad::kernels
