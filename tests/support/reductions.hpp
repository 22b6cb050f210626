#pragma once

// What tests of kernels share that reduce the middle axis of (outer, count, inner).

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

namespace reductions {

struct Extent {
  std::size_t outer, count, inner;
};

/// Around the width of vectors, the chunks of rows and columns and the thresholds of parallel loops.
inline const std::vector<Extent> extents{
    {1, 1, 1},     {1, 0, 3},    {0, 5, 1},      {3, 5, 0},     {1, 2, 1},     {1, 7, 1},    {5, 15, 1},
    {4, 16, 1},    {3, 17, 1},   {2, 63, 1},     {2, 64, 1},    {1, 129, 1},   {100, 3, 1},  {1, 4095, 1},
    {2, 4096, 1},  {3, 4097, 1}, {1, 100003, 1}, {20000, 4, 1}, {1, 1, 5},     {1, 2, 2},    {2, 3, 15},
    {1, 7, 16},    {1, 8, 17},   {3, 9, 31},     {1, 33, 10},   {2, 128, 33},  {1, 64, 256}, {1, 17, 129},
    {1, 511, 3},   {1, 513, 3},  {7, 1031, 2},   {1, 40, 2049}, {2, 65, 4099}, {300, 16, 8}, {1, 5, 70001},
    {1, 30011, 7}, {3, 4097, 16}};

template <class T>
std::vector<T> uniform(std::size_t n, T low = T(-1), T high = T(1)) {
  std::mt19937_64 engine(n);
  std::uniform_real_distribution<T> draw(low, high);
  std::vector<T> x(n);
  for (T& value : x) value = draw(engine);
  return x;
}

/// Calls f(result position, positions of the elements behind it) for each element of the result.
template <class F>
void for_results(const Extent& e, const F& f) {
  std::vector<std::size_t> positions(e.count);
  for (std::size_t o = 0; o < e.outer; ++o)
    for (std::size_t j = 0; j < e.inner; ++j) {
      for (std::size_t i = 0; i < e.count; ++i) positions[i] = (o * e.count + i) * e.inner + j;
      f(o * e.inner + j, positions);
    }
}

/// The result of a kernel, behind which nothing may be written.
template <class Result, class T, class Kernel>
std::vector<Result> run(const Extent& e, const std::vector<T>& x, const Kernel& kernel) {
  const std::size_t n = e.outer * e.inner;
  std::vector<Result> out(n + 40, Result(77));
  kernel(e.outer, e.count, e.inner, x.data(), out.data());
  CHECK(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(n), out.end(), [](Result v) { return v == Result(77); }));
  out.resize(n);
  return out;
}

}  // namespace reductions

/// A kernel as a function object.
#define KERNEL(name) [](auto... arguments) { xgrad::kernels::name(arguments...); }
