#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/linear.hpp>

#include <cmath>
#include <vector>

#include "expect.hpp"

using namespace xgrad;

TEST_CASE("Linear is x W + b, with the gradients of a matrix product") {
  nn::Linear layer(3, 2);
  layer.weight.assign(tensor({{1, 2}, {3, 4}, {5, 6}}));
  layer.bias.assign(tensor({10, 20}));
  const Tensor x = expect::leaf(tensor({{1, 0, -1}, {2, 1, 0}}));
  Tape tape;
  const Tensor y = layer(x);
  // (1, 0, -1) W = (1 - 5, 2 - 6); (2, 1, 0) W = (2 + 3, 4 + 4)
  CHECK(expect::values(y) == std::vector<double>{6, 16, 15, 28});
  const Gradients gradients = tape.backward(y, tensor({{1, 0}, {0, 2}}));
  CHECK(expect::values(gradients[layer.weight]) == std::vector<double>{1, 4, 0, 2, -1, 0});  // xᵀ g
  CHECK(expect::values(gradients[layer.bias]) == std::vector<double>{1, 2});                 // Σ rows of g
  CHECK(expect::values(gradients[x]) == std::vector<double>{1, 3, 5, 4, 8, 12});             // g Wᵀ
}

TEST_CASE("Linear without bias has one parameter, and takes any number of leading axes") {
  nn::Linear layer(2, 1, {.bias = false});
  CHECK_FALSE(layer.bias.defined());
  REQUIRE(layer.parameters().size() == 1);
  layer.weight.assign(tensor({{1}, {10}}));
  CHECK(layer(tensor({3, 4})).shape() == Shape{1});
  CHECK(layer(tensor({3, 4})).item() == 43);
  CHECK(layer(ones({2, 3, 2})).shape() == Shape{2, 3, 1});
  CHECK(layer(ones({0, 2})).shape() == Shape{0, 1});
}

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

TEST_CASE("Linear follows the default dtype and refuses what does not fit") {
  {
    const DefaultDType scope(float64);
    const nn::Linear layer(2, 2);
    CHECK(layer.weight.dtype() == float64);
    CHECK(layer(ones({1, 2})).dtype() == float64);
  }
  const nn::Linear layer(2, 2);
  CHECK(expect::error_of([&] { layer(ones({2, 3})); }) == "ShapeError: linear expects (…, 2), got (2, 3)");
  CHECK(expect::error_of([&] { layer(ones({})); }) == "ShapeError: linear expects (…, 2), got ()");
  CHECK(expect::error_of([&] {
          layer(ones({1, 2}, int64));
        }) == "TypeError: linear expects float32, as its weight is, got int64; convert with to(...)");
  CHECK(expect::error_of([] { nn::Linear(0, 2); }) ==
        "ValueError: Linear: 0 inputs and 2 outputs; need at least one of each");
}
