#pragma once

#include <autograd/kernels/simd/simd.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace xgrad::kernels {

// What vectors do across their lanes, and matrices of them.

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

/// As many floats from the source as a vector of double has lanes, in double.
inline Vec<double> load_widened(const float* source) {
#if defined(__AVX512F__)
  return Vec<double>::Batch(_mm512_maskz_cvtps_pd(0xFF, _mm256_loadu_ps(source)));
#elif defined(__AVX2__)
  return Vec<double>::Batch(_mm256_cvtps_pd(_mm_loadu_ps(source)));
#else
  alignas(64) double lanes[Vec<double>::width];
  for (std::size_t i = 0; i < Vec<double>::width; ++i) lanes[i] = source[i];
  return Vec<double>::load(lanes);
#endif
}

/// The lower and the upper lanes in double.
inline std::array<Vec<double>, 2> widened(Vec<float> v) {
#if defined(__AVX512F__)
  const auto upper = _mm256_castpd_ps(_mm512_maskz_extractf64x4_pd(0xF, _mm512_castps_pd(v.batch), 1));
  return {Vec<double>::Batch(_mm512_maskz_cvtps_pd(0xFF, _mm512_castps512_ps256(v.batch))),
          Vec<double>::Batch(_mm512_maskz_cvtps_pd(0xFF, upper))};
#elif defined(__AVX2__)
  return {Vec<double>::Batch(_mm256_cvtps_pd(_mm256_castps256_ps128(v.batch))),
          Vec<double>::Batch(_mm256_cvtps_pd(_mm256_extractf128_ps(v.batch, 1)))};
#else
  alignas(64) float lanes[Vec<float>::width];
  v.store(lanes);
  return {load_widened(lanes), load_widened(lanes + Vec<double>::width)};
#endif
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

/// The number of lanes in use, a type where it is all of them.
template <class T>
using All = std::integral_constant<std::size_t, Vec<T>::width>;

template <class T, class Count>
[[gnu::always_inline]] inline Vec<T> load(const T* x, Count count) {
  if constexpr (std::is_same_v<Count, All<T>>)
    return Vec<T>::load(x);
  else
    return Vec<T>::load_part(x, count);
}
template <class T, class Count>
[[gnu::always_inline]] inline void store(Vec<T> v, T* y, Count count) {
  if constexpr (std::is_same_v<Count, All<T>>)
    v.store(y);
  else
    v.store_part(y, count);
}

/// Calls body(first element, lanes in use) for the vectors of [first, end).
template <class T, class Body>
[[gnu::always_inline]] inline void for_vectors(std::size_t first, std::size_t end, const Body& body) {
  std::size_t j = first;
  for (; j + Vec<T>::width <= end; j += Vec<T>::width) body(j, All<T>());
  if (j < end) body(j, end - j);
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

/// The way back, from a matrix of which only the first `columns` vectors are given; lanes that would come from the
/// others hold arbitrary ones of these.
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

/// to (columns, rows) = the transpose of from (rows, columns), of at most as many rows and columns as a vector has
/// lanes; the rows of each are so many elements apart.
template <class T>
void transpose_square(std::size_t rows, std::size_t columns, const T* from, std::ptrdiff_t from_step, T* to,
                      std::ptrdiff_t to_step) {
  constexpr std::size_t width = Vec<T>::width;
  Square<T> m;
  if (rows == width && columns == width) {
    unrolled<width>([&](auto i) { m[i] = Vec<T>::load(from + static_cast<std::ptrdiff_t>(i) * from_step); });
    rows_to_columns<width>(m);
    unrolled<width>([&](auto j) { m[j].store(to + static_cast<std::ptrdiff_t>(j) * to_step); });
    return;
  }
  if (rows * columns <= 4 * width) {
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j)
        to[static_cast<std::ptrdiff_t>(j) * to_step + static_cast<std::ptrdiff_t>(i)] =
            from[static_cast<std::ptrdiff_t>(i) * from_step + static_cast<std::ptrdiff_t>(j)];
    return;
  }
  m.fill(Vec<T>(0));
  for (std::size_t i = 0; i < rows; ++i)
    m[i] = Vec<T>::load_part(from + static_cast<std::ptrdiff_t>(i) * from_step, columns);
  rows_to_columns<width>(m);
  for (std::size_t j = 0; j < columns; ++j) m[j].store_part(to + static_cast<std::ptrdiff_t>(j) * to_step, rows);
}

}  // namespace xgrad::kernels
