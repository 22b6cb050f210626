#include "tests/support/vectors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

using namespace xgrad::kernels;
using namespace vectors;

TEST_CASE("e^x in float is exact to one unit in the last place, from the least number to the largest") {
  const auto vector_exp = [](auto x) { return exp(x); };
  const auto scalar_exp = [](long double x) { return std::exp(x); };
  CHECK(worst_ulps<float>(vector_exp, scalar_exp, -87, 88.7) <= 1.1);
  CHECK(worst_ulps<float>(vector_exp, scalar_exp, -1, 1) <= 1.1);
  CHECK(worst_ulps<float>(vector_exp, scalar_exp, -103.5, -87) <= 1.1);  // numbers below the least normal one
  // The thresholds are log(2^128) = 88.7228 and log(2^-150) = -103.9721.
  CHECK(std::isfinite(one(exp(Vec<float>(88.722f)))));
  CHECK(one(exp(Vec<float>(88.723f))) == infinity<float>);
  CHECK(one(exp(Vec<float>(-103.97f))) == std::numeric_limits<float>::denorm_min());
  CHECK(one(exp(Vec<float>(-103.98f))) == 0);
}

TEST_CASE("e^x - 1 in float keeps small arguments and their sign, and does not overflow early") {
  const auto vector_expm1 = [](auto x) { return expm1(x); };
  const auto scalar_expm1 = [](long double x) { return std::expm1(x); };
  for (const double bound : {1e-30, 1e-3, 1.0, 10.0, 88.7}) {
    CAPTURE(bound);
    CHECK(worst_ulps<float>(vector_expm1, scalar_expm1, -bound, bound) <= 1.6);
  }
  CHECK(one(expm1(Vec<float>(88.722f))) == one(exp(Vec<float>(88.722f))));
  CHECK(one(expm1(Vec<float>(88.723f))) == infinity<float>);
  CHECK(one(expm1(Vec<float>(-1e4f))) == -1);
  CHECK(std::signbit(one(expm1(Vec<float>(-0.0f)))));
}

TEST_CASE_TEMPLATE("sine and cosine are exact to two units in the last place for every angle", T, float, double) {
  const auto vector_sin = [](auto x) { return sin(x); };
  const auto vector_cos = [](auto x) { return cos(x); };
  const auto scalar_sin = [](long double x) { return std::sin(x); };
  const auto scalar_cos = [](long double x) { return std::cos(x); };
  for (const double bound : {1e-30, 0.8, 7.0, 100.0, 8191.0, 1e6, 1e9}) {
    CAPTURE(bound);
    CHECK(worst_ulps<T>(vector_sin, scalar_sin, -bound, bound) <= 2);
    CHECK(worst_ulps<T>(vector_cos, scalar_cos, -bound, bound) <= 2);
  }
  CHECK(std::signbit(one(sin(Vec<T>(-0.0)))));
  CHECK(one(cos(Vec<T>(0.0))) == 1);
}

TEST_CASE_TEMPLATE("next to multiples of π/2, where all digits of the angle cancel, they are as exact", T, float,
                   double) {
  for (int n = -5000; n <= 5000; n += 7) {
    CAPTURE(n);
    const T angle = static_cast<T>(n * 1.570796326794896619L);
    const auto close = [](T found, long double exact) {
      const T unit = std::nextafter(std::abs(static_cast<T>(exact)), infinity<T>) - std::abs(static_cast<T>(exact));
      return std::abs(found - exact) <= 2 * static_cast<long double>(unit);
    };
    // The C library's long double functions reduce with 64 bits more.
    CHECK(close(one(sin(Vec<T>(angle))), std::sin(static_cast<long double>(angle))));
    CHECK(close(one(cos(Vec<T>(angle))), std::cos(static_cast<long double>(angle))));
  }
}

TEST_CASE_TEMPLATE("a lane's sine does not depend on the lanes beside it", T, float, double) {
  const std::vector<T> neighbours = {0, 1, 100, 8000, T(1e5), T(1e7), infinity<T>, not_a_number<T>};
  for (const T x : {T(0.3), T(63), T(300), T(9000), T(2e6)})
    for (const T neighbour : neighbours) {
      CAPTURE(x);
      CAPTURE(neighbour);
      Lanes<T> values;
      values.fill(neighbour);
      values[1] = x;
      const Vec<T> mixed = Vec<T>::load(values.data());
      CHECK(lanes(sin(mixed))[1] == one(sin(Vec<T>(x))));
      CHECK(lanes(cos(mixed))[1] == one(cos(Vec<T>(x))));
    }
}
