#include "tests/support/expect.hpp"
#include "tests/support/optimizer_path.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/layers/linear.hpp>
#include <nn/optimizers/sgd.hpp>

#include <cmath>
#include <vector>

using namespace xgrad;

namespace {

using optimizer_path::path;

void check(const nn::SGDOptions& options, const std::vector<double>& gradients, const std::vector<double>& expected) {
  CHECK(expect::difference(path<nn::SGD>(options, gradients), expected) < 1e-14);
}

}  // namespace

TEST_CASE("SGD follows PyTorch's recursion") {
  // SEMANTICS.md's reference, measured on PyTorch 1.13.1.
  check({.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.5}, {1, 1, 1}, {0.9, 0.76, 0.584});
  check({.learning_rate = 0.1}, {1, 2, -1}, {0.9, 0.7, 0.8});
  // The lectures' Δθ = -η g + α Δθ: -0.1, -0.2 - 0.09 = -0.29, 0.1 - 0.261 = -0.161.
  check({.learning_rate = 0.1, .momentum = 0.9}, {1, 2, -1}, {0.9, 0.61, 0.449});
  // Nesterov: v = 1, 1.9, 2.71; steps 0.1·(1 + 0.9 v).
  check({.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}, {1, 1, 1}, {0.81, 0.539, 0.1951});
  // Decay alone: θ ← θ·(1 - 0.1·0.5).
  check({.learning_rate = 0.1, .weight_decay = 0.5}, {0, 0}, {0.95, 0.9025});
  // Decay and momentum: d = g + 0.5 θ: 1.5, v = 1.5, θ = 0.85; d = 1.425, v = 2.775, θ = 0.5725.
  check({.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.5}, {1, 1}, {0.85, 0.5725});
}

TEST_CASE("the rate can change, and momentum keeps the velocity that it had") {
  const DefaultDType scope(float64);
  const Tensor parameter = expect::leaf(tensor({1.0}));
  nn::SGD optimizer({parameter}, {.learning_rate = 0.1, .momentum = 0.5});
  Gradients gradients;
  gradients.set(parameter, tensor({1.0}));
  optimizer.step(gradients);
  optimizer.learning_rate(0.2);
  CHECK(optimizer.learning_rate() == 0.2);
  optimizer.step(gradients);
  CHECK(parameter.item() == doctest::Approx(1 - 0.1 - 0.2 * 1.5).epsilon(1e-14));
}

TEST_CASE("a parameter without a gradient is left alone, with its velocity") {
  const Tensor used = expect::leaf(ones({2}));
  const Tensor unused = expect::leaf(ones({2}));
  nn::SGD optimizer({used, unused}, {.learning_rate = 0.5, .momentum = 0.9, .weight_decay = 0.1});
  Gradients both, one;
  both.set(used, ones({2}));
  both.set(unused, ones({2}));
  one.set(used, ones({2}));
  optimizer.step(one);
  CHECK(unused.item({0}) == 1);
  CHECK_FALSE(optimizer.state().moments[0][1].defined());
  optimizer.step(both);
  const double after = unused.item({0});
  const auto velocity = expect::values(optimizer.state().moments[0][1]);
  CHECK(after < 1);
  optimizer.step(one);
  CHECK(unused.item({0}) == after);
  CHECK(expect::values(optimizer.state().moments[0][1]) == velocity);
}

TEST_CASE("a step writes in place, raises the version and does not touch the gradients") {
  nn::Linear layer(2, 2);
  const Tensor handle = layer.weight;
  const Tensor x = expect::leaf(ones({1, 2}));
  nn::SGD optimizer(layer.parameters(), {.learning_rate = 0.1, .momentum = 0.9});
  Tape stale;
  const Tensor loss = sum(layer(x));
  Gradients gradients;
  {
    Tape tape;
    gradients = tape.backward(sum(layer(ones({1, 2}))));
  }
  const auto before = expect::values(handle);
  optimizer.step(gradients);
  CHECK(expect::values(handle) != before);
  CHECK(layer.weight.is(handle));
  CHECK(expect::values(gradients[layer.weight]) == std::vector<double>{1, 1, 1, 1});
  gradients *= 2;
  CHECK(expect::values(optimizer.state().moments[0][0]) == std::vector<double>{1, 1, 1, 1});
  CHECK(expect::contains(expect::error_of([&] { stale.backward(loss); }), "TapeError: backward: linear saved"));
}

