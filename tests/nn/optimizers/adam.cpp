#include "tests/support/expect.hpp"
#include "tests/support/optimizer_path.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/optimizers/adam.hpp>

#include <cmath>
#include <memory>
#include <vector>

using namespace xgrad;

using optimizer_path::gradient_of;
using optimizer_path::path;
using optimizer_path::ScalarAdam;

TEST_CASE("Adam's first steps are the learning rate, whatever the size of the gradient") {
  // m̂ = g, v̂ = g²: each step is η·g/(|g| + ε).
  for (const double g : {1.0, 1e-3, -50.0}) {
    const double step = 0.1 * g / (std::abs(g) + 1e-8);
    CHECK(expect::difference(path<nn::Adam>(nn::AdamOptions{.learning_rate = 0.1}, {g, g, g}),
                             std::vector<double>{1 - step, 1 - 2 * step, 1 - 3 * step}) < 1e-13);
  }
  // Epsilon is outside of the root, as in PyTorch: 0.1·1/(1 + 1).
  CHECK(path<nn::Adam>(nn::AdamOptions{.learning_rate = 0.1, .epsilon = 1}, {1})[0] ==
        doctest::Approx(0.95).epsilon(1e-14));
  // g = 1, 2: m = 0.1, 0.29; v = 0.001, 0.004999; divided by 0.19 and 0.001999 in the second step.
  CHECK(path<nn::Adam>(nn::AdamOptions{.learning_rate = 0.1, .epsilon = 0}, {1, 2})[1] ==
        doctest::Approx(0.9 - 0.1 * (0.29 / 0.19) / std::sqrt(0.004999 / 0.001999)).epsilon(1e-13));
}

TEST_CASE("the defaults of Adam and AdamW are PyTorch's") {
  const auto check = [](const auto& options, double decay) {
    CHECK(options.learning_rate == 1e-3);
    CHECK(options.beta1 == 0.9);
    CHECK(options.beta2 == 0.999);
    CHECK(options.epsilon == 1e-8);
    CHECK(options.weight_decay == decay);
  };
  check(nn::AdamOptions(), 0);
  check(nn::AdamWOptions(), 0.01);
}

TEST_CASE("AdamW shrinks the parameter itself, Adam's decay goes through the moments") {
  // Without a gradient AdamW leaves θ·(1 - 0.1·0.5); Adam sees g = 0.5·θ and makes a whole step.
  CHECK(expect::difference(path<nn::AdamW>(nn::AdamWOptions{.learning_rate = 0.1, .weight_decay = 0.5}, {0, 0}),
                           std::vector<double>{0.95, 0.9025}) < 1e-15);
  CHECK(path<nn::Adam>(nn::AdamOptions{.learning_rate = 0.1, .epsilon = 0, .weight_decay = 0.5}, {0})[0] ==
        doctest::Approx(0.9).epsilon(1e-14));
  CHECK(path<nn::AdamW>(nn::AdamWOptions{.learning_rate = 0.1, .epsilon = 0, .weight_decay = 0.5}, {1})[0] ==
        doctest::Approx(0.95 - 0.1).epsilon(1e-14));
}

TEST_CASE("Adam and AdamW follow the papers' recursion down a quadratic") {
  const DefaultDType scope(float64);
  const std::vector<double> curvature = {0.01, 1, 30};
  const nn::AdamOptions options{
      .learning_rate = 0.05, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.1};
  for (const bool decoupled : {false, true}) {
    const Tensor parameter = expect::leaf(tensor({1, -2, 0.5}));
    std::unique_ptr<nn::Optimizer> optimizer;
    if (decoupled)
      optimizer.reset(new nn::AdamW(
          {parameter}, {.learning_rate = 0.05, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.1}));
    else
      optimizer.reset(new nn::Adam({parameter}, options));
    std::vector<double> expected = {1, -2, 0.5};
    std::vector<ScalarAdam> scalar(3, ScalarAdam{options, decoupled});
    for (int step = 0; step < 100; ++step) {
      Tape tape;
      optimizer->step(tape.backward(0.5 * sum(tensor(curvature, {3}) * square(parameter))));
      for (std::size_t i = 0; i < 3; ++i) scalar[i].step(expected[i], curvature[i] * expected[i]);
    }
    CHECK(expect::difference(parameter, expected) < 1e-13);
    CHECK(optimizer->steps() == 100);
  }
}

TEST_CASE("Adam counts the updates of each parameter for itself") {
  const DefaultDType scope(float64);
  const Tensor first = expect::leaf(tensor({1.0}));
  const Tensor late = expect::leaf(tensor({1.0}));
  nn::Adam optimizer({first, late}, {.learning_rate = 0.1, .epsilon = 0});
  for (int step = 0; step < 5; ++step) optimizer.step(gradient_of(first, tensor({3.0})));
  CHECK(late.item() == 1);
  CHECK_FALSE(optimizer.state().moments[0][1].defined());
  optimizer.step(gradient_of(late, tensor({3.0})));
  CHECK(late.item() == doctest::Approx(0.9).epsilon(1e-14));
  CHECK(optimizer.state().updates == std::vector<std::int64_t>{5, 1});
  CHECK(optimizer.steps() == 6);
}

TEST_CASE("options of Adam that make no sense are refused") {
  const Tensor x = expect::leaf(ones({2}));
  const auto adam = [&](const nn::AdamOptions& options) { return expect::error_of([&] { nn::Adam({x}, options); }); };
  CHECK(adam({.learning_rate = -1}) == "ValueError: Adam: learning_rate -1; need a finite number >= 0");
  CHECK(adam({.beta1 = 1}) == "ValueError: Adam: beta1 1; need 0 <= beta1 < 1");
  CHECK(adam({.beta2 = -0.1}) == "ValueError: Adam: beta2 -0.1; need 0 <= beta2 < 1");
  CHECK(adam({.beta2 = std::nan("")}) == "ValueError: Adam: beta2 nan; need 0 <= beta2 < 1");
  CHECK(adam({.epsilon = -1}) == "ValueError: Adam: epsilon -1; need a finite number >= 0");
  CHECK(adam({.weight_decay = -1}) == "ValueError: Adam: weight_decay -1; need a finite number >= 0");
  CHECK(expect::error_of([&] { nn::AdamW({x}, {.beta1 = 2}); }) == "ValueError: AdamW: beta1 2; need 0 <= beta1 < 1");
  CHECK(expect::error_of([] { nn::Adam({}, {}); }) == "ValueError: Adam: no parameters; need at least one");
}

TEST_CASE("without an epsilon a gradient of 0, or one whose square is 0, leaves a parameter as it is") {
  for (const DType dtype : {float32, float64})
    for (const double tiny : {0.0, dtype == float32 ? 1e-30 : 1e-200})
      for (const double epsilon : {0.0, 1e-320}) {
        Tensor x = expect::leaf(tensor({1, 2, -3}, dtype));
        nn::Adam optimizer({x}, {.learning_rate = 0.1, .epsilon = epsilon});
        for (int step = 0; step < 3; ++step) {
          Gradients gradients;
          gradients.set(x, tensor({1, tiny, 0}, dtype));
          optimizer.step(gradients);
        }
        // A constant gradient moves by the rate (Kingma and Ba 2015, section 2.1).
        CHECK(x.item({0}) == doctest::Approx(0.7).epsilon(1e-6));
        if (dtype == float32 || epsilon == 0) CHECK(x.item({1}) == 2);
        CHECK(x.item({2}) == -3);
      }
}
