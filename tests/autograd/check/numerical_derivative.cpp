#include <autograd/check/numerical_derivative.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

using namespace xgrad;

namespace {

/// The derivative of a plain function.
NumericalDerivative derivative_of(const std::function<double(double)>& f, double x, double typical = 1) {
  return NumericalDerivative(
      [f, x](double h) {
        const double low = f(x - h), here = f(x), high = f(x + h);
        const auto quotient = [h](double from, double to, double distance) {
          return Quotient{h, (to - from) / distance, 4e-16 * std::max(std::abs(from), std::abs(to)) / distance};
        };
        return Quotients{quotient(low, here, h), quotient(here, high, h), quotient(low, high, 2 * h)};
      },
      x, typical);
}

}  // namespace

TEST_CASE("numerical derivatives keep to their error estimates, over many orders of magnitude") {
  struct Case {
    std::function<double(double)> f;
    double x;
    double exact;
  };
  const std::vector<Case> cases = {
      {[](double x) { return std::exp(x); }, 1.0, std::exp(1.0)},
      {[](double x) { return std::exp(x); }, -40.0, std::exp(-40.0)},
      {[](double x) { return std::tanh(x); }, 0.5, 1 - std::tanh(0.5) * std::tanh(0.5)},
      {[](double x) { return std::log(x); }, 1e-5, 1e5},
      {[](double x) { return std::log(x); }, 1e-300, 1e300},
      {[](double x) { return 1 / x; }, 1e-3, -1e6},
      {[](double x) { return std::sin(x); }, 1e4, std::cos(1e4)},
      {[](double x) { return std::sin(1000 * x); }, 1.0, 1000 * std::cos(1000.0)},
      // One whole period in 1/16, the first step: the same value at every step of a ladder of powers of two.
      {[](double x) { return std::sin(32 * std::numbers::pi * x); }, 1.0, 32 * std::numbers::pi},
      {[](double x) { return x * x * x; }, 1e8, 3e16},
      {[](double x) { return std::sqrt(x); }, 4e-12, 0.25e6},
      {[](double x) { return std::max(x, 0.0); }, 1e-3, 1.0},
      {[](double x) { return std::max(x, 0.0); }, -1e-3, 0.0},
      {[](double x) { return std::exp(-x * x * 1e8); }, 1e-4, -2e4 * std::exp(-1.0)}};
  for (const Case& c : cases) {
    CAPTURE(c.x);
    CAPTURE(c.exact);
    NumericalDerivative derivative = derivative_of(c.f, c.x);
    const double wanted = 1e-9 * std::abs(c.exact);
    if (!derivative.quick(wanted, 1e3 * wanted) || derivative.central().error > 1e3 * wanted) derivative.thorough();
    CHECK(std::abs(derivative.central().value - c.exact) <= derivative.central().error);
    CHECK(derivative.central().error <= 1e-7 * std::max(std::abs(c.exact), 1e-3));
  }
}

TEST_CASE("one-sided slopes tell a kink, a jump and the edge of a domain") {
  NumericalDerivative kink = derivative_of([](double x) { return x < 0 ? -2 * x : std::expm1(x); }, 0);
  CHECK_FALSE(kink.quick(1e-9, 1e-6));
  kink.thorough();
  CHECK(std::abs(kink.left().value + 2) < 1e-9);
  CHECK(std::abs(kink.right().value - 1) < 1e-9);
  CHECK_FALSE(kink.jumps());

  NumericalDerivative jump = derivative_of([](double x) { return std::floor(x); }, 1);
  CHECK_FALSE(jump.quick(1e-9, 1e-6));
  jump.thorough();
  CHECK(jump.jumps());
  CHECK(jump.left().value == std::numeric_limits<double>::infinity());
  CHECK(jump.right().value == 0);

  NumericalDerivative edge = derivative_of([](double x) { return x * x * std::sqrt(x - 1) / std::sqrt(x - 1); }, 1);
  edge.thorough();
  CHECK_FALSE(edge.central().defined());  // 0/0 at the point itself
  NumericalDerivative inside = derivative_of([](double x) { return x < 1 ? std::nan("") : x * x; }, 1);
  CHECK_FALSE(inside.quick(1e-9, 1e-6));
  inside.thorough();
  CHECK_FALSE(inside.left().defined());
  CHECK(std::abs(inside.central().value - 2) < 1e-9);
}
