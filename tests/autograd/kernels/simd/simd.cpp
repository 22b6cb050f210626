#include "tests/support/vectors.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using namespace xgrad::kernels;
using namespace vectors;

namespace {

/// 1, 2, 3, ...
template <class T>
Vec<T> counted() {
  Lanes<T> values;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i + 1);
  return Vec<T>::load(values.data());
}

template <class T>
bool is_set(Mask<T> mask) {
  return one(where(mask, Vec<T>(1), Vec<T>(0))) == 1;
}

}  // namespace

TEST_CASE_TEMPLATE("a vector is made of a number of any type, or of its lanes", T, float, double) {
  CHECK(one(Vec<T>(3)) == 3);
  CHECK(one(Vec<T>(2.5)) == T(2.5));
  CHECK(one(Vec<T>(true)) == 1);
  const Lanes<T> x = lanes(counted<T>());
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == static_cast<T>(i + 1));
}

TEST_CASE_TEMPLATE("a part of a vector reads and writes its lanes only, the others are 0 or what is asked for", T,
                   float, double, std::int64_t) {
  constexpr std::size_t width = Vec<T>::width;
  for (std::size_t count = 0; count <= width; ++count) {
    CAPTURE(count);
    std::vector<T> source(count);  // on the heap, where AddressSanitizer sees a read beyond the end
    for (std::size_t i = 0; i < count; ++i) source[i] = static_cast<T>(i + 1);
    const Vec<T> part = Vec<T>::load_part(source.data(), count);
    const Lanes<T> all = lanes(part), padded = lanes(Vec<T>::load_part(source.data(), count, T(7)));
    for (std::size_t i = 0; i < width; ++i) CHECK(padded[i] == (i < count ? static_cast<T>(i + 1) : T(7)));
    for (std::size_t i = 0; i < width; ++i) CHECK(all[i] == (i < count ? static_cast<T>(i + 1) : T(0)));
    std::array<T, width + 1> target;
    target.fill(T(-1));
    part.store_part(target.data(), count);
    for (std::size_t i = 0; i <= width; ++i) CHECK(target[i] == (i < count ? static_cast<T>(i + 1) : T(-1)));
    std::vector<T> exact(count);
    part.store_part(exact.data(), count);
    CHECK(exact == source);
  }
}

TEST_CASE_TEMPLATE("arithmetic works lane by lane and mixes with literals of any type", T, float, double) {
  const Vec<T> x = counted<T>();
  const Lanes<T> y = lanes((2 * x + 1.0) / 4 - (-x) * x);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const T value = static_cast<T>(i + 1);
    CHECK(y[i] == (2 * value + 1) / 4 + value * value);
  }
}

TEST_CASE_TEMPLATE("comparisons are IEEE's: with a NaN only != holds", T, float, double) {
  const Vec<T> one_(1), two(2), neither(not_a_number<T>);
  CHECK(is_set(one_ < two));
  CHECK_FALSE(is_set(two < one_));
  CHECK_FALSE(is_set(one_ < one_));
  CHECK(is_set(one_ <= one_));
  CHECK(is_set(two > one_));
  CHECK(is_set(two >= two));
  CHECK_FALSE(is_set(one_ >= two));
  CHECK(is_set(one_ == one_));
  CHECK(is_set(one_ != two));
  CHECK_FALSE(is_set(one_ != one_));
  CHECK(is_set(Vec<T>(0) == Vec<T>(-0.0)));
  for (const Vec<T> other : {one_, neither}) {
    CHECK_FALSE(is_set(neither < other));
    CHECK_FALSE(is_set(neither <= other));
    CHECK_FALSE(is_set(neither > other));
    CHECK_FALSE(is_set(neither >= other));
    CHECK_FALSE(is_set(neither == other));
    CHECK(is_set(neither != other));
    CHECK(is_set(other != neither));
  }
  CHECK(is_set(isnan(neither)));
  CHECK_FALSE(is_set(isnan(Vec<T>(infinity<T>))));
}

TEST_CASE_TEMPLATE("masks combine and choose lanes", T, float, double) {
  const Vec<T> x = counted<T>();
  const Mask<T> small = x < 3;
  const Mask<T> odd = (x == 1) | (x == 3);
  const Lanes<T> chosen = lanes(where(small & odd, Vec<T>(10), where(small || odd, Vec<T>(20), Vec<T>(30))));
  CHECK(chosen[0] == 10);
  CHECK(chosen[1] == 20);
  if (chosen.size() > 2) CHECK(chosen[2] == 20);
  if (chosen.size() > 3) CHECK(chosen[3] == 30);
  CHECK(one(where(!small, Vec<T>(1), Vec<T>(0))) == 0);
  CHECK(one(where(small && odd, 1, 2.5)) == 1);  // two plain numbers
}

