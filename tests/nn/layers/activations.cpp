#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/layers/activations.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/sequential.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace xgrad;

// Values, gradients, kinks and bad inputs stand in module_table and op_table.

TEST_CASE("an activation with a slope is the function of slope times x") {
  const Tensor x = tensor(expect::numbers(50, 1, -4, 4), {50}, float64);
  for (const double slope : {0.25, 1.0, 3.0, -2.0}) {
    CAPTURE(slope);
    CHECK(expect::difference(nn::Sigmoid(slope)(x), sigmoid(x * slope)) < 1e-15);
    CHECK(expect::difference(nn::Tanh(slope)(x), tanh(x * slope)) < 1e-15);
    CHECK(expect::difference(nn::Swish(slope)(x), x * sigmoid(x * slope)) < 1e-15);
    // tanh(λx) = 2σ(2λx) - 1
    CHECK(expect::difference(nn::Tanh(slope)(x), nn::Sigmoid(2 * slope)(x) * 2 - 1) < 1e-15);
  }
}

TEST_CASE("activations with a slope stay finite for extreme inputs, and so do their gradients") {
  const Tensor x = expect::leaf(tensor({1e4, -1e4, 1e38, -1e38, 0}));
  const auto gradients = [&](const nn::Sequential& layer) {
    Tape tape;
    return expect::values(tape.backward(layer(x), ones({5}))[x]);
  };
  CHECK(gradients(nn::Sequential(nn::Sigmoid(100))) == std::vector<double>{0, 0, 0, 0, 25});
  CHECK(gradients(nn::Sequential(nn::Tanh(100))) == std::vector<double>{0, 0, 0, 0, 100});
  CHECK(gradients(nn::Sequential(nn::Swish(100))) == std::vector<double>{1, 0, 1, 0, 0.5});
}

TEST_CASE("relu, leaky_relu and hard_tanh keep their result and not their argument") {
  const Tensor x = expect::leaf(tensor({-3, -1, -0.5, 0, 0.5, 1, 3}));
  const auto gradient = [&](const auto& function, bool write_argument) {
    Tape tape;
    Tensor argument = x + 0.0;
    Tensor result = function(argument);
    const Tensor loss = sum(result);
    (write_argument ? argument : result).modify([](auto values) { std::ranges::fill(values, 7); });
    return expect::values(tape.backward(loss)[x]);
  };
  const auto leaky = [](const Tensor& v) { return leaky_relu(v, 0.25); };
  CHECK(gradient(relu, true) == std::vector<double>{0, 0, 0, 0, 1, 1, 1});
  CHECK(gradient(leaky, true) == std::vector<double>{0.25, 0.25, 0.25, 0.25, 1, 1, 1});
  CHECK(gradient(hard_tanh, true) == std::vector<double>{0, 0, 1, 1, 1, 0, 0});
  CHECK_THROWS_AS(gradient(relu, false), TapeError);
  // With a negative slope the result does not tell the side.
  const auto folded = [](const Tensor& v) { return leaky_relu(v, -0.25); };
  CHECK(gradient(folded, false) == std::vector<double>{-0.25, -0.25, -0.25, -0.25, 1, 1, 1});
}

TEST_CASE("no gradient passes a step, so that layers before it do not learn") {
  Generator generator(1);
  const nn::Linear before(3, 4, {}, generator);
  const nn::Linear after(4, 2, {}, generator);
  const Tensor x = ones({5, 3});
  Tape tape;
  const Tensor hidden = nn::Step(1)(before(x));
  for (const double value : expect::values(hidden)) CHECK((value == 0 || value == 1));
  const Gradients gradients = tape.backward(sum(square(after(hidden))));
  CHECK(gradients.contains(after.weight));
  const Tensor* const none = gradients.find(before.weight);
  CHECK((none == nullptr || norm(*none).item() == 0));
}

TEST_CASE("the identity gives the same values as a tensor of its own, in any dtype") {
  Tensor x = tensor({1, 2});
  const Tensor y = nn::Identity()(x);
  CHECK_FALSE(y.is(x));
  x.modify([](auto values) { values[0] = 5; });
  CHECK(expect::values(y) == std::vector<double>{1, 2});
  CHECK(nn::Identity()(arange(3)).dtype() == int64);
}

TEST_CASE("maxout over a linear layer is the largest of its affine pieces") {
  Generator generator(2);
  nn::Linear pieces(2, 6, {}, generator);  // 3 pieces of 2 units
  pieces.to(float64);
  const Tensor x = tensor(expect::numbers(10, 3), {5, 2}, float64);
  const nn::Sequential layer(pieces, nn::Maxout(3));
  const Tensor y = layer(x);
  REQUIRE(y.shape() == Shape{5, 2});
  for (std::int64_t row = 0; row < 5; ++row)
    for (std::int64_t unit = 0; unit < 2; ++unit) {
      double largest = -HUGE_VAL;
      for (std::int64_t piece = 0; piece < 3; ++piece) {
        const std::int64_t column = 2 * piece + unit;
        largest =
            std::max(largest, x.item({row, 0}) * pieces.weight.item({0, column}) +
                                  x.item({row, 1}) * pieces.weight.item({1, column}) + pieces.bias.item({column}));
      }
      CHECK(y.item({row, unit}) == doctest::Approx(largest).epsilon(1e-14));
    }
}

TEST_CASE("maxout of pieces x and -x is the absolute value, of x and 0 the relu") {
  const Tensor x = tensor(expect::numbers(20, 4), {10, 2}, float64);
  CHECK(expect::difference(maxout(concatenate({x, -x}, 1), 2), abs(x)) == 0);
  CHECK(expect::difference(maxout(concatenate({x, zeros({10, 2}, float64)}, 1), 2), relu(x)) == 0);
}

TEST_CASE("the slopes of PReLU begin with a quarter") {  // He et al. 2015, section 2.1
  CHECK(expect::values(nn::PReLU().slope) == std::vector<double>{0.25});
  CHECK(expect::values(nn::PReLU(3).slope) == std::vector<double>{0.25, 0.25, 0.25});
}
