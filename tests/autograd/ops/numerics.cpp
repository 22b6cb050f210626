#include "tests/support/accuracy.hpp"
#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/creation.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace xgrad;
using accuracy::evaluate;
using accuracy::leaf;
using accuracy::units;

// Single values that formulas have lost; accuracy.cpp measures whole ranges.

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

template <class T>
T power(double x, double y) {
  const auto f = [](const Tensor& a, const Tensor& b) { return pow(a, b); };
  return evaluate<T>(f, std::vector<T>{static_cast<T>(x)}, std::vector<T>{static_cast<T>(y)})[0][0];
}

template <class T>
std::vector<T> values(const Tensor& x) {
  const auto found = x.values<T>();
  return {found.begin(), found.end()};
}

/// Element i.
template <class T>
T at(const Tensor& x, std::size_t i) {
  return values<T>(x)[i];
}

}  // namespace

TEST_CASE("powers are exact where the result is a number of the format") {
  CHECK(power<float>(5, 10) == 9765625);
  CHECK(power<float>(10, 5) == 100000);
  CHECK(power<float>(3e38, 1) == 3e38f);
  CHECK(power<float>(1e-39, 1) == 1e-39f);
  CHECK(units(power<float>(1.7e19, 2), static_cast<long double>(1.7e19f) * 1.7e19f) <= 1);
  CHECK(power<double>(3, 3) == 27);
  CHECK(power<double>(1.7e308, 1) == 1.7e308);
  CHECK(power<double>(1e-310, 1) == 1e-310);
  CHECK(units(power<double>(1e-310, -0.5), 1 / std::sqrt(static_cast<long double>(1e-310))) <= 1);
}

// IEEE 754-2008, 9.2.1, and C11, F.10.4.4; tests/autograd/kernels/simd has the whole table.
TEST_CASE_TEMPLATE("powers have the special values of IEEE 754", T, float, double) {
  CHECK(power<T>(-1, sizeof(T) == 4 ? 0x1p25 : 0x1p54) == 1);
  CHECK(power<T>(inf, 0) == 1);
  CHECK(power<T>(1, inf) == 1);
  CHECK(power<T>(-1, inf) == 1);
  CHECK(power<T>(1, std::nan("")) == 1);
  CHECK(power<T>(std::nan(""), 0) == 1);
  CHECK(power<T>(-0.0, -1) == -inf);
  CHECK(power<T>(-inf, 0.5) == inf);
  const auto to_half = [](const Tensor& x) { return pow(x, 0.5); };
  const auto halves = evaluate<T>(to_half, std::vector<T>{T(-inf), T(-0.0), T(inf), T(4)});
  CHECK(halves[0] == std::vector<T>{T(inf), 0, T(inf), 2});
  CHECK_FALSE(std::signbit(halves[0][1]));
  CHECK(halves[1] == std::vector<T>{0, T(inf), 0, T(0.25)});
}

TEST_CASE_TEMPLATE("the negative of 0 has a sign", T, float, double) {
  CHECK(std::signbit(evaluate<T>([](const Tensor& x) { return -x; }, std::vector<T>{0})[0][0]));
}

TEST_CASE_TEMPLATE("swish and mish have their limits", T, float, double) {
  for (const auto f : {&swish, &mish}) {
    const auto found = evaluate<T>(f, std::vector<T>{T(-inf), T(inf)});
    CHECK(found[0] == std::vector<T>{0, T(inf)});
    CHECK(found[1] == std::vector<T>{0, 1});
  }
}

// Exact by the definition, in 64 binary digits: log(1 + Σ of the others).
TEST_CASE("a confident row keeps the digits of its loss") {
  std::vector<float> row(64, 0);
  row[0] = 13.5f;
  const Tensor x = reshape(leaf(row), {1, 64});
  const long double exact = std::log1p(63 * std::exp(-13.5L));  // 8.637e-5
  CHECK(units(-at<float>(log_softmax(x), 0), exact) <= 4);
  CHECK(units(at<float>(softmax_cross_entropy(x, tensor({0}, int64)), 0), exact) <= 4);

  const Tensor pair = tensor({{17, 0}}, float32);
  const long double small = std::log1p(std::exp(-17.0L));  // 4.14e-8
  CHECK(units(-at<float>(log_softmax(pair), 0), small) <= 4);
  CHECK(units(at<float>(softmax_cross_entropy(pair, tensor({0}, int64)), 0), small) <= 4);
  CHECK(units(at<float>(softmax_cross_entropy(pair, tensor({{1, 0}}, float32)), 0), small) <= 4);
}

