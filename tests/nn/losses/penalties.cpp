#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/layers/linear.hpp>
#include <nn/losses/losses.hpp>
#include <nn/losses/penalties.hpp>
#include <nn/optimizers/sgd.hpp>

#include <vector>

using namespace xgrad;
using expect::error_of;

TEST_CASE("the penalties are the sum of sizes and half the sum of squares, with gradients sign and value") {
  for (const DType dtype : {float32, float64}) {
    const Tensor a = expect::leaf(tensor({{1, -2}, {0, 4}}, dtype));
    const Tensor b = expect::leaf(tensor({-3.0}, dtype));
    const std::vector<Tensor> parameters = {a, b};
    Tape tape;
    const Tensor sizes = nn::l1_penalty(parameters);
    const Tensor squares = nn::l2_penalty(parameters);
    CHECK(sizes.shape() == Shape{});
    CHECK(sizes.dtype() == dtype);
    CHECK(sizes.item() == 10);
    CHECK(squares.item() == 15);
    const Gradients of_sizes = tape.backward(sizes, {.keep = true});
    CHECK(expect::values(of_sizes[a]) == std::vector<double>{1, -1, 0, 1});
    CHECK(expect::values(of_sizes[b]) == std::vector<double>{-1});
    const Gradients of_squares = tape.backward(squares);
    CHECK(expect::values(of_squares[a]) == std::vector<double>{1, -2, 0, 4});
    CHECK(expect::values(of_squares[b]) == std::vector<double>{-3});
  }
}

TEST_CASE("the penalties pass the gradient check") {
  const auto x = [](std::uint64_t seed, Shape shape) {
    return tensor(expect::numbers(shape.elements(), seed, 0.2, 1), shape, float64);
  };
  const std::vector<Tensor> parameters = {x(1, {2, 3}), x(2, {3})};
  check_gradients([](const std::vector<Tensor>& p) { return nn::l1_penalty(p); }, parameters).require();
  check_gradients([](const std::vector<Tensor>& p) { return nn::l2_penalty(p); }, parameters).require();
  check_gradients([](const std::vector<Tensor>& p) { return nn::l2_penalty(p); }, parameters, {.order = 2}).require();
}

TEST_CASE("λ times the L2 penalty moves parameters as SGD's weight decay λ does") {
  const DefaultDType scope(float64);
  const Tensor x = tensor(expect::numbers(20, 3), {5, 4});
  const Tensor y = tensor(expect::numbers(10, 4), {5, 2});
  const auto run = [&](double penalty, double decay) {
    Generator generator(7);
    const nn::Linear layer(4, 2, {}, generator);
    nn::SGD optimizer(layer.parameters(),
                      {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = decay, .nesterov = true});
    for (int step = 0; step < 20; ++step) {
      Tape tape;
      optimizer.step(tape.backward(nn::mse(layer(x), y) + penalty * nn::l2_penalty(layer.parameters())));
    }
    return expect::values(layer.weight);
  };
  const auto by_penalty = run(0.3, 0);
  CHECK(expect::difference(by_penalty, run(0, 0.3)) < 1e-14);
  CHECK(expect::difference(by_penalty, run(0, 0)) > 1e-2);
}

TEST_CASE("proximity to zero: the L1 penalty outweighs a small slope, and the parameter stays near 0") {
  // f(θ) = 0.05 θ + 0.1 |θ| has its minimum at 0; steps of at most 0.0015 overshoot by no more.
  const DefaultDType scope(float64);
  const Tensor parameter = expect::leaf(tensor({0.02}));
  nn::SGD optimizer({parameter}, {.learning_rate = 0.01});
  for (int step = 0; step < 100; ++step) {
    Tape tape;
    optimizer.step(tape.backward(sum(0.05 * parameter) + 0.1 * nn::l1_penalty({parameter})));
  }
  CHECK(std::abs(parameter.item()) <= 0.0015);
}

TEST_CASE("penalties refuse no parameters, int64 and mixed dtypes") {
  CHECK(error_of([] { nn::l1_penalty({}); }) == "ValueError: l1_penalty: no parameters; need at least one");
  CHECK(error_of([] { nn::l2_penalty({}); }) == "ValueError: l2_penalty: no parameters; need at least one");
  CHECK(expect::contains(error_of([] { nn::l2_penalty({arange(3)}); }), "TypeError: l2_penalty: input 0 is int64"));
  CHECK(expect::contains(error_of([] {
                           nn::l1_penalty({ones({2}, float32), ones({2}, float64)});
                         }),
                         "TypeError: l1_penalty: "));
}
