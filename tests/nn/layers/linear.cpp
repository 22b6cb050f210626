#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/layers/linear.hpp>

#include <algorithm>
#include <cmath>

using namespace xgrad;

TEST_CASE("Linear begins uniform on ±1/√in, by the generator that it is given") {
  Generator generator(7);
  const nn::Linear layer(100, 50, {}, generator);
  double smallest = 1, largest = -1, squares = 0;
  for (const double w : expect::values(layer.weight)) {
    smallest = std::min(smallest, w);
    largest = std::max(largest, w);
    squares += w * w;
  }
  CHECK(smallest >= -0.1);
  CHECK(largest <= 0.1);
  CHECK(smallest < -0.099);  // of 5000 draws one is there but for a probability of e^-25
  CHECK(largest > 0.099);
  CHECK(std::abs(squares / 5000 - 0.01 / 3) < 5 * 0.01 * std::sqrt(4.0 / 45 / 5000));  // variance 1/3, of squares 4/45
  for (const double b : expect::values(layer.bias)) CHECK(std::abs(b) <= 0.1);

  Generator same(7);
  CHECK(expect::values(nn::Linear(100, 50, {}, same).weight) == expect::values(layer.weight));
  CHECK(expect::values(nn::Linear(100, 50, {}, same).weight) != expect::values(layer.weight));
  const Generator::State before = default_generator().state();
  seed(3);
  const nn::Linear first(4, 4);
  seed(3);
  CHECK(expect::values(nn::Linear(4, 4).bias) == expect::values(first.bias));
  default_generator() = Generator(before);
}

TEST_CASE("Linear follows the default dtype") {
  CHECK(nn::Linear(2, 2).weight.dtype() == float32);
  const DefaultDType scope(float64);
  const nn::Linear layer(2, 2);
  CHECK(layer.weight.dtype() == float64);
  CHECK(layer(ones({1, 2})).dtype() == float64);
}
