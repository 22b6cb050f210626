#include <doctest/doctest.h>
#include <nn/metrics.hpp>

#include <limits>

#include "expect.hpp"

using namespace xgrad;
using expect::error_of;

TEST_CASE("accuracy is the fraction of rows whose largest score is the label's") {
  for (const DType dtype : {float32, float64}) {
    const Tensor scores = tensor({{0.1, 0.7, 0.2}, {5, -1, 2}, {-3, -2, -1}, {0, 1, 0}}, dtype);
    CHECK(nn::accuracy(scores, tensor({1, 0, 2, 1}, int64)) == 1);
    CHECK(nn::accuracy(scores, tensor({1, 1, 2, 0}, int64)) == 0.5);
    CHECK(nn::accuracy(scores, tensor({0, 2, 1, 0}, int64)) == 0);
  }
}

TEST_CASE("of equal scores the first counts, as argmax gives it") {
  const Tensor scores = tensor({{1, 1, 0}, {0, 1, 1}});
  CHECK(nn::accuracy(scores, tensor({0, 1}, int64)) == 1);
  CHECK(nn::accuracy(scores, tensor({1, 2}, int64)) == 0);
}

TEST_CASE("infinite scores are compared, rows with a NaN are wrong") {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(nn::accuracy(tensor({{-infinity, 0}, {infinity, 0}}), tensor({1, 0}, int64)) == 1);
  for (const double label : {0.0, 1.0, 2.0})
    for (const Tensor& scores :
         {tensor({{nan, 1, 1}}), tensor({{1, nan, 1}}), tensor({{1, 1, nan}}), tensor({{nan, nan, nan}})})
      CHECK(nn::accuracy(scores, tensor({label}, int64)) == 0);
}

TEST_CASE("accuracy refuses other shapes, dtypes and labels") {
  const Tensor scores = tensor({{1, 2}, {3, 4}});
  CHECK(error_of([&] {
          nn::accuracy(scores, tensor({1, 0, 1}, int64));
        }).starts_with("ShapeError: accuracy: predictions are (2, 2), labels are (3,)"));
  CHECK(error_of([&] { nn::accuracy(scores, tensor({{1}, {0}}, int64)); }).starts_with("ShapeError: accuracy: "));
  CHECK(error_of([&] { nn::accuracy(tensor({1, 2}), tensor({1, 0}, int64)); }).starts_with("ShapeError: accuracy: "));
  CHECK(error_of([] { nn::accuracy(zeros({0, 2}), zeros({0}, int64)); }).starts_with("ShapeError: accuracy: "));
  CHECK(error_of([&] { nn::accuracy(scores, tensor({1, 0})); }).starts_with("TypeError: accuracy: "));
  CHECK(error_of([&] {
          nn::accuracy(tensor({{1, 2}, {3, 4}}, int64), tensor({1, 0}, int64));
        }).starts_with("TypeError: accuracy: "));
  CHECK(error_of([&] {
          nn::accuracy(scores, tensor({1, 2}, int64));
        }) == "ValueError: accuracy: label 2 in row 1; need 0 <= label < 2");
  CHECK(error_of([&] { nn::accuracy(scores, tensor({-1, 1}, int64)); }).starts_with("ValueError: accuracy: label -1"));
}
