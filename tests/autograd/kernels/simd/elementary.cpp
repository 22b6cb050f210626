#include "tests/support/vectors.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
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

namespace {

template <class T>
bool same_bits(T x, T y) {
  using Bits = typename Format<T>::Bits;
  return std::bit_cast<Bits>(x) == std::bit_cast<Bits>(y);
}

/// Zeros, ends of ranges, infinities and NaN: what takes other paths than most numbers do.
template <class T>
std::vector<T> rare_numbers() {
  using Limits = std::numeric_limits<T>;
  return {0,  -T(0), Limits::denorm_min(), Limits::min(), Limits::max(),  -Limits::max(),
          -1, -300,  infinity<T>,          -infinity<T>,  not_a_number<T>};
}

}  // namespace

TEST_CASE_TEMPLATE("a lane's result does not depend on the lanes beside it", T, float, double) {
  const auto check = [](const char* name, const auto& f, T x, const std::vector<T>& neighbours) {
    for (const T neighbour : neighbours) {
      CAPTURE(name);
      CAPTURE(x);
      CAPTURE(neighbour);
      Lanes<T> values;
      values.fill(neighbour);
      values[1] = x;
      CHECK(same_bits(lanes(f(Vec<T>::load(values.data())))[1], one(f(Vec<T>(x)))));
    }
  };
  std::vector<T> neighbours = rare_numbers<T>();
  for (const double x : {1.0, 0.3, 100.0, 8000.0, 1e5, 1e7}) neighbours.push_back(static_cast<T>(x));
  for (const T x : {T(0.3), T(-0.3), T(2.7), T(63), T(-63), T(9000), T(2e6)}) {
    check(
        "sin", [](auto a) { return sin(a); }, x, neighbours);
    check(
        "cos", [](auto a) { return cos(a); }, x, neighbours);
    check(
        "exp", [](auto a) { return exp(a); }, x, neighbours);
    check(
        "expm1", [](auto a) { return expm1(a); }, x, neighbours);
    check(
        "log", [](auto a) { return log(a); }, std::abs(x), neighbours);
    check(
        "log1p", [](auto a) { return log1p(a); }, std::abs(x), neighbours);
    check(
        "tanh", [](auto a) { return tanh(a); }, x, neighbours);
    check(
        "tanh_derivative", [](auto a) { return tanh_derivative(a); }, x, neighbours);
    check(
        "sigmoid", [](auto a) { return sigmoid(a); }, x, neighbours);
    check(
        "sigmoid_derivative", [](auto a) { return sigmoid_derivative(a); }, x, neighbours);
    check(
        "softplus", [](auto a) { return softplus(a); }, x, neighbours);
    check(
        "swish", [](auto a) { return swish(a); }, x, neighbours);
    check(
        "swish_derivative", [](auto a) { return swish_derivative(a); }, x, neighbours);
    for (const T y : {T(-1.5), T(3), T(0.25)}) {
      check(
          "pow", [y](auto a) { return pow(a, Vec<T>(y)); }, x, neighbours);
      check(
          "pow of y", [x](auto a) { return pow(Vec<T>(x), a); }, y, neighbours);
      check(
          "along base", [y](auto a) { return power_derivative_by_base(a, Vec<T>(y)); }, x, neighbours);
      check(
          "along exponent", [y](auto a) { return power_derivative_by_exponent(a, Vec<T>(y)); }, x, neighbours);
    }
  }
}

TEST_CASE_TEMPLATE("powers of special numbers are IEEE 754's, signs of zeros included", T, float, double) {
  std::vector<T> numbers = rare_numbers<T>();
  for (const double size : {0.5, 1.0, 1.5, 2.0, 3.0, 10.0, 0x1p24, 0x1p25, 0x1p24 - 1, 0x1p53, 0x1p54, 0x1p53 - 1})
    for (const double x : {size, -size}) numbers.push_back(static_cast<T>(x));
  numbers.push_back(std::nextafter(T(1), T(0)));
  numbers.push_back(std::nextafter(T(1), T(2)));
  for (const T x : numbers)
    for (const T y : numbers) {
      CAPTURE(x);
      CAPTURE(y);
      // The C library's pow has IEEE 754's special values (C11, F.10.4.4).
      const T exact = static_cast<T>(std::pow(static_cast<long double>(x), static_cast<long double>(y)));
      const T found = one(pow(Vec<T>(x), Vec<T>(y)));
      if (std::isnan(exact) || std::isinf(exact) || exact == 0)
        CHECK((same_bits(found, exact) || (std::isnan(found) && std::isnan(exact))));
      else
        CHECK(std::abs(found - exact) <= 2 * std::numeric_limits<T>::epsilon() * std::abs(exact));
    }
}

