#pragma once

#include <cstddef>
#include <cstdint>

namespace xgrad::kernels {

// Reductions over the middle axis of row-major (outer, count, inner) to (outer, inner), for T = float and double; sums
// are in sum.hpp.
//
// Work is cut into chunks by shape alone, and chunks are combined in order in double, so that the bits do not depend on
// threads.

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
