#pragma once

#include <autograd/kernels/parallel.hpp>
#include <autograd/kernels/simd.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

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

/// Calls f with 0, 1, ..., count - 1 as types: g++ 12 unrolls loops too late to keep an array of vectors in registers.
template <std::size_t count, class F>
[[gnu::always_inline]] inline void unrolled(const F& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) { (f(std::integral_constant<std::size_t, I>{}), ...); }
  (std::make_index_sequence<count>{});
}

// What vectors do across their lanes.

/// Lane i of the result is lane i ^ distance of v.
template <std::size_t distance, class T>
Vec<T> swap_lanes(Vec<T> v) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto lanes = static_cast<typename Vec<T>::Batch::register_type>(v.batch);
    return Vec<T>(typename Vec<T>::Batch(__builtin_shufflevector(lanes, lanes, static_cast<int>(I ^ distance)...)));
  }
  (std::make_index_sequence<Vec<T>::width>{});
}

/// All lanes combined by an associative and commutative op, in the same order for each vector.
template <std::size_t distance, class T, class Op>
T fold_from(Vec<T> v, const Op& op) {
  v = op(v, swap_lanes<distance>(v));
  if constexpr (distance > 1)
    return fold_from<distance / 2>(v, op);
  else
    return v.batch.get(0);
}
template <class T, class Op>
T fold(Vec<T> v, const Op& op) {
  return fold_from<Vec<T>::width / 2>(v, op);
}

/// 0, 1, 2, ...
template <class T>
Vec<T> lane_numbers() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    alignas(64) static constexpr T numbers[] = {static_cast<T>(I)...};
    return Vec<T>::load(numbers);
  }
  (std::make_index_sequence<Vec<T>::width>{});
}

/// The first count values at x; the other lanes are pad.
template <class T>
Vec<T> load_padded(const T* x, std::size_t count, T pad) {
  return where(lane_numbers<T>() < Vec<T>(count), Vec<T>::load_part(x, count), Vec<T>(pad));
}

/// As many vectors as each has lanes: a square matrix.
template <class T>
using Square = std::array<Vec<T>, Vec<T>::width>;

/// Swaps the lanes of a whose number has the bit `distance` with the lanes of b whose number has it not: a step of
/// transposing by blocks (Eklundh 1972).
template <std::size_t distance, class T>
[[gnu::always_inline]] inline void exchange_lanes(Vec<T>& a, Vec<T>& b) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    constexpr int width = static_cast<int>(Vec<T>::width);
    const auto x = static_cast<typename Vec<T>::Batch::register_type>(a.batch);
    const auto y = static_cast<typename Vec<T>::Batch::register_type>(b.batch);
    a.batch =
        __builtin_shufflevector(x, y, (I & distance ? width + static_cast<int>(I - distance) : static_cast<int>(I))...);
    b.batch =
        __builtin_shufflevector(x, y, (I & distance ? width + static_cast<int>(I) : static_cast<int>(I + distance))...);
  }
  (std::make_index_sequence<Vec<T>::width>{});
}

/// Transposes a matrix of which only the first `columns` columns, a power of 2, are wanted; the other vectors of the
/// result are undefined.
template <std::size_t columns, std::size_t distance = 0, class T>
[[gnu::always_inline]] inline void rows_to_columns(Square<T>& m) {
  constexpr std::size_t width = Vec<T>::width;
  if constexpr (distance == 0) {
    rows_to_columns<columns, width / 2>(m);
  } else {
    unrolled<width>([&](auto i) {
      constexpr bool wanted = (i & (width - 2 * distance) & ~(columns - 1)) == 0;
      if constexpr (wanted && (i & distance) == 0) exchange_lanes<distance>(m[i], m[i + distance]);
    });
    if constexpr (distance > 1) rows_to_columns<columns, distance / 2>(m);
  }
}

/// The way back, from a matrix of which only the first `columns` vectors are given; the others' lanes come out as any
/// of theirs.
template <std::size_t columns, std::size_t distance = 1, class T>
[[gnu::always_inline]] inline void columns_to_rows(Square<T>& m) {
  constexpr std::size_t width = Vec<T>::width;
  unrolled<width>([&](auto i) {
    constexpr bool given = (i & (width - 2 * distance) & ~(columns - 1)) == 0;
    if constexpr (given && (i & distance) == 0) {
      if constexpr (distance < columns)
        exchange_lanes<distance>(m[i], m[i + distance]);
      else
        m[i + distance] = swap_lanes<distance>(m[i]);
    }
  });
  if constexpr (2 * distance < width) columns_to_rows<columns, 2 * distance>(m);
}

}  // namespace xgrad::kernels
