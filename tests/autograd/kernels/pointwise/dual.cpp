#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/kernels/pointwise/dual.hpp>

#include <array>
#include <cmath>
#include <limits>

using namespace xgrad::kernels;

namespace {

using V = Vec<double>;

double one(V x) {
  std::array<double, V::width> lanes;
  x.store(lanes.data());
  return lanes[0];
}

struct Derivatives {
  double value;
  double first;
  double second;
};

/// f, f' and f'' at x by duals over duals, as the kernels make them; a derivative that f lost counts as 0.
template <class F>
Derivatives derivatives(const F& f, double x) {
  const auto y = f(dual<2>(dual<1>(V(x), V(1)), V(1)));
  using Y = std::remove_const_t<decltype(y)>;
  if constexpr (tag_of<Y> == 0) {
    return {one(y), 0, 0};
  } else {
    const auto value = y.value;
    const auto derivative = y.derivative;
    Derivatives result{one(primal(value)), one(primal(derivative)), 0};
    if constexpr (tag_of<std::remove_const_t<decltype(derivative)>> == 1) result.second = one(derivative.derivative);
    return result;
  }
}

/// ∂²f/∂x∂y with x perturbed first.
template <class F>
double mixed(const F& f, double x, double y) {
  return one(f(dual<1>(V(x), V(1)), dual<2>(V(y), V(1))).derivative.derivative);
}

template <class F>
void check(const F& f, double x, const Derivatives& expected, double tolerance = 1e-13) {
  CAPTURE(x);
  const Derivatives found = derivatives(f, x);
  CHECK(found.value == doctest::Approx(expected.value).epsilon(tolerance));
  CHECK(found.first == doctest::Approx(expected.first).epsilon(tolerance));
  CHECK(found.second == doctest::Approx(expected.second).epsilon(tolerance));
}

}  // namespace

TEST_CASE("sums, products and quotients follow the rules of Leibniz to second order") {
  for (const double x : {-1.5, -0.25, 0.5, 2.0}) {
    check([](auto a) { return a + a * 3.0 - 1; }, x, {4 * x - 1, 4, 0});
    check([](auto a) { return 2.0 - a; }, x, {2 - x, -1, 0});
    check([](auto a) { return -a * a; }, x, {-x * x, -2 * x, -2});
    check([](auto a) { return a * a * a; }, x, {x * x * x, 3 * x * x, 6 * x});
    check([](auto a) { return 1 / a; }, x, {1 / x, -1 / (x * x), 2 / (x * x * x)});
    check([](auto a) { return a / 4.0; }, x, {x / 4, 0.25, 0});
    check([](auto a) { return (a + 3) / (a - 5); }, x,
          {(x + 3) / (x - 5), -8 / std::pow(x - 5, 2), 16 / std::pow(x - 5, 3)});
  }
}

TEST_CASE("elementary functions have their derivatives") {
  for (const double x : {0.125, 0.7, 1.9}) {
    check([](auto a) { return exp(a); }, x, {std::exp(x), std::exp(x), std::exp(x)});
    check([](auto a) { return expm1(a); }, x, {std::expm1(x), std::exp(x), std::exp(x)});
    check([](auto a) { return log(a); }, x, {std::log(x), 1 / x, -1 / (x * x)});
    check([](auto a) { return log1p(a); }, x, {std::log1p(x), 1 / (1 + x), -1 / std::pow(1 + x, 2)});
    check([](auto a) { return sqrt(a); }, x, {std::sqrt(x), 0.5 / std::sqrt(x), -0.25 * std::pow(x, -1.5)});
    check([](auto a) { return sin(a); }, x, {std::sin(x), std::cos(x), -std::sin(x)});
    check([](auto a) { return cos(a); }, x, {std::cos(x), -std::sin(x), -std::cos(x)});
    const double t = std::tanh(x);
    check([](auto a) { return tanh(a); }, x, {t, 1 - t * t, -2 * t * (1 - t * t)});
    const double s = 1 / (1 + std::exp(-x));
    check([](auto a) { return sigmoid(a); }, x, {s, s * (1 - s), s * (1 - s) * (1 - 2 * s)});
    check([](auto a) { return softplus(a); }, x, {std::log1p(std::exp(x)), s, s * (1 - s)});
    check([](auto a) { return swish(a); }, x, {x * s, s + x * s * (1 - s), s * (1 - s) * (2 + x * (1 - 2 * s))});
    check([](auto a) { return scaled_exp(3.0, a); }, x, {3 * std::exp(x), 3 * std::exp(x), 3 * std::exp(x)});
    check([](auto a) { return abs(-a); }, x, {x, 1, 0});
  }
}