TEST_CASE_TEMPLATE("a branch that is not taken may be NaN", T, float, double) {
  CHECK(one(where(Vec<T>(1) > 0, Vec<T>(1), log(Vec<T>(-1)))) == 1);
}

// docs/numerics.md has the errors over the whole range; the contract is 4.
TEST_CASE_TEMPLATE("functions are exact to about two units in the last place", T, float, double) {
  CHECK(worst_ulps<T>([](auto x) { return exp(x); }, [](long double x) { return std::exp(x); }, -80, 80) <= 2);
  CHECK(worst_ulps<T>([](auto x) { return expm1(x); }, [](long double x) { return std::expm1(x); }, -5, 5) <= 3);
  CHECK(worst_ulps<T>([](auto x) { return log(x); }, [](long double x) { return std::log(x); }, 1e-3, 1e3) <= 2);
  CHECK(worst_ulps<T>([](auto x) { return log1p(x); }, [](long double x) { return std::log1p(x); }, -0.9, 9) <= 2);
  CHECK(worst_ulps<T>([](auto x) { return sqrt(x); }, [](long double x) { return std::sqrt(x); }, 0, 100) <= 0.5);
  CHECK(worst_ulps<T>([](auto x) { return tanh(x); }, [](long double x) { return std::tanh(x); }, -9, 9) <= 3);
  CHECK(worst_ulps<T>([](auto x) { return sin(x); }, [](long double x) { return std::sin(x); }, -1.5, 1.5) <= 2);
  CHECK(worst_ulps<T>([](auto x) { return cos(x); }, [](long double x) { return std::cos(x); }, -1.5, 1.5) <= 2);
  CHECK(worst_ulps<T>([](auto x) { return pow(x, decltype(x)(2.5)); }, [](long double x) { return std::pow(x, 2.5L); },
                      0.01, 50) <= 2);
}

TEST_CASE_TEMPLATE("exact functions are exact", T, float, double) {
  for (const double x : {-2.5, -2.0, -0.5, 0.0, 0.5, 1.999, 1e6 + 0.25}) {
    CHECK(one(floor(Vec<T>(x))) == std::floor(static_cast<T>(x)));
    CHECK(one(abs(Vec<T>(x))) == std::abs(static_cast<T>(x)));
  }
}

TEST_CASE_TEMPLATE("functions take limits and NaN as the scalar ones do", T, float, double) {
  CHECK(one(exp(Vec<T>(-infinity<T>))) == 0);
  CHECK(one(exp(Vec<T>(infinity<T>))) == infinity<T>);
  CHECK(one(exp(Vec<T>(0))) == 1);
  CHECK(one(log(Vec<T>(0))) == -infinity<T>);
  CHECK(one(log(Vec<T>(1))) == 0);
  CHECK(std::isnan(one(log(Vec<T>(-1)))));
  CHECK(one(tanh(Vec<T>(infinity<T>))) == 1);
  CHECK(one(tanh(Vec<T>(-infinity<T>))) == -1);
  CHECK(std::isnan(one(sqrt(Vec<T>(-1)))));
  for (const T y :
       {one(exp(Vec<T>(not_a_number<T>))), one(expm1(Vec<T>(not_a_number<T>))), one(log(Vec<T>(not_a_number<T>))),
        one(log1p(Vec<T>(not_a_number<T>))), one(sqrt(Vec<T>(not_a_number<T>))), one(sin(Vec<T>(not_a_number<T>))),
        one(cos(Vec<T>(not_a_number<T>))), one(tanh(Vec<T>(not_a_number<T>))), one(floor(Vec<T>(not_a_number<T>))),
        one(abs(Vec<T>(not_a_number<T>)))})
    CHECK(std::isnan(y));
}

TEST_CASE_TEMPLATE("a masked product drops the NaN of zero times infinite or NaN, and no other", T, float, double) {
  const auto product = [](T g, T derivative) { return one(masked_product(Vec<T>(g), Vec<T>(derivative))); };
  CHECK(product(2, 3) == 6);
  CHECK(product(0, 3) == 0);
  CHECK(product(0, infinity<T>) == 0);  // a zero cotangent through an infinite derivative
  CHECK(product(0, -infinity<T>) == 0);
  CHECK(product(0, not_a_number<T>) == 0);         // or through a NaN
  CHECK(product(infinity<T>, 0) == 0);             // a zero derivative under an infinite cotangent
  CHECK(std::isnan(product(not_a_number<T>, 0)));  // a cotangent that is NaN already stays
  CHECK(std::isnan(product(not_a_number<T>, 2)));
  CHECK(std::isnan(product(2, not_a_number<T>)));
  CHECK(product(2, infinity<T>) == infinity<T>);
  CHECK(product(-2, infinity<T>) == -infinity<T>);
}