TEST_CASE_TEMPLATE("log Σ e^x near 0 keeps its digits, along any axis", T, float, double) {
  const auto along = [](std::int64_t axis) { return [axis](const Tensor& x) { return logsumexp(x, {axis}); }; };
  const long double exact = std::log1p(2 * std::exp(-17.0L));
  const std::vector<T> row{0, -17, -17};
  CHECK(units(evaluate<T>(along(0), row)[0][0], exact) <= 2);
  const auto matrix = [&](const Tensor& x) { return logsumexp(reshape(x, {3, 1}), {0}); };
  CHECK(units(evaluate<T>(matrix, row)[0][0], exact) <= 2);
  const auto found = evaluate<T>(along(0), row)[1];
  CHECK(units(found[1], std::exp(-17 - exact)) <= 8);  // e^-17 makes an error of x into 17 times as large a one
  CHECK(units(found[0], 1 / (1 + 2 * std::exp(-17.0L))) <= 2);
  CHECK(evaluate<T>(along(0), std::vector<T>{3, 3, 3})[0][0] == doctest::Approx(3 + std::log(3.0)));
}

TEST_CASE("a confident row keeps the digits of its gradient") {
  const long double p = 1 / (1 + std::exp(17.0L));  // of the other class: dx = (-p, p)
  const auto check = [&](const auto& loss) {
    const auto gradients = evaluate<float>(loss, std::vector<float>{17, 0})[1];
    CHECK(units(gradients[0], -p) <= 4);
    CHECK(units(gradients[1], p) <= 4);
  };
  check([](const Tensor& x) { return softmax_cross_entropy(reshape(x, {1, 2}), tensor({0}, int64)); });
  check([](const Tensor& x) { return mean_softmax_cross_entropy(reshape(x, {1, 2}), tensor({0}, int64)); });
  check([](const Tensor& x) { return -slice(log_softmax(x), 0, 0, 1); });
}

TEST_CASE("as many largest elements as there are share a row") {
  for (const std::int64_t n : {3, 40, 300}) {
    const Tensor equal = full({2, n}, 2.5, float64);
    const double exact = std::log(static_cast<double>(n));
    CHECK(units(at<double>(softmax_cross_entropy(equal, tensor({0, 1}, int64)), 1), exact) <= 2);
    CHECK(units(-at<double>(log_softmax(equal), 0), exact) <= 2);
  }
}

TEST_CASE("norms neither overflow nor vanish, nor do their gradients") {
  const auto f = [](const Tensor& x) { return norm(x); };
  const auto first = evaluate<float>(f, std::vector<float>{1e20f, 1, 1});
  CHECK(first[0][0] == 1e20f);
  CHECK(first[1][0] == 1);
  CHECK(units(first[1][1], 1 / static_cast<long double>(1e20f)) <= 1);
  CHECK(units(evaluate<float>(f, std::vector<float>{3e-23f, 4e-23f})[0][0],
              std::hypot(static_cast<long double>(3e-23f), static_cast<long double>(4e-23f))) <= 1);
  const Tensor rows = norm(tensor({{3e25, 4e25}}, float32), {1});
  CHECK(units(at<float>(rows, 0), std::hypot(static_cast<long double>(3e25f), static_cast<long double>(4e25f))) <= 1);
  const auto large = evaluate<double>(f, std::vector<double>{3e200, 4e200});
  CHECK(units(large[0][0], std::hypot(static_cast<long double>(3e200), static_cast<long double>(4e200))) <= 1);
  CHECK(large[1][0] == doctest::Approx(0.6).epsilon(1e-15));
}