TEST_CASE("the chain rule goes through compositions") {
  for (const double x : {0.3, 1.1}) {
    const double e = std::exp(std::sin(x));
    check([](auto a) { return exp(sin(a)); }, x, {e, e * std::cos(x), e * (std::cos(x) * std::cos(x) - std::sin(x))});
    const double q = 1 + x * x;
    check([](auto a) { return log(1 + a * a); }, x, {std::log(q), 2 * x / q, 2 * (1 - x * x) / (q * q)});
  }
}

TEST_CASE("powers have the derivatives of both arguments") {
  for (const double x : {0.4, 1.7})
    for (const double y : {-1.5, 0.5, 3.0}) {
      CAPTURE(y);
      const double p = std::pow(x, y);
      const double l = std::log(x);
      check([y](auto a) { return pow(a, y); }, x, {p, y * p / x, y * (y - 1) * p / (x * x)}, 1e-12);
      check([x](auto b) { return pow(x, b); }, y, {p, p * l, p * l * l}, 1e-12);
      CHECK(mixed([](auto a, auto b) { return pow(a, b); }, x, y) ==
            doctest::Approx(p / x * (1 + y * l)).epsilon(1e-12));  // ∂/∂y y·x^(y-1)
    }
}

TEST_CASE("the mixed second derivative of x^y at y = 0 is 1/x, though its derivative along x is 0 there") {
  const auto f = [](auto a, auto b) { return pow(a, b); };
  for (const double x : {0.4, 1.0, 2.5}) CHECK(mixed(f, x, 0) == doctest::Approx(1 / x).epsilon(1e-14));
}

// SEMANTICS: x^0 has derivative 0, x^1 derivative 1, at 0 too; 0^y for y > 0 does not grow with y.
TEST_CASE("powers at zero have the declared derivatives") {
  const auto to_the = [](double y) { return [y](auto a) { return pow(a, y); }; };
  CHECK(derivatives(to_the(0), 0).value == 1);
  CHECK(derivatives(to_the(0), 0).first == 0);
  CHECK(derivatives(to_the(1), 0).value == 0);
  CHECK(derivatives(to_the(1), 0).first == 1);
  CHECK(derivatives(to_the(1), 0).second == 0);
  CHECK(derivatives(to_the(2), 0).first == 0);
  CHECK(derivatives(to_the(2), 0).second == 2);
  CHECK(derivatives(to_the(0.5), 0).first == std::numeric_limits<double>::infinity());
  CHECK(derivatives([](auto b) { return pow(0.0, b); }, 2).first == 0);
}

TEST_CASE("mixed second derivatives do not depend on which input is perturbed first") {
  const auto f = [](auto a, auto b) { return sin(a * b) + a / b; };
  const auto turned = [&f](auto b, auto a) { return f(a, b); };
  for (const double x : {0.4, -1.2})
    for (const double y : {0.9, 2.5}) {
      const double expected = std::cos(x * y) - x * y * std::sin(x * y) - 1 / (y * y);
      CHECK(mixed(f, x, y) == doctest::Approx(expected).epsilon(1e-13));
      CHECK(mixed(turned, y, x) == doctest::Approx(expected).epsilon(1e-13));
    }
}

TEST_CASE("where picks value and derivative of one branch") {
  const auto f = [](auto a) { return where(a > 1, a * a, 3 * a); };
  check(f, 2, {4, 4, 2});
  check(f, 0.5, {1.5, 3, 0});
  check([](auto a) { return where(a <= 0, 0, a); }, 2, {2, 1, 0});
  check([](auto a) { return where(a <= 0, 0, a); }, -2, {0, 0, 0});
  check([](auto a) { return where(a < 0, -1, 1); }, 2, {1, 0, 0});
  check([](auto a) { return where(a > 0, a, exp(a)); }, -1, {std::exp(-1), std::exp(-1), std::exp(-1)});
}