TEST_CASE_TEMPLATE("derivatives of powers at the ends of their ranges are limits", T, float, double) {
  const auto along_base = [](T x, T y) { return one(power_derivative_by_base(Vec<T>(x), Vec<T>(y))); };
  const auto along_exponent = [](T x, T y) { return one(power_derivative_by_exponent(Vec<T>(x), Vec<T>(y))); };
  const T huge = std::numeric_limits<T>::max(), tiny = std::numeric_limits<T>::denorm_min();
  CHECK(along_base(0, 0) == 0);
  CHECK(along_base(not_a_number<T>, 0) == 0);
  CHECK(along_base(0, 1) == 1);
  CHECK(along_base(0, T(0.5)) == infinity<T>);
  CHECK(along_base(0, -1) == -infinity<T>);
  CHECK(along_base(-T(0), -2) == infinity<T>);  // of x^-2, which falls on the right and rises on the left
  CHECK(along_base(0, 3) == 0);
  CHECK(along_base(2, tiny) == tiny / 2);
  CHECK(along_base(infinity<T>, T(0.5)) == 0);
  CHECK(along_base(infinity<T>, 2) == infinity<T>);
  CHECK(along_base(-3, 2) == -6);
  CHECK(std::isnan(along_base(-3, T(0.5))));
  CHECK(along_base(-1, huge) == -huge);  // an even power
  CHECK(along_exponent(0, 0) == 0);
  CHECK(along_exponent(0, 2) == 0);
  CHECK(along_exponent(0, -1) == -infinity<T>);
  CHECK(along_exponent(infinity<T>, -1) == 0);
  CHECK(along_exponent(infinity<T>, 0) == infinity<T>);
  CHECK(along_exponent(1, huge) == 0);
  CHECK(std::isnan(along_exponent(-2, 2)));
}

TEST_CASE_TEMPLATE("what is 0 at 0 keeps the sign of zero and denormal arguments", T, float, double) {
  const auto check = [](const char* name, const auto& f) {
    for (const T x : {T(0), -T(0), std::numeric_limits<T>::denorm_min(), -3 * std::numeric_limits<T>::denorm_min()}) {
      CAPTURE(name);
      CAPTURE(x);
      CHECK(same_bits(one(f(Vec<T>(x))), x));
    }
  };
  check("expm1", [](auto a) { return expm1(a); });
  check("log1p", [](auto a) { return log1p(a); });
  check("tanh", [](auto a) { return tanh(a); });
  check("sin", [](auto a) { return sin(a); });
  check("negative of the negative", [](auto a) { return -(-a); });
  CHECK(std::signbit(one(-Vec<T>(0))));
}

TEST_CASE_TEMPLATE("limits at infinity, and NaN for NaN", T, float, double) {
  const auto check = [](const char* name, const auto& f, T left, T right) {
    CAPTURE(name);
    CHECK(one(f(Vec<T>(-infinity<T>))) == left);
    CHECK(one(f(Vec<T>(infinity<T>))) == right);
    CHECK(std::isnan(one(f(Vec<T>(not_a_number<T>)))));
  };
  check(
      "exp", [](auto a) { return exp(a); }, 0, infinity<T>);
  check(
      "scaled_exp", [](auto a) { return scaled_exp(3.0, a); }, 0, infinity<T>);
  check(
      "expm1", [](auto a) { return expm1(a); }, -1, infinity<T>);
  check(
      "tanh", [](auto a) { return tanh(a); }, -1, 1);
  check(
      "tanh_derivative", [](auto a) { return tanh_derivative(a); }, 0, 0);
  check(
      "sigmoid", [](auto a) { return sigmoid(a); }, 0, 1);
  check(
      "sigmoid_derivative", [](auto a) { return sigmoid_derivative(a); }, 0, 0);
  check(
      "softplus", [](auto a) { return softplus(a); }, 0, infinity<T>);
  check(
      "swish", [](auto a) { return swish(a); }, 0, infinity<T>);
  check(
      "swish_derivative", [](auto a) { return swish_derivative(a); }, 0, 1);
  CHECK(one(log(Vec<T>(infinity<T>))) == infinity<T>);
  CHECK(one(log1p(Vec<T>(infinity<T>))) == infinity<T>);
  CHECK(one(log1p(Vec<T>(-1))) == -infinity<T>);
  CHECK(std::isnan(one(log1p(Vec<T>(-2)))));
  CHECK(std::isnan(one(log(Vec<T>(not_a_number<T>)))));
  CHECK(std::isnan(one(log1p(Vec<T>(not_a_number<T>)))));
}

TEST_CASE_TEMPLATE("a factor of e^x may bring it back from 0 and from infinity", T, float, double) {
  const T far = sizeof(T) == 4 ? T(110) : T(750);
  const double factor = sizeof(T) == 4 ? 1e15 : 1e20;
  const auto close = [](T found, long double exact) {
    return std::abs(found - exact) <= 2 * static_cast<long double>(std::numeric_limits<T>::epsilon()) * exact;
  };
  CHECK(
      close(one(scaled_exp(factor, Vec<T>(-far))), static_cast<T>(factor) * std::exp(-static_cast<long double>(far))));
  CHECK(close(one(scaled_exp(1 / factor, Vec<T>(far - 20))),
              static_cast<T>(1 / factor) * std::exp(static_cast<long double>(far - 20))));
}
