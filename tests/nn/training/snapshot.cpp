#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/creation.hpp>
#include <nn/layers/linear.hpp>
#include <nn/training/snapshot.hpp>

#include <cmath>
#include <limits>

using namespace xgrad;
using nn::Snapshot;

TEST_CASE("a snapshot gives back the values of when it was saved, in place") {
  nn::Linear layer(2, 1);
  const Tensor weight = layer.weight;
  layer.weight.assign(tensor({{1}, {2}}));
  Snapshot snapshot(layer.parameters());
  CHECK(snapshot.largest_change() == 0);
  layer.weight.assign(tensor({{1.5}, {-1}}));
  CHECK(snapshot.largest_change() == 3);
  snapshot.restore();
  CHECK(expect::values(weight) == std::vector<double>{1, 2});
  CHECK(weight.is_leaf());
  layer.weight.assign(tensor({{7}, {8}}));
  snapshot.save();
  CHECK(snapshot.largest_change() == 0);
  layer.weight.assign(tensor({{0}, {0}}));
  snapshot.restore();
  CHECK(expect::values(weight) == std::vector<double>{7, 8});
  layer.weight.assign(tensor({{0}, {9}}));  // what was restored does not share the saved values
  snapshot.restore();
  CHECK(expect::values(weight) == std::vector<double>{7, 8});
}

TEST_CASE("the largest change is NaN when a number is") {
  Tensor x = tensor({1.0, 2.0, 3.0});
  const Snapshot snapshot({x});
  x.assign(tensor({1.0, std::numeric_limits<double>::quiet_NaN(), 9.0}));
  CHECK(std::isnan(snapshot.largest_change()));
}

TEST_CASE("relative changes are of each tensor's norm, and none of zeros") {
  Tensor x = tensor({3.0, 4.0}), zero = zeros({2});
  const Snapshot snapshot({x, zero});
  x.assign(tensor({3.0, 5.0}));
  zero.assign(ones({2}));
  CHECK(*snapshot.relative_changes()[0] == doctest::Approx(0.2));
  CHECK_FALSE(snapshot.relative_changes()[1]);
}