TEST_CASE_TEMPLATE("a norm that overflows, or is denormal, has the slope x / norm nevertheless", T, float, double) {
  const T large = std::numeric_limits<T>::max(), least = std::numeric_limits<T>::denorm_min();
  const auto f = [](const Tensor& x) { return sum(norm(reshape(x, {4, 2}), 1)); };
  const auto slope = evaluate<T>(f, std::vector<T>{large, large, 2 * least, 3 * least, 3, 4, 0, 0})[1];
  const std::vector<long double> expected = {
      std::sqrt(0.5L), std::sqrt(0.5L), 2 / std::sqrt(13.0L), 3 / std::sqrt(13.0L), 0.6L, 0.8L, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(units(slope[i], expected[i]) <= 2);
}

// Along (1, ..., 1)·t + x for infinite elements, t to infinity: x/√(Σ x²) goes to 1/√k for k of them.
TEST_CASE_TEMPLATE("infinite elements share the slope of a norm, others have none", T, float, double) {
  const auto f = [](const Tensor& x) { return sum(norm(reshape(x, {4, 3}), 1)); };
  const T infinite = static_cast<T>(inf), large = std::numeric_limits<T>::max();
  const auto found = evaluate<T>(f, std::vector<T>{infinite, -infinite, 1, 0, infinite, large, 3, 0, 4, large, 0, 0});
  const std::vector<long double> expected = {std::sqrt(0.5L), -std::sqrt(0.5L), 0, 0, 1, 0, 0.6L, 0, 0.8L, 1, 0, 0};
  CHECK(found[0][0] == infinite);
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(units(found[1][i], expected[i]) <= 2);
  const auto one = [](const Tensor& x) { return norm(x); };
  const auto beside_nan = evaluate<T>(one, std::vector<T>{infinite, std::numeric_limits<T>::quiet_NaN()});
  for (const T slope : beside_nan[1]) CHECK(std::isnan(slope));
}

// var = x² and its slopes 2·(±x)/2; the deviation is x, with the slopes ±½.
TEST_CASE_TEMPLATE("a variance that overflows has its slopes, and a deviation is in the range", T, float, double) {
  const T x = std::numeric_limits<T>::max() / T(1.125);
  const std::vector<T> pair{x, -x};
  CHECK(evaluate<T>([](const Tensor& a) { return var(a); }, pair)[0][0] == T(inf));
  CHECK(evaluate<T>([](const Tensor& a) { return var(a); }, pair)[1] == pair);
  CHECK(evaluate<T>([](const Tensor& a) { return sum(var(reshape(a, {2, 1}), {0})); }, pair)[1] == pair);
  const auto deviation = evaluate<T>([](const Tensor& a) { return norm(centred(a) / std::sqrt(2.0)); }, pair);
  CHECK(units(deviation[0][0], x) <= 2);
  CHECK(units(deviation[1][0], 0.5L) <= 2);
  CHECK(units(deviation[1][1], -0.5L) <= 2);
}

TEST_CASE("the variance of numbers beside a large mean is theirs, not that of roundings") {
  CHECK(var(full({1000}, 1e8 + 8, float32)).item() == 0);
  std::vector<float> steps(8);
  for (int k = 0; k < 8; ++k) steps[static_cast<std::size_t>(k)] = 1e8f + 8.0f * static_cast<float>(k);
  CHECK(var(leaf(steps)).item() == 336);  // 64·(8² - 1)/12
  CHECK(var(tensor({1e7, 1e7 + 1, 1e7 + 2, 1e7 + 3}, float32)).item() == 1.25);

  std::mt19937 random(1);
  std::vector<float> many(1000000);
  std::int64_t total = 0, squares = 0;
  for (float& x : many) {
    const int k = static_cast<int>(random() % 8);
    x = 1e8f + 8.0f * static_cast<float>(k);
    total += k;
    squares += k * k;
  }
  const double mean_k = static_cast<double>(total) / 1e6;
  const double exact = 64 * (static_cast<double>(squares) / 1e6 - mean_k * mean_k);
  for (const Shape& shape : {Shape{1000000}, Shape{1000000, 1}, Shape{1000, 1000}})
    CHECK(var(reshape(leaf(many), shape)).item() == doctest::Approx(exact).epsilon(1e-6));
}

TEST_CASE("elements less their mean have an adjoint of the same kind, over any axes") {
  const Tensor x = tensor({{1, 2, 6}, {3, 3, 9}}, float64);
  CHECK(values<double>(centred(x, {1})) == std::vector<double>{-2, -1, 3, -2, -2, 4});
  CHECK(values<double>(centred(x, {0})) == std::vector<double>{-1, -0.5, -1.5, 1, 0.5, 1.5});
  CHECK(values<double>(centred(x)) == std::vector<double>{-3, -2, 2, -1, -1, 5});
  // Axes 0 and 2 of (2, 3, 2), which are not adjacent.
  std::vector<double> numbers(12);
  for (std::size_t i = 0; i < 12; ++i) numbers[i] = static_cast<double>(i * i);
  const Tensor y = tensor(numbers, {2, 3, 2}, float64);
  const Tensor plain = y - mean(y, {0, 2}, true), found = centred(y, {0, 2});
  for (std::size_t i = 0; i < 12; ++i) CHECK(at<double>(found, i) == at<double>(plain, i));
}

TEST_CASE("sums and means of whole tensors keep what float32 would lose") {
  std::vector<float> cancelling;
  for (int i = 0; i < 1000; ++i) cancelling.insert(cancelling.end(), {1e8f, 1.0f, -1e8f});
  CHECK(sum(leaf(cancelling)).item() == 1000);
  CHECK(mean(full({100}, 3e38, float32)).item() == static_cast<double>(3e38f));
  CHECK(mean(full({100, 3}, 3e38, float32), {0}).item({1}) == static_cast<double>(3e38f));
}

TEST_CASE("sums and means of float64 are in the range where they are, whatever is on the way") {
  constexpr double most = std::numeric_limits<double>::max(), large = 0x1.8p1023;
  for (const std::int64_t n : {1, 3, 16, 5000})
    for (const Shape& shape : {Shape{n, 1, 1}, Shape{1, n, 1}, Shape{1, n, 3}}) {
      CAPTURE(shape);
      const Tensor x = full(shape, most, float64);
      CHECK(units(mean(x, {0, 1}).item({0}), most) <= 1);
      CHECK(sum(x, {0, 1}).item({0}) == (n == 1 ? most : inf));
      CHECK(max(abs(centred(x, {0, 1}))).item() == 0);
    }
  const Tensor cancelling = tensor({large, large, -large, -large, 5}, float64);
  CHECK(sum(cancelling).item() == 5);
  CHECK(mean(cancelling).item() == 1);
  CHECK(sum(reshape(tensor({large, 1, large, 2, -large, 3}, float64), {3, 2}), 0).item({0}) == large);
  CHECK(sum(tensor({inf, most, most}, float64)).item() == inf);
  CHECK(std::isnan(sum(tensor({inf, -inf, most, most}, float64)).item()));
  // The mean is large/3: one difference overflows, the others are what they are.
  const Tensor differences = centred(tensor({large, -large, large}, float64));
  CHECK(differences.item({1}) == -inf);
  CHECK(units(differences.item({0}), 2.0L / 3 * large) <= 1);
}

TEST_CASE_TEMPLATE("a product is in the range where it is, whatever is on the way, and so are its slopes", T, float,
                   double) {
  const double large = sizeof(T) == 4 ? 0x1p100 : 0x1p1000, small = 1 / large;
  const auto f = [](const Tensor& x) { return sum(prod(x, {0})); };
  const auto of = [&](std::vector<double> factors, std::int64_t columns) {
    const auto count = static_cast<std::int64_t>(factors.size());
    const auto of_columns = [&](const Tensor& x) { return f(x * ones({1, columns}, x.dtype())); };
    const auto as_column = [&](const Tensor& x) { return of_columns(reshape(x, {count, 1})); };
    return evaluate<T>(as_column, std::vector<T>(factors.begin(), factors.end()));
  };
  for (const int columns : {1, 5}) {
    const auto found = of({large, small, large, small}, columns);
    const T size = static_cast<T>(columns);
    CHECK(found[0][0] == size);
    CHECK(found[1] == std::vector<T>{T(small) * size, T(large) * size, T(small) * size, T(large) * size});
    CHECK(of({large, large, large, 0, -1}, columns)[0][0] == 0);
    CHECK(of({large, large, -1}, columns)[0][0] == T(-inf));
    CHECK(of({small, small}, columns)[0][0] == 0);
    CHECK(std::isnan(of({inf, 0}, columns)[0][0]));
    std::vector<double> many(3000, large);
    std::fill(many.begin() + 1500, many.end(), small);
    CHECK(of(many, columns)[0][0] == size);
  }
  // d²/dx₀dx₁ is the product of the others.
  const Tensor x = leaf(std::vector<T>{T(large), T(small), T(large), T(small)});
  Tape tape;
  const Tensor g = tape.backward(prod(x), {.differentiable = true})[x];
  CHECK(tape.backward(slice(g, 0, 0, 1), tensor({1}, x.dtype()))[x].item({1}) == 1);
}

TEST_CASE("int64 adds, subtracts, multiplies, compares, sums and finds extremes exactly, or says that it cannot") {
  constexpr std::int64_t large = (std::int64_t{1} << 53) + 1;  // no double
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max(),
                         least = std::numeric_limits<std::int64_t>::min();
  const auto of = [](const std::vector<std::int64_t>& values, const Shape& shape) {
    return tensor(values, shape, int64);
  };
  const auto numbers = [](const Tensor& x) {
    const auto values = x.values<std::int64_t>();
    return std::vector<std::int64_t>(values.begin(), values.end());
  };
  using Integers = std::vector<std::int64_t>;
  CHECK(numbers(arange(3) + 1) == Integers{1, 2, 3});
  CHECK(numbers(2 - arange(3)) == Integers{2, 1, 0});
  const Tensor x = of({large, -large, 3, most}, {2, 2});
  CHECK(numbers(x + of({1, -1}, {2})) == Integers{large + 1, -large - 1, 4, most - 1});
  CHECK(numbers(of({large, 3}, {2}) * of({3}, {1})) == Integers{3 * large, 9});
  CHECK(numbers(of({least}, {1}) - of({least}, {1})) == Integers{0});
  CHECK(numbers(maximum(of({large, 1}, {2}), of({large - 1, 2}, {2}))) == Integers{large, 2});
  CHECK(numbers(minimum(of({large, 1}, {2}), of({large - 1, 2}, {2}))) == Integers{large - 1, 1});
  CHECK(numbers(where(gt(of({large, 1}, {2}), of({large - 1, 2}, {2})), of({5, 6}, {2}), of({7, 8}, {2}))) ==
        Integers{5, 8});
  CHECK(expect::values(where(of({1, 0}, {2}), tensor({1, 2}), tensor({3, 4}))) == std::vector<double>{1, 4});
  CHECK(numbers(sum(of({most, 1, -most, large}, {4}))) == Integers{large + 1});  // beyond int64 on the way
  CHECK(numbers(sum(x, 0)) == Integers{large + 3, most - large});
  CHECK(sum(x, 0, true).shape() == Shape{1, 2});
  CHECK(numbers(sum(of({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2}), {0, 2})) == Integers{14, 22});
  CHECK(numbers(max(x, 1)) == Integers{large, most});
  CHECK(numbers(min(x)) == Integers{-large});
  CHECK(numbers(max(of({least}, {1}))) == Integers{least});
  const auto error = [](const auto& f) { return expect::error_of(f); };
  CHECK(
      error([&] { x + 1; }) ==
      "ValueError: add: 9223372036854775807 and 1 at element 3: the result is not in int64; convert with to(float64)");
  CHECK(error([&] { of({least}, {1}) - 1; }).find("ValueError: sub: ") == 0);
  CHECK(error([&] { x* x; }).find("ValueError: mul: ") == 0);
  CHECK(error([&] {
          sum(of({most, 1}, {2}));
        }) == "ValueError: sum: result 0 is not in int64; convert with to(float64)");
  CHECK(error([&] { max(of({}, {0})); }).find("ShapeError: max") == 0);
  CHECK(error([&] { arange(3) + tensor({1, 2, 3}); }).find("TypeError: ") == 0);
  CHECK(error([&] { arange(3) + 0.5; }).find("TypeError: ") == 0);
  CHECK(error([&] { mean(arange(3)); }).find("TypeError: mean") == 0);
}
