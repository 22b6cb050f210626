#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/creation.hpp>
#include <nn/data/encoders.hpp>

#include <string>
#include <vector>

using namespace xgrad;
using expect::error_of;
using nn::OneHotEncoder;
using nn::OrdinalEncoder;
using Texts = std::vector<std::string>;

TEST_CASE("one-hot rows have one entry set, of 0 and 1 or of -1 and 1") {
  const Tensor labels = tensor({2, 0, 1}, int64);
  const Tensor rows = OneHotEncoder{.classes = 3}.encode(labels);
  CHECK(rows.dtype() == float32);
  CHECK(rows.shape() == Shape{3, 3});
  CHECK(expect::values(rows) == std::vector<double>{0, 0, 1, 1, 0, 0, 0, 1, 0});
  const Tensor signs = OneHotEncoder{.classes = 3, .low = -1}.encode(labels, float64);
  CHECK(signs.dtype() == float64);
  CHECK(expect::values(signs) == std::vector<double>{-1, -1, 1, 1, -1, -1, -1, 1, -1});
  CHECK(OneHotEncoder{.classes = 3}.encode(zeros({0}, int64)).shape() == Shape{0, 3});
}

TEST_CASE("one-hot encoding refuses other indices") {
  const OneHotEncoder encoder{.classes = 3};
  CHECK(error_of([&] {
          encoder.encode(tensor({0, 3}, int64));
        }) == "ValueError: OneHotEncoder: index 3 in row 1; need 0 <= index < 3");
  CHECK(error_of([&] { encoder.encode(tensor({-1}, int64)); }).starts_with("ValueError: OneHotEncoder: index -1"));
  CHECK(error_of([&] { encoder.encode(tensor({1.0})); }).starts_with("TypeError: OneHotEncoder: "));
  CHECK(error_of([&] { encoder.encode(tensor({{1}}, int64)); }).starts_with("ShapeError: OneHotEncoder: "));
  CHECK(error_of([&] { encoder.encode(tensor({1}, int64), int64); }).starts_with("TypeError: OneHotEncoder: dtype"));
  CHECK(error_of([] {
          OneHotEncoder{.classes = 2, .low = 1}.encode(tensor({1}, int64));
        }).starts_with("ValueError: OneHotEncoder: low 1"));
}

TEST_CASE("ordinal codes follow the sorted categories, or the order given") {
  const Texts values = {"setosa", "virginica", "setosa", "Versicolor"};
  const OrdinalEncoder fitted = OrdinalEncoder::fit(values);
  CHECK(fitted.categories() == Texts{"Versicolor", "setosa", "virginica"});
  CHECK(expect::values(fitted.encode(values)) == std::vector<double>{1, 2, 1, 0});
  CHECK(fitted.encode(values).dtype() == int64);
  CHECK(fitted.decode(fitted.encode(values)) == values);
  const OrdinalEncoder sizes({"small", "large", "huge"});
  CHECK(sizes.size() == 3);
  CHECK(sizes.find("large") == 1);
  CHECK(expect::values(sizes.encode(Texts{"huge", "small"})) == std::vector<double>{2, 0});
}

TEST_CASE("unknown categories are errors, not codes") {
  const OrdinalEncoder encoder = OrdinalEncoder::fit(Texts{"a", "b"});
  CHECK_FALSE(encoder.find("c"));
  CHECK_FALSE(encoder.find(""));
  CHECK(error_of([&] {
          encoder.encode(Texts{"a", "c"});
        }) == "ValueError: OrdinalEncoder: unknown category 'c' in row 1; need one of the 2 that it was made with");
  CHECK(error_of([&] {
          encoder.decode(tensor({2}, int64));
        }).starts_with("ValueError: OrdinalEncoder: index 2 in row 0"));
  CHECK(error_of([&] { encoder.decode(tensor({0.0})); }).starts_with("TypeError: OrdinalEncoder: "));
  CHECK(error_of([] {
          OrdinalEncoder({"x", "y", "x"});
        }).starts_with("ValueError: OrdinalEncoder: category 'x' is listed"));
  CHECK(error_of([] { OrdinalEncoder::fit(Texts{}); }).starts_with("ValueError: OrdinalEncoder: no categories"));
}
