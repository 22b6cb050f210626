#include "tests/support/reductions.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/kernels/sum.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace kernels = xgrad::kernels;
using namespace reductions;

namespace {

/// |found - exact| in units in the last place of exact.
template <class T>
double units(T found, long double exact) {
  const T size = std::abs(static_cast<T>(exact));
  const T unit = std::nextafter(size, std::numeric_limits<T>::infinity()) - size;
  return static_cast<double>(std::abs(found - exact) / static_cast<long double>(unit));
}

}  // namespace

TEST_CASE_TEMPLATE("sums are within the error bound of their header", T, float, double) {
  const long double unit = std::numeric_limits<T>::epsilon() / 2;
  for (const Extent& e : extents) {
    CAPTURE(e.outer);
    CAPTURE(e.count);
    CAPTURE(e.inner);
    const std::vector<T> x = uniform<T>(e.outer * e.count * e.inner);
    const std::vector<T> result = run<T>(e, x, KERNEL(sum));
    const long double bound =
        kernels::max_roundings * unit + static_cast<long double>(e.count) * 0x1p-53L * (sizeof(T) == 4 ? 1 : unit);
    std::size_t wrong = 0;
    for_results(e, [&](std::size_t k, const std::vector<std::size_t>& positions) {
      long double sum = 0;
      long double magnitude = 0;
      for (const std::size_t position : positions) {
        sum += x[position];
        magnitude += std::abs(x[position]);
      }
      wrong += std::abs(result[k] - sum) <= bound * magnitude ? 0u : 1u;
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("the float32 sum of 2^25 ones is exact along each axis") {
  const std::size_t n = std::size_t{1} << 25;
  const std::vector<float> x(n, 1.0f);
  for (const Extent& e : {Extent{1, n, 1}, Extent{1, n / 2, 2}, Extent{2, n / 8, 4}}) {
    CAPTURE(e.inner);
    const std::vector<float> result = run<float>(e, x, KERNEL(sum));
    const auto expected = static_cast<float>(e.count);
    CHECK(std::all_of(result.begin(), result.end(), [&](float v) { return v == expected; }));
  }
}

TEST_CASE("chunks are combined in double: small ones are not lost beside a large one") {
  // 2^24 + 1 is not a float32, so 1000 chunks that hold 1 each would vanish one by one.
  for (const std::size_t inner : {1u, 3u}) {
    CAPTURE(inner);
    const Extent e{1, 1001 * 4096, inner};
    std::vector<float> x(e.count * inner, 0.0f);
    for (std::size_t i = 0; i < e.count; i += 4096)
      std::fill_n(x.begin() + static_cast<std::ptrdiff_t>(i * inner), inner, 1.0f);
    std::fill_n(x.begin(), inner, 0x1p24f);
    CHECK(run<float>(e, x, KERNEL(sum)) == std::vector<float>(inner, 0x1p24f + 1000.0f));
  }
}

TEST_CASE_TEMPLATE("sums and means of terms of one sign are within two units in the last place", T, float, double) {
  const auto check = [](const char* what, const Extent& e, const std::vector<T>& x) {
    const std::vector<T> sums = run<T>(e, x, KERNEL(sum)), means = run<T>(e, x, KERNEL(mean));
    double of_sums = 0, of_means = 0;
    for_results(e, [&](std::size_t k, const std::vector<std::size_t>& positions) {
      long double exact = 0;
      for (const std::size_t position : positions) exact += x[position];
      of_sums = std::max(of_sums, units(sums[k], exact));
      of_means = std::max(of_means, units(means[k], exact / static_cast<long double>(e.count)));
    });
    CAPTURE(what);
    CAPTURE(e.outer);
    CAPTURE(e.count);
    CAPTURE(e.inner);
    CHECK(of_sums <= 2);
    CHECK(of_means <= 2.5);  // a division more
  };
  std::mt19937_64 random(1);
  for (const Extent& e : extents) {
    if (e.count == 0) continue;
    const std::size_t n = e.outer * e.count * e.inner;
    std::vector<T> positive = uniform<T>(n, T(0), T(1)), multiples(n), powers(n);
    check("uniform", e, positive);
    for (std::size_t i = 0; i < n; ++i) multiples[i] = static_cast<T>(1e8 + 8 * static_cast<double>(random() % 100000));
    check("1e8 + 8k", e, multiples);
    for (std::size_t i = 0; i < n; ++i)
      powers[i] = static_cast<T>(std::ldexp(1 + positive[i], static_cast<int>(random() % 40) - 20));
    check("of all sizes", e, powers);
  }
}

// Exact by the definition.
TEST_CASE("float32 rows are added up in float64: what cancels and what is small is not lost") {
  std::vector<float> cancelling;
  for (int i = 0; i < 1000000; ++i) cancelling.insert(cancelling.end(), {1e8f, 1.0f, -1e8f});
  CHECK(run<float>({1, cancelling.size(), 1}, cancelling, KERNEL(sum))[0] == 1e6f);
  CHECK(run<float>({1, 3, 1}, cancelling, KERNEL(sum))[0] == 1);
  std::vector<float> small(1000001, 0x1p-25f);
  small[0] = 1;
  CHECK(run<float>({1, small.size(), 1}, small, KERNEL(sum))[0] == static_cast<float>(1 + 1e6 * 0x1p-25));
}

TEST_CASE("the mean of the largest numbers is the largest number") {
  const float huge = std::numeric_limits<float>::max();
  for (const Extent& e : {Extent{1, 5, 1}, Extent{2, 5000, 1}, Extent{1, 5, 3}, Extent{1, 700, 9}}) {
    const std::vector<float> x(e.outer * e.count * e.inner, huge);
    for (const float mean : run<float>(e, x, KERNEL(mean))) CHECK(mean == huge);
  }
}

TEST_CASE_TEMPLATE("elements less their mean keep the digits that a large mean leaves them", T, float, double) {
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  const double large = sizeof(T) == 4 ? 1e4 : 1e12;
  for (const Extent& e : extents) {
    if (e.count == 0) continue;
    std::vector<T> x(e.outer * e.count * e.inner);
    for (T& value : x) value = static_cast<T>(large + normal(random));
    std::vector<T> y(x.size());
    kernels::subtract_mean(e.outer, e.count, e.inner, x.data(), y.data());
    double worst = 0;
    for_results(e, [&](std::size_t, const std::vector<std::size_t>& positions) {
      const auto rest = [&](std::size_t position) { return static_cast<long double>(x[position]) - large; };  // exact
      long double mean = 0, largest = 0;
      for (const std::size_t position : positions) mean += rest(position) / static_cast<long double>(e.count);
      for (const std::size_t position : positions) largest = std::max(largest, std::abs(rest(position) - mean));
      for (const std::size_t position : positions)
        if (largest > 0)
          worst = std::max(worst, static_cast<double>(std::abs(y[position] - (rest(position) - mean)) / largest));
    });
    CAPTURE(e.outer);
    CAPTURE(e.count);
    CAPTURE(e.inner);
    CHECK(worst <= static_cast<double>(std::numeric_limits<T>::epsilon()));
  }
  const std::vector<T> equal(3000, static_cast<T>(1e8 + 8));
  for (const Extent& e : {Extent{3, 1000, 1}, Extent{1, 1000, 3}}) {
    std::vector<T> y(equal.size());
    kernels::subtract_mean(e.outer, e.count, e.inner, equal.data(), y.data());
    CHECK(std::all_of(y.begin(), y.end(), [](T value) { return value == 0; }));
  }
}

TEST_CASE_TEMPLATE("norms neither overflow nor vanish on the way", T, float, double) {
  using Limits = std::numeric_limits<T>;
  for (const Extent& e : extents) {
    if (e.count == 0) continue;
    for (const int exponent : {0, Limits::max_exponent - 20, Limits::min_exponent + 3}) {
      std::vector<T> x = uniform<T>(e.outer * e.count * e.inner);
      for (T& value : x) value = std::ldexp(value, exponent);
      const std::vector<T> norms = run<T>(e, x, KERNEL(norm));
      double worst = 0;
      for_results(e, [&](std::size_t k, const std::vector<std::size_t>& positions) {
        long double squares = 0;
        for (const std::size_t position : positions) squares += static_cast<long double>(x[position]) * x[position];
        worst = std::max(worst, units(norms[k], std::sqrt(squares)));
      });
      CAPTURE(e.outer);
      CAPTURE(e.count);
      CAPTURE(e.inner);
      CAPTURE(exponent);
      CHECK(worst <= 1.5);
    }
  }
  const T inf = Limits::infinity();
  for (const Extent& e : {Extent{1, 3, 1}, Extent{1, 3, 2}}) {
    std::vector<T> x(e.count * e.inner, T(0));
    CHECK(run<T>(e, x, KERNEL(norm))[0] == 0);
    x[0] = -inf;
    CHECK(run<T>(e, x, KERNEL(norm))[0] == inf);
    x[0] = Limits::quiet_NaN();
    CHECK(std::isnan(run<T>(e, x, KERNEL(norm))[0]));
    x[0] = Limits::denorm_min();
    CHECK(run<T>(e, x, KERNEL(norm))[0] == Limits::denorm_min());
    x[0] = Limits::max();
    CHECK(run<T>(e, x, KERNEL(norm))[0] == Limits::max());
  }
}

TEST_CASE_TEMPLATE("sums, means, centred elements and norms have the same bits for 1, 2, 3 and 8 threads", T, float,
                   double) {
  for (const Extent& e : {Extent{1, 300007, 1}, {3, 70001, 1}, {2, 5003, 17}, {1, 300, 5003}, {40, 1031, 3}}) {
    CAPTURE(e.count);
    CAPTURE(e.inner);
    const std::vector<T> x = uniform<T>(e.outer * e.count * e.inner);
    const auto all = [&] {
      std::vector<T> results(x.size());
      kernels::subtract_mean(e.outer, e.count, e.inner, x.data(), results.data());
      for (const auto& more : {run<T>(e, x, KERNEL(sum)), run<T>(e, x, KERNEL(mean)), run<T>(e, x, KERNEL(norm))})
        results.insert(results.end(), more.begin(), more.end());
      return results;
    };
    const std::vector<T> alone = with_threads(1, all);
    for (const int threads : {2, 3, 8}) CHECK(with_threads(threads, all) == alone);
  }
}