TEST_CASE("large parameters follow the same formula, with the same bits for every number of threads") {
  constexpr std::int64_t count = 100003;
  const auto start = expect::numbers(count, 1);
  const auto slope = expect::numbers(count, 2);
  const auto after = [&](int threads, DType dtype) {
    return with_threads(threads, [&] {
      const Tensor parameter = expect::leaf(tensor(start, {count}, dtype));
      nn::SGD optimizer({parameter}, {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true});
      Gradients gradients;
      gradients.set(parameter, tensor(slope, {count}, dtype));
      for (int step = 0; step < 3; ++step) optimizer.step(gradients);
      return expect::values(parameter);
    });
  };
  std::vector<double> expected(start);
  std::vector<double> velocity(start.size());
  for (int step = 0; step < 3; ++step)
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double d = slope[i] + 0.01 * expected[i];
      velocity[i] = step == 0 ? d : 0.9 * velocity[i] + d;
      expected[i] -= 0.1 * (d + 0.9 * velocity[i]);
    }
  CHECK(expect::difference(after(1, float64), expected) < 1e-14);
  CHECK(expect::difference(after(1, float32), expected) < 1e-5);
  const auto single = after(1, float32);
  for (const int threads : {2, 3, 8}) CHECK(after(threads, float32) == single);
}

TEST_CASE("a saved state continues a run of SGD exactly") {
  const auto run = [](bool interrupted) {
    const Tensor parameter = expect::leaf(ones({3}));
    Gradients gradients;
    gradients.set(parameter, tensor({1, 2, 3}));
    const nn::SGDOptions options{.learning_rate = 0.1, .momentum = 0.9};
    nn::SGD optimizer({parameter}, options);
    optimizer.step(gradients);
    if (interrupted) {
      nn::SGD second({parameter}, options);
      second.state(optimizer.state());
      optimizer.step(Gradients());  // moves nothing
      second.step(gradients);
    } else {
      optimizer.step(gradients);
    }
    return expect::values(parameter);
  };
  CHECK(run(true) == run(false));
}

TEST_CASE("options and parameters that make no sense are refused") {
  const Tensor x = expect::leaf(ones({2}));
  const auto error = [&](const nn::SGDOptions& options) { return expect::error_of([&] { nn::SGD({x}, options); }); };
  CHECK(error({.learning_rate = -0.1}) == "ValueError: SGD: learning_rate -0.1; need a finite number >= 0");
  CHECK(error({.learning_rate = std::nan("")}) == "ValueError: SGD: learning_rate nan; need a finite number >= 0");
  CHECK(error({.momentum = -1}) == "ValueError: SGD: momentum -1; need a finite number >= 0");
  CHECK(error({.weight_decay = -1}) == "ValueError: SGD: weight_decay -1; need a finite number >= 0");
  CHECK(error({.nesterov = true}) ==
        "ValueError: SGD: nesterov with momentum 0 and dampening 0; need momentum > 0 and no dampening");
  CHECK(expect::contains(error({.momentum = 0.9, .dampening = 0.1, .nesterov = true}),
                         "need momentum > 0 and no dampening"));
  CHECK(expect::error_of([] { nn::SGD({}, {}); }) == "ValueError: SGD: no parameters; need at least one");
  CHECK(expect::error_of([&] {
          nn::SGD({x, x}, {});
        }) == "ValueError: SGD: parameter 1 is listed twice; it would move twice");
  CHECK(expect::error_of([] { nn::SGD({arange(3)}, {}); }) ==
        "TypeError: SGD: parameter 0 is int64; need float32 or float64");
  nn::SGD optimizer({x}, {});
  CHECK(expect::contains(expect::error_of([&] { optimizer.learning_rate(-1); }), "ValueError"));
}
