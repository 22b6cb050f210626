#pragma once

#include <cstddef>

namespace xgrad::kernels {

// Sums over the middle axis of row-major (outer, count, inner), for T = float and double, in more digits than T has:
// float32 in float64, float64 in two numbers. Where rows are added to each other (inner > 1), and for float64, groups
// of 8 rows or vectors are first added in T, in pairs. So sums of terms of one sign are within two units in the last
// place; those of float32 with inner = 1 are the exact sum, rounded, whatever cancels down to 2⁻²⁹ of the largest term.
//
// Work is cut into chunks by shape alone, and chunks are combined in order: bits do not depend on threads.

/// Roundings to T behind any element of a sum. With the unit roundoff u of T, the error of a sum is at most
/// (max_roundings · u + count · 2⁻⁵³ · v) · Σ|x|, where v is 1 for float and u for double.
inline constexpr std::size_t max_roundings = 5;

/// Σ x (outer, inner), which overflows where the sum does; 0 for count = 0.
template <class T>
void sum(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out);

/// Σ x / count (outer, inner), which overflows where the mean does; NaN for count = 0.
template <class T>
void mean(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out);

/// x - Σ x / count (outer, count, inner): the mean has twice the digits of T here, so that numbers next to it keep
/// theirs.
template <class T>
void subtract_mean(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out);

/// √Σ x² (outer, inner) without overflow or underflow on the way; 0 for count = 0.
template <class T>
void norm(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out);

}  // namespace xgrad::kernels