TEST_CASE("comparisons and isnan look at the value alone") {
  const auto x = dual<2>(dual<1>(V(1), V(7)), V(-3));
  const auto holds = [](Mask<double> mask) { return one(where(mask, V(1), V(0))) == 1; };
  CHECK(holds(x == 1));
  CHECK(holds(x < 2));
  CHECK(holds(0 < x));
  CHECK(holds(x >= x));
  CHECK(holds(x <= V(1)));
  CHECK_FALSE(holds(x > 1));
  CHECK_FALSE(holds(x != 1.0));
  CHECK_FALSE(holds(isnan(x)));
  CHECK(holds(isnan(x * std::nan(""))));
}

TEST_CASE("step functions lose the derivative altogether, so that no work is done for it") {
  const auto x = dual<1>(V(-2.5), V(1));
  static_assert(tag_of<decltype(sign(x))> == 0 && tag_of<decltype(floor(x))> == 0);
  static_assert(tag_of<decltype(sign(x) * V(2))> == 0);
  CHECK(one(sign(x)) == -1);
  CHECK(one(floor(x)) == -3);
  CHECK(one(sign(dual<1>(V(0), V(1)))) == 0);
  CHECK(std::isnan(one(sign(V(std::nan(""))))));
  CHECK(derivatives([](auto a) { return abs(a); }, 0).first == 0);
}

TEST_CASE("a linear function has a derivative that is a plain number, and no curvature") {
  const auto y = 3.0 * dual<2>(dual<1>(V(2), V(1)), V(1)) + 1.0;
  static_assert(tag_of<decltype(y.derivative)> == 0);
  CHECK(one(y.derivative) == 3);
}

TEST_CASE("at a tie the derivatives are averaged") {
  const auto a = dual<1>(V(2), V(1));
  CHECK(one(tie(a, V(2)).derivative) == 0.5);
  CHECK(one(tie(V(2), a).derivative) == 0.5);
  CHECK(one(tie(a, dual<1>(V(2), V(3))).derivative) == 2);
  CHECK(one(primal(tie(a, V(2)))) == 2);
}

TEST_CASE("sigmoid and softplus neither overflow nor lose their derivative at extreme values") {
  const auto sigma = [](auto a) { return sigmoid(a); };
  const auto plus = [](auto a) { return softplus(a); };
  check(sigma, 1e4, {1, 0, 0});
  check(sigma, -1e4, {0, 0, 0});
  check(sigma, 0, {0.5, 0.25, 0});
  check(plus, 1e4, {1e4, 1, 0});
  check(plus, -1e4, {0, 0, 0});
  check(plus, 0, {std::log(2.0), 0.5, 0.25});
  CHECK(derivatives(sigma, -40).first == doctest::Approx(std::exp(-40.0)).epsilon(1e-14));
  CHECK(derivatives(plus, -40).value == doctest::Approx(std::exp(-40.0)).epsilon(1e-14));
}

TEST_CASE("a derivative of the author's own replaces the derived one, to second order") {
  // x / (1 + exp(-x)) written without care, with the derivative s + x·s·(1 - s) that is stable.
  const auto swish = [](auto a) {
    return with_derivative([](auto x) { return x / (1 + exp(-x)); },
                           [](auto x) { return sigmoid(x) * (1 + x * sigmoid(-x)); }, a);
  };
  const auto expected = [](double x) {
    const double s = 1 / (1 + std::exp(-x));
    const double d = s * (1 - s);
    return Derivatives{x * s, s + x * d, 2 * d + x * d * (1 - 2 * s)};
  };
  for (const double x : {-3.0, 0.0, 1.25}) check(swish, x, expected(x));
  const Derivatives far = derivatives(swish, -800);
  CHECK(far.first == 0);
  CHECK(far.second == 0);
  CHECK(one(swish(V(1.25))) == doctest::Approx(expected(1.25).value).epsilon(1e-14));
}
