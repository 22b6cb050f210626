#include "tests/support/accuracy.hpp"
#include "tests/support/reference.hpp"

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

using namespace accuracy;

// The contract (SEMANTICS, Numerics): within 4 units in the last place over the whole range, denormal results within
// one. Exact values are the C library's in double for float, in long double (64 digits) for double; tests/accuracy
// measures with every float, and with MPFR.

namespace {

/// Every 10007th float, a prime, and what is special; numbers of any size of double.
template <class T>
Arguments<T, 1> arguments() {
  std::vector<T> x = special_arguments<T>();
  if constexpr (sizeof(T) == 4) {
    for (std::uint64_t b = 0; b < std::uint64_t{1} << 32; b += 10007)
      x.push_back(std::bit_cast<T>(static_cast<std::uint32_t>(b)));
  } else {
    const std::vector<T> random = random_arguments<T>(40000, 1);
    x.insert(x.end(), random.begin(), random.end());
  }
  return {x};
}

/// Infinite where the text is beyond the range.
long double number(const nlohmann::json& text) { return std::strtold(text.get<std::string>().c_str(), nullptr); }

void check(const std::string& what, const Worst& worst) {
  CAPTURE(what);
  CAPTURE(worst.normal_at);
  CAPTURE(worst.denormal_at);
  CHECK(worst.normal <= 4);
  CHECK(worst.denormal <= 1);
}

}  // namespace

TEST_CASE_TEMPLATE("functions of one argument and their derivatives are within 4 ulp over the whole range", T, float,
                   double) {
  const auto x = arguments<T>();
  for_functions_of_one([&](const std::string& name, const auto&... how) {
    const auto [value, derivative] = measure(x, how...);
    check(name, value);
    check("derivative of " + name, derivative);
  });
}

TEST_CASE_TEMPLATE("functions of two arguments and their derivatives are within 4 ulp over the whole range", T, float,
                   double) {
  const auto pairs = random_pairs<T>(200000, 1);
  for_functions_of_two([&](const std::string& name, const auto&... how) {
    const auto worst = measure(pairs, how...);
    check(name, worst[0]);
    check(name + " along x", worst[1]);
    check(name + " along y", worst[2]);
  });
}

TEST_CASE_TEMPLATE("values and derivatives are those of mpmath at 50 digits", T, float, double) {
  const nlohmann::json functions = reference("elementary", sizeof(T) == 4 ? "float32" : "float64");
  std::size_t found = 0;
  const auto compare = [&](const std::string& name, const auto& f, auto arity) {
    if (!functions.contains(name)) return;
    ++found;
    for (const auto& row : functions.at(name)) {
      CAPTURE(name);
      CAPTURE(row.dump());
      const auto argument = [&](std::size_t i) { return std::vector<T>{static_cast<T>(number(row[i]))}; };
      const auto results = [&] {
        if constexpr (arity == 1)
          return evaluate<T>(f, argument(0));
        else
          return evaluate<T>(f, argument(0), argument(1));
      }();
      for (std::size_t k = 0; k <= arity; ++k) {
        const long double exact = number(row[arity + k]);
        const double bound = std::abs(exact) < std::numeric_limits<T>::min() ? 1 : 4;
        CHECK(units(results[k][0], exact) <= bound);
      }
    }
  };
  for_functions_of_one([&](const std::string& name, const auto& f, const auto&...) {
    compare(name, f, std::integral_constant<std::size_t, 1>());
  });
  for_functions_of_two([&](const std::string& name, const auto& f, const auto&...) {
    compare(name, f, std::integral_constant<std::size_t, 2>());
  });
  CHECK(found == functions.size());
}

TEST_CASE("the measure finds an error of one unit, at the ends of the range, too") {
  CHECK(units(1.0f, 1.0L) == 0);
  CHECK(units(std::nextafter(1.0f, 2.0f), 1.0L) == 1);
  CHECK(units(1.0, 1.0L + 0x1p-53L) == 0.5);
  CHECK(units(0.0f, static_cast<long double>(std::numeric_limits<float>::denorm_min())) == 1);
  CHECK(units(1e-6f, 1e-6L, 1.0L) < 1);
  CHECK(units(std::numeric_limits<float>::infinity(), 1e39L) == 0);
  CHECK(units(std::numeric_limits<float>::infinity(), static_cast<long double>(std::numeric_limits<float>::max())) ==
        1);
  CHECK(units(std::numeric_limits<float>::max(), 1e39L) == 1);
  CHECK(std::isinf(units(0.0f, std::numeric_limits<long double>::quiet_NaN())));
  CHECK(std::isinf(units(std::numeric_limits<float>::quiet_NaN(), 0.0L)));
  CHECK(std::isinf(units(1.0f, std::numeric_limits<long double>::infinity())));
}
