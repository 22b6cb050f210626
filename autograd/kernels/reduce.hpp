#pragma once

#include <autograd/kernels/lanes.hpp>
#include <autograd/kernels/parallel.hpp>

#include <algorithm>
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

// What the loops over blocks share.

constexpr std::size_t divide_up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

/// Calls run(unit) for units of so many elements each, in blocks of about block_elements; serially while that is one.
template <class Run>
void for_units(std::size_t units, std::size_t elements, std::size_t block_elements, const Run& run) {
  if (units <= 1 || units * elements <= block_elements) {
    for (std::size_t unit = 0; unit < units; ++unit) run(unit);
    return;
  }
  const std::size_t share = std::max<std::size_t>(1, block_elements / elements);
  parallel_blocks(divide_up(units, share), [&](std::size_t block) {
    const std::size_t end = std::min(units, (block + 1) * share);
    for (std::size_t unit = block * share; unit < end; ++unit) run(unit);
  });
}

}  // namespace xgrad::kernels
