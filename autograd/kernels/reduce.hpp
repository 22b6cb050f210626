#pragma once

#include <cstddef>
#include <cstdint>

namespace xgrad::kernels {

// Reductions over the middle axis of row-major (outer, count, inner) to (outer, inner), for T = float and double.
//
// Work is cut into chunks by shape alone. A chunk is summed by vectors in several accumulators of T, and chunks are
// combined in order in double, so that the bits do not depend on threads and the rounding error of a sum does not grow
// with the count: at most (max_chain · u + count/32 · 2⁻⁵³) · Σ|x| with the unit roundoff u of T.

/// The longest chain of roundings to T behind any element of a sum.
inline constexpr std::size_t max_chain = 80;

/// Σ over the middle axis; 0 for count = 0.
template <class T>
void sum(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out);

/// Π over the middle axis; 1 for count = 0.
template <class T>
void prod(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out);

/// Largest and smallest over the middle axis; NaN where any is NaN. For count = 0 -inf and inf.
template <class T>
void max(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out);
template <class T>
void min(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out);

/// Position of the largest and smallest along the middle axis, the first of several; of the first NaN if there is one,
/// as in NumPy. Needs count > 0.
template <class T>
void arg_max(std::size_t outer, std::size_t count, std::size_t inner, const T* x, std::int64_t* out);
template <class T>
void arg_min(std::size_t outer, std::size_t count, std::size_t inner, const T* x, std::int64_t* out);

}  // namespace xgrad::kernels
