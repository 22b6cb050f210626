#include "tests/support/expect.hpp"
#include "tests/support/reference.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/creation.hpp>
#include <nn/data/scaler.hpp>

#include <limits>
#include <string>
#include <vector>

using namespace xgrad;
using expect::error_of;
using nn::Scaler;

TEST_CASE("standard and min_max scaling agree with scikit-learn") {
  std::size_t cases = 0;
  for (const auto& sample : reference("scikit_learn", "scaling")) {
    ++cases;
    const auto values = sample["x"].get<std::vector<double>>();
    const std::int64_t columns = sample["columns"];
    const Tensor x = tensor(values, {static_cast<std::int64_t>(values.size()) / columns, columns}, float64);
    const Scaler standard = Scaler::standard(x);
    CHECK(expect::difference(standard.centers(), sample["mean"].get<std::vector<double>>()) < 1e-12);
    CHECK(expect::difference(standard.spreads(), sample["deviation"].get<std::vector<double>>()) < 1e-12);
    CHECK(expect::difference(standard.apply(x), sample["standard"].get<std::vector<double>>()) < 1e-10);
    const Scaler min_max = Scaler::min_max(x, sample["low"], sample["high"]);
    CHECK(expect::difference(min_max.apply(x), sample["min_max"].get<std::vector<double>>()) < 1e-10);
    for (const Scaler& scaler : {standard, min_max})
      CHECK(expect::difference(scaler.invert(scaler.apply(x)), x) < 1e-12);
  }
  CHECK(cases == 2);
}

TEST_CASE("a scaler fitted to training rows maps other rows by the same constants") {
  const Scaler standard = Scaler::standard(tensor({{1, 10}, {3, 30}}, float64));  // means 2, 20; deviations 1, 10
  CHECK(expect::values(standard.apply(tensor({{5, 20}, {2, 0}}, float64))) == std::vector<double>{3, 0, 0, -2});
  const Scaler min_max = Scaler::min_max(tensor({{1, 10}, {3, 30}}, float64));
  CHECK(expect::values(min_max.apply(tensor({{5, 20}, {1, 0}}, float64))) == std::vector<double>{2, 0.5, 0, -0.5});
  const Scaler saved(standard.centers(), standard.spreads());
  CHECK(expect::values(saved.invert(tensor({{3, 0}, {0, -2}}, float64))) == std::vector<double>{5, 20, 2, 0});
}

TEST_CASE("a table of one column may be flat, and the dtype stays") {
  const Scaler scaler = Scaler::min_max(tensor({2.0, 4.0, 3.0}));
  const Tensor y = scaler.apply(tensor({2.0, 4.0, 3.0}));
  CHECK(y.dtype() == float32);
  CHECK(y.shape() == Shape{3});
  CHECK(expect::values(y) == std::vector<double>{0, 1, 0.5});
  CHECK(scaler.apply(tensor({{2}, {4}}, float64)).dtype() == float64);
}

TEST_CASE("a large mean costs no digits") {
  // 1e9 + {0, 1, 2}: variance 2/3.
  const Scaler scaler = Scaler::standard(tensor({1e9, 1e9 + 1, 1e9 + 2}, float64));
  CHECK(scaler.centers()[0] == 1e9 + 1);
  CHECK(scaler.spreads()[0] == doctest::Approx(std::sqrt(2.0 / 3)).epsilon(1e-14));
}

// The mean of s and 3·s is 2·s, the deviation s; of ±s 0 and s.
TEST_CASE("numbers whose squares or differences leave the range are scaled like others") {
  for (const double size : {1e-310, 1e-200, 1e200, 1.7e308}) {
    CAPTURE(size);
    const Scaler scaler = Scaler::standard(tensor({-size, size}, float64));
    CHECK(scaler.centers()[0] == 0);
    CHECK(scaler.spreads()[0] == doctest::Approx(size).epsilon(1e-13));
    if (size > 1e307) continue;
    const Tensor x = tensor({size, 3 * size}, float64), y = Scaler::standard(x).apply(x);
    CHECK(y.item({0}) == doctest::Approx(-1).epsilon(1e-13));
    CHECK(y.item({1}) == doctest::Approx(1).epsilon(1e-13));
  }
}

