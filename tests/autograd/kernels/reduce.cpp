#include "tests/support/reductions.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/kernels/reduce.hpp>
#include <autograd/kernels/simd/lanes.hpp>
#include <autograd/kernels/sum.hpp>
#include <autograd/tensor/creation.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace kernels = xgrad::kernels;
using namespace reductions;

TEST_CASE_TEMPLATE("products are within the error of as many roundings as factors", T, float, double) {
  const long double unit = std::numeric_limits<T>::epsilon() / 2;
  for (const Extent& e : extents) {
    CAPTURE(e.outer);
    CAPTURE(e.count);
    CAPTURE(e.inner);
    const std::vector<T> x = uniform<T>(e.outer * e.count * e.inner, T(0.99), T(1.01));
    const std::vector<T> result = run<T>(e, x, KERNEL(prod));
    // Higham 2002, lemma 3.1: n u / (1 - n u) for n factors in any order.
    const long double n = static_cast<long double>(e.count) * unit;
    std::size_t wrong = 0;
    for_results(e, [&](std::size_t k, const std::vector<std::size_t>& positions) {
      long double product = 1;
      for (const std::size_t position : positions) product *= x[position];
      wrong += std::abs(result[k] - product) <= n / (1 - n) * product ? 0u : 1u;
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE_TEMPLATE("extrema and their positions are exact, the first of equals", T, float, double) {
  for (const Extent& e : extents) {
    if (e.count == 0) continue;
    CAPTURE(e.outer);
    CAPTURE(e.count);
    CAPTURE(e.inner);
    std::vector<T> x = uniform<T>(e.outer * e.count * e.inner, T(0), T(1));
    for (T& value : x) value = std::floor(value * 1000);  // so that there are ties
    const std::vector<T> largest = run<T>(e, x, KERNEL(max));
    const std::vector<T> smallest = run<T>(e, x, KERNEL(min));
    const std::vector<std::int64_t> at_largest = run<std::int64_t>(e, x, KERNEL(arg_max));
    const std::vector<std::int64_t> at_smallest = run<std::int64_t>(e, x, KERNEL(arg_min));
    std::size_t wrong = 0;
    for_results(e, [&](std::size_t k, const std::vector<std::size_t>& positions) {
      std::size_t high = 0;
      std::size_t low = 0;
      for (std::size_t i = 0; i < positions.size(); ++i) {
        if (x[positions[i]] > x[positions[high]]) high = i;
        if (x[positions[i]] < x[positions[low]]) low = i;
      }
      const bool right = largest[k] == x[positions[high]] && smallest[k] == x[positions[low]] &&
                         at_largest[k] == static_cast<std::int64_t>(high) &&
                         at_smallest[k] == static_cast<std::int64_t>(low);
      wrong += right ? 0u : 1u;
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE_TEMPLATE("a NaN anywhere is the result of every reduction, and its first position wins", T, float, double) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (const Extent& e :
       {Extent{1, 3, 1}, {1, 16, 1}, {1, 70, 1}, {1, 9001, 1}, {1, 9, 3}, {1, 21, 150}, {1, 700, 5}}) {
    CAPTURE(e.count);
    CAPTURE(e.inner);
    for (const std::size_t at : {std::size_t{0}, e.count / 3, e.count / 2, e.count - 1}) {
      CAPTURE(at);
      std::vector<T> x = uniform<T>(e.count * e.inner);
      const std::size_t column = e.inner - 1;
      x[at * e.inner + column] = nan;
      x[(e.count - 1) * e.inner + column] = nan;
      for (const auto& result : {run<T>(e, x, KERNEL(sum)), run<T>(e, x, KERNEL(prod)), run<T>(e, x, KERNEL(max)),
                                 run<T>(e, x, KERNEL(min))}) {
        CHECK(std::isnan(result[column]));
        CHECK(std::count_if(result.begin(), result.end(), [](T v) { return std::isnan(v); }) == 1);
      }
      CHECK(run<std::int64_t>(e, x, KERNEL(arg_max))[column] == static_cast<std::int64_t>(at));
      CHECK(run<std::int64_t>(e, x, KERNEL(arg_min))[column] == static_cast<std::int64_t>(at));
    }
  }
}

TEST_CASE_TEMPLATE("infinities and reductions of nothing", T, float, double) {
  const T inf = std::numeric_limits<T>::infinity();
  for (const std::size_t n : {std::size_t{3}, std::size_t{20}, std::size_t{5000}}) {
    CAPTURE(n);
    const Extent e{1, n, 1};
    const std::vector<T> lowest(n, -inf);
    CHECK(run<T>(e, lowest, KERNEL(max))[0] == -inf);
    CHECK(run<T>(e, lowest, KERNEL(sum))[0] == -inf);
    CHECK(run<std::int64_t>(e, lowest, KERNEL(arg_max))[0] == 0);
    const std::vector<T> highest(n, inf);
    CHECK(run<T>(e, highest, KERNEL(min))[0] == inf);
    CHECK(run<std::int64_t>(e, highest, KERNEL(arg_min))[0] == 0);
    std::vector<T> both(n, T(0));
    both.front() = inf;
    both.back() = -inf;
    CHECK(std::isnan(run<T>(e, both, KERNEL(sum))[0]));
    CHECK(run<T>(e, both, KERNEL(max))[0] == inf);
    CHECK(run<std::int64_t>(e, both, KERNEL(arg_min))[0] == static_cast<std::int64_t>(n - 1));
  }
  const std::vector<T> nothing;
  CHECK(run<T>({2, 0, 2}, nothing, KERNEL(sum)) == std::vector<T>(4, T(0)));
  CHECK(run<T>({4, 0, 1}, nothing, KERNEL(prod)) == std::vector<T>(4, T(1)));
}

TEST_CASE_TEMPLATE("reductions give the same bits for 1, 2, 3 and 8 threads", T, float, double) {
  for (const Extent& e : {Extent{1, 1000003, 1},
                          {70001, 10, 1},
                          {3, 200000, 1},
                          {1, 100003, 7},
                          {1, 500, 2111},
                          {40, 100, 300},
                          {1, 3, 300007}}) {
    CAPTURE(e.outer);
    CAPTURE(e.count);
    CAPTURE(e.inner);
    const std::vector<T> x = uniform<T>(e.outer * e.count * e.inner, T(0.99), T(1.01));
    const auto all = [&] {
      std::vector<std::vector<T>> results{run<T>(e, x, KERNEL(sum)), run<T>(e, x, KERNEL(prod)),
                                          run<T>(e, x, KERNEL(max))};
      const std::vector<std::int64_t> positions = run<std::int64_t>(e, x, KERNEL(arg_min));
      results.emplace_back(positions.begin(), positions.end());
      return results;
    };
    const auto one = with_threads(1, all);
    for (const int threads : {2, 3, 8}) {
      CAPTURE(threads);
      CHECK(with_threads(threads, all) == one);
    }
  }
}

TEST_CASE_TEMPLATE("matrices of vectors are transposed, also those with few columns", T, float, double) {
  constexpr std::size_t width = kernels::Vec<T>::width;
  std::array<T, width * width> x;
  std::iota(x.begin(), x.end(), T(0));
  const auto check = [&]<std::size_t columns>(std::integral_constant<std::size_t, columns>) {
    kernels::Square<T> m;
    for (std::size_t i = 0; i < width; ++i) m[i] = kernels::Vec<T>::load(&x[i * width]);
    kernels::rows_to_columns<columns>(m);
    for (std::size_t j = 0; j < columns; ++j)
      for (std::size_t i = 0; i < width; ++i) CHECK(m[j].batch.get(i) == x[i * width + j]);
    for (std::size_t j = columns; j < width; ++j) m[j] = kernels::Vec<T>(-1);
    kernels::columns_to_rows<columns>(m);
    for (std::size_t i = 0; i < width; ++i)
      for (std::size_t j = 0; j < columns; ++j) CHECK(m[i].batch.get(j) == x[i * width + j]);
  };
  check(std::integral_constant<std::size_t, 1>{});
  check(std::integral_constant<std::size_t, 2>{});
  check(std::integral_constant<std::size_t, width / 2>{});
  check(std::integral_constant<std::size_t, width>{});
}

TEST_CASE_TEMPLATE("a fold takes each lane once", T, float, double) {
  constexpr std::size_t width = kernels::Vec<T>::width;
  const auto add = [](auto a, auto b) { return a + b; };
  CHECK(kernels::fold(kernels::lane_numbers<T>(), add) == static_cast<T>(width * (width - 1) / 2));
  const std::vector<T> ones(width, T(1));
  for (std::size_t n = 0; n < width; ++n)
    CHECK(kernels::fold(kernels::Vec<T>::load_part(ones.data() + width - n, n, T(3)), add) ==
          static_cast<T>(n + 3 * (width - n)));
}