TEST_CASE("missing numbers are left out of a fit on request, and filled with the center") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = tensor({{1, 5}, {nan, 7}, {3, nan}}, float64);
  const Scaler standard = Scaler::standard(x, {}, {.missing = true});  // means 2, 6; deviations 1, 1
  CHECK(standard.centers() == std::vector<double>{2, 6});
  CHECK(standard.spreads() == std::vector<double>{1, 1});
  CHECK(expect::values(standard.fill(x)) == std::vector<double>{1, 5, 2, 7, 3, 6});
  CHECK(expect::values(standard.apply(standard.fill(x))) == std::vector<double>{-1, -1, 0, 1, 1, 0});
  CHECK(standard.fill(x.to(float32)).dtype() == float32);
  const Scaler min_max = Scaler::min_max(x, 0, 1, {}, {.missing = true});
  CHECK(min_max.centers() == std::vector<double>{1, 5});
  CHECK(min_max.spreads() == std::vector<double>{2, 2});
  CHECK(error_of([&] {
          Scaler::standard(tensor({{nan}, {nan}}), std::vector<std::string>{"age"}, {.missing = true});
        }) == "ValueError: age: Scaler: every number is missing; leave the column out");
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(error_of([&] {
          Scaler::standard(tensor({{1}, {infinity}}), {}, {.missing = true});
        }) == "ValueError: column 0: Scaler: inf in row 1; need finite numbers");
}

TEST_CASE("a constant column is brought to one number on request, as in scikit-learn") {
  const Tensor x = tensor({{0.1, 1}, {0.1, 2}}, float64);
  CHECK(expect::values(Scaler::standard(x, {}, {.constant = true}).apply(x)) == std::vector<double>{0, -1, 0, 1});
  CHECK(expect::values(Scaler::min_max(x, 0, 1, {}, {.constant = true}).apply(x)) == std::vector<double>{0, 0, 0, 1});
}

TEST_CASE("a constant column, a NaN and other tables are refused by name") {
  const std::vector<std::string> names = {"iris.csv:1:1: width", "iris.csv:1:7: length"};
  // 0.1 has no exact mean: its deviation would come out as rounding noise.
  const Tensor constant = tensor({{1, 0.1}, {2, 0.1}, {4, 0.1}}, float64);
  for (const auto& fit :
       {+[](const Tensor&x, const std::vector<std::string>&n) { return Scaler::standard(x, n); },
        +[](const Tensor&x, const std::vector<std::string>&n) { return Scaler::min_max(x, 0, 1, n); }}) {
    CHECK(error_of([&] { fit(constant, names); }) ==
          "ValueError: iris.csv:1:7: length: Scaler: constant, 0.1 in all 3 rows; leave the column out");
    CHECK(error_of([&] { fit(constant, {}); }).starts_with("ValueError: column 1: Scaler: constant"));
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(error_of([&] {
            fit(tensor({{1, 2}, {nan, 3}}), names);
          }) == "ValueError: iris.csv:1:1: width: Scaler: nan in row 1; need finite numbers");
    CHECK(error_of([&] { fit(zeros({0, 2}), {}); }).starts_with("ValueError: Scaler: the table is (0, 2)"));
    CHECK(error_of([&] {
            fit(tensor({{1}, {2}}), names);
          }).starts_with("ShapeError: Scaler: the table is (2, 1) with 2"));
    CHECK(error_of([&] { fit(zeros({2, 2, 2}), {}); }).starts_with("ShapeError: Scaler: the table is (2, 2, 2)"));
    CHECK(error_of([&] { fit(arange(3), {}); }).starts_with("TypeError: Scaler: "));
  }
  const Scaler scaler = Scaler::standard(tensor({{1, 2}, {2, 4}}));
  CHECK(error_of([&] {
          scaler.apply(zeros({3, 3}));
        }).starts_with("ShapeError: Scaler: the table is (3, 3), the scaler"));
  CHECK(error_of([&] { scaler.invert(zeros({3})); }).starts_with("ShapeError: Scaler: "));
  CHECK(error_of([] {
          Scaler::min_max(tensor({1.0, 2.0}), 1, 1);
        }).starts_with("ValueError: Scaler: min_max to [1, 1]"));
  CHECK(error_of([] { Scaler({0}, {0}); }).starts_with("ValueError: Scaler: column 0: center 0, spread 0"));
  CHECK(error_of([] { Scaler({}, {}); }).starts_with("ValueError: Scaler: 0 centers"));
}
