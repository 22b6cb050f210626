#include "tests/reference/optimizers.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/optimizer_path.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/layers/linear.hpp>
#include <nn/optimizers/adam.hpp>
#include <nn/optimizers/schedules.hpp>
#include <nn/optimizers/sgd.hpp>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

using namespace xgrad;

namespace {

using optimizer_path::gradient_of;
using optimizer_path::ScalarAdam;

/// Along the sign of the gradient, as a user may write it.
class SignDescent : public nn::Optimizer {
 public:
  explicit SignDescent(std::vector<Tensor> parameters)
      : Optimizer("SignDescent", one_group(std::move(parameters)), 0.5, 0, {}) {}

 private:
  void update(std::span<const Change> changes) override {
    for (const auto& [i, gradient, rows] : changes)
      parameter(i).assign(parameter(i) - rate(group_of(i)).learning_rate * sign(*gradient));
  }
};

}  // namespace

TEST_CASE("a steady loop of steps allocates nothing") {
  const Tensor parameter = expect::leaf(ones({200, 300}));
  nn::SGD optimizer({parameter}, {.learning_rate = 0.1, .momentum = 0.9});
  Gradients gradients;
  gradients.set(parameter, ones({200, 300}));
  optimizer.step(gradients);
  const auto before = memory_statistics();
  if (!expect::memory_is_cached()) return;
  for (int i = 0; i < 5; ++i) optimizer.step(gradients);
  CHECK(memory_statistics().system_allocations == before.system_allocations);
  CHECK(memory_statistics().cached_bytes == before.cached_bytes);
}

TEST_CASE("a parameter whose dtype changed stops the optimizer before anything moves") {
  nn::Linear layer(2, 2);
  const Tensor other = expect::leaf(ones({2}));
  std::vector<Tensor> parameters = {other, layer.weight};
  nn::SGD optimizer(parameters, {.learning_rate = 0.1});
  layer.to(float64);
  Gradients gradients;
  gradients.set(other, ones({2}));
  CHECK(expect::error_of([&] { optimizer.step(gradients); }) ==
        "TypeError: SGD: weight was float32 when the optimizer was made and is float64 now; make the optimizer after "
        "to(...)");
  CHECK(other.item({0}) == 1);
}

TEST_CASE("SGD, Adam and AdamW give what LibTorch 1.13 gives") {
  const DefaultDType scope(float64);
  const auto check_steps = [](const auto& make, const double(&expected)[8][3]) {
    const Tensor x = expect::leaf(tensor({1, -2, 0.5}));
    const auto optimizer = make(std::vector<Tensor>{x});
    for (const auto& after : expected) {
      Tape tape;
      optimizer->step(tape.backward(sum(0.5 * tensor({0.01, 1, 30}) * square(x) + cos(x))));
      CHECK(expect::difference(x, after) < 1e-14);
    }
  };
  check_steps(
      [](auto x) {
        return std::make_unique<nn::SGD>(
            x, nn::SGDOptions{.learning_rate = 0.02, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true});
      },
      reference::sgd);
  check_steps(
      [](auto x) {
        return std::make_unique<nn::Adam>(
            x,
            nn::AdamOptions{.learning_rate = 0.05, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.1});
      },
      reference::adam);
  check_steps(
      [](auto x) {
        return std::make_unique<nn::AdamW>(
            x,
            nn::AdamWOptions{.learning_rate = 0.05, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.1});
      },
      reference::adamw);
  check_steps([](auto x) { return std::make_unique<nn::Adam>(x); }, reference::adam_defaults);
  check_steps([](auto x) { return std::make_unique<nn::AdamW>(x); }, reference::adamw_defaults);
}

TEST_CASE("many parameters of every size and dtype are one step, with the same bits for every number of threads") {
  const std::vector<std::int64_t> sizes = {0, 1, 7, 8192, 8193, 100003, 300001};
  const auto after = [&](int threads, const auto& make) {
    return with_threads(threads, [&] {
      std::vector<Tensor> parameters;
      Gradients gradients;
      for (const std::int64_t count : sizes)
        for (const DType dtype : {float32, float64}) {
          const auto elements = static_cast<std::size_t>(count);
          parameters.push_back(expect::leaf(tensor(expect::numbers(elements, elements), {count}, dtype)));
          gradients.set(parameters.back(), tensor(expect::numbers(elements, elements + 1), {count}, dtype));
        }
      const auto optimizer = make(parameters);
      for (int step = 0; step < 3; ++step) optimizer->step(gradients);
      std::vector<std::vector<double>> result;
      for (const Tensor& parameter : parameters) result.push_back(expect::values(parameter));
      return result;
    });
  };
  const auto sgd = [](const std::vector<Tensor>& parameters) {
    return std::make_unique<nn::SGD>(parameters, nn::SGDOptions{.learning_rate = 0.1, .momentum = 0.9});
  };
  const auto adam = [](const std::vector<Tensor>& parameters) {
    return std::make_unique<nn::Adam>(parameters, nn::AdamOptions{.learning_rate = 0.01, .weight_decay = 0.1});
  };
  const auto adamw = [](const std::vector<Tensor>& parameters) {
    return std::make_unique<nn::AdamW>(parameters, nn::AdamWOptions{.learning_rate = 0.01, .weight_decay = 0.1});
  };
  const auto check_threads = [&](const auto& make) {
    const auto single = after(1, make);
    for (const int threads : {2, 3, 8}) CHECK(after(threads, make) == single);
    return single;
  };
  check_threads(sgd);
  check_threads(adam);
  const auto moved = check_threads(adamw);
  for (std::size_t i = 0; i < moved.size(); ++i) {
    const auto elements = static_cast<std::size_t>(sizes[i / 2]);
    std::vector<double> expected = expect::numbers(elements, elements);
    const std::vector<double> slope = expect::numbers(elements, elements + 1);
    for (std::size_t k = 0; k < elements; ++k) {
      ScalarAdam scalar{{.learning_rate = 0.01, .weight_decay = 0.1}, true};
      for (int step = 0; step < 3; ++step) scalar.step(expected[k], slope[k]);
    }
    CHECK(expect::difference(moved[i], expected) < (i % 2 == 0 ? 1e-6 : 1e-14));
  }
}

TEST_CASE("groups have rates and decays of their own, which a change of the rate scales alike") {
  const DefaultDType scope(float64);
  const Tensor first = expect::leaf(tensor({{1.0}}));
  const Tensor second = expect::leaf(tensor({{1.0}}));
  const Tensor bias = expect::leaf(tensor({1.0}));
  nn::SGD optimizer({{.parameters = {first}, .rate_factor = 0.1},
                     {.parameters = {second}},
                     {.parameters = {bias}, .weight_decay = 0.0}},
                    {.learning_rate = 0.1, .weight_decay = 0.5});
  CHECK(optimizer.parameters().size() == 3);
  Gradients gradients;
  for (const Tensor& x : {first, second, bias}) gradients.set(x, ones(x.shape()));
  optimizer.step(gradients);  // by rates 0.01, 0.1, 0.1 along 1.5, 1.5, 1
  CHECK(first.item() == doctest::Approx(0.985).epsilon(1e-15));
  CHECK(second.item() == doctest::Approx(0.85).epsilon(1e-15));
  CHECK(bias.item() == doctest::Approx(0.9).epsilon(1e-15));
  const nn::Schedule rate = nn::step_decay(0.1, 1, 0.2);
  optimizer.learning_rate(rate(optimizer.steps()));
  optimizer.step(gradients);  // by rates 0.002, 0.02, 0.02 along 1.4925, 1.425, 1
  CHECK(first.item() == doctest::Approx(0.985 - 0.002 * 1.4925).epsilon(1e-15));
  CHECK(second.item() == doctest::Approx(0.85 - 0.02 * 1.425).epsilon(1e-15));
  CHECK(bias.item() == doctest::Approx(0.88).epsilon(1e-15));
}

TEST_CASE("no decay for biases with AdamW, and a factor of 0 holds a group still") {
  const DefaultDType scope(float64);
  const nn::Linear layer(2, 2), frozen(2, 1);
  const auto bias = expect::values(layer.bias);
  const auto weight = expect::values(layer.weight);
  const auto held = expect::values(frozen.weight);
  nn::AdamW optimizer({{.parameters = {layer.weight}},
                       {.parameters = {layer.bias}, .weight_decay = 0.0},
                       {.parameters = frozen.parameters(), .rate_factor = 0}},
                      {.learning_rate = 0.1, .weight_decay = 0.5});
  Gradients gradients;
  for (const Tensor& x : optimizer.parameters()) gradients.set(x, zeros(x.shape()));
  optimizer.step(gradients);
  CHECK(expect::values(layer.bias) == bias);
  CHECK(layer.weight.item({0, 0}) == doctest::Approx(0.95 * weight[0]).epsilon(1e-15));
  CHECK(expect::values(frozen.weight) == held);
}

TEST_CASE("a saved state continues a run of Adam exactly, and is a copy") {
  const auto gradient = [](int step) { return tensor({1.0 + step, -2.0, 0.5 * step}); };
  const nn::AdamOptions options{.learning_rate = 0.1};
  const Tensor straight = expect::leaf(ones({3}));
  nn::Adam whole({straight}, options);
  for (int step = 0; step < 6; ++step) {
    if (step == 3) whole.learning_rate(0.05);
    whole.step(gradient_of(straight, gradient(step)));
  }
  Tensor parameter = expect::leaf(ones({3}));
  nn::Adam begun({parameter}, options);
  for (int step = 0; step < 3; ++step) begun.step(gradient_of(parameter, gradient(step)));
  begun.learning_rate(0.05);
  const nn::OptimizerState saved = begun.state();
  const Tensor values = parameter.clone();
  begun.step(gradient_of(parameter, gradient(9)));  // must not reach what was saved
  parameter.modify([&](auto x) { std::copy_n(values.data<float>(), 3, x.begin()); });
  nn::Adam resumed({parameter}, options);
  resumed.state(saved);
  CHECK(resumed.learning_rate() == 0.05);
  CHECK(resumed.steps() == 3);
  for (int step = 3; step < 6; ++step) resumed.step(gradient_of(parameter, gradient(step)));
  CHECK(expect::values(parameter) == expect::values(straight));
}

TEST_CASE("a state that does not fit is refused and changes nothing") {
  const Tensor x = expect::leaf(ones({2}));
  nn::Adam optimizer({x});
  optimizer.step(gradient_of(x, ones({2})));
  const nn::OptimizerState good = optimizer.state();
  const auto refused = [&](const auto& spoil) {
    nn::OptimizerState bad = good;
    spoil(bad);
    const std::string error = expect::error_of([&] { optimizer.state(bad); });
    CHECK(optimizer.steps() == 1);
    CHECK(expect::values(optimizer.state().moments[0][0]) == expect::values(good.moments[0][0]));
    return error;
  };
  CHECK(refused([](auto& s) { s.learning_rate = -1; }) ==
        "ValueError: Adam: learning_rate -1; need a finite number >= 0");
  CHECK(refused([](auto& s) { s.updates = {}; }) ==
        "ValueError: Adam: the state has updates of 0 parameters, there are 1; need one number for each");
  CHECK(refused([](auto& s) { s.updates = {2}; }) ==
        "ValueError: Adam: the state has 2 updates of a parameter in 1 steps; need 0 <= updates <= steps");
  CHECK(refused([](auto& s) { s.moments.pop_back(); }) == "ValueError: Adam: the state has 1 kinds of moments; need 2");
  CHECK(refused([](auto& s) { s.moments[1][0] = ones({3}); }) ==
        "ShapeError: Adam: parameter 0 is (2,), its second moment is (3,); need equal shapes");
  CHECK(refused([](auto& s) { s.moments[0][0] = ones({2}, float64); }) ==
        "TypeError: Adam: parameter 0 is float32, its first moment is float64; need equal dtypes");
  CHECK(refused([](auto& s) { s.moments[0] = {}; }) ==
        "ValueError: Adam: the state has 0 tensors of the kind first moment for 1 parameters; need one for each");
  // One moment without the other comes out at the next step, before anything moves.
  nn::OptimizerState half = good;
  half.moments[1][0] = Tensor();
  optimizer.state(half);
  const auto before = expect::values(x);
  CHECK(expect::contains(expect::error_of([&] { optimizer.step(gradient_of(x, ones({2}))); }),
                         "ValueError: adam_update: one moment of a parameter (2,) is there without the other"));
  CHECK(expect::values(x) == before);
}

TEST_CASE("a user's optimizer derives from Optimizer and is driven as any other") {
  const Tensor x = expect::leaf(tensor({1, -1, 2}));
  const std::unique_ptr<nn::Optimizer> optimizer = std::make_unique<SignDescent>(std::vector<Tensor>{x});
  optimizer->step(gradient_of(x, tensor({7, -0.1, 0})));
  CHECK(expect::values(x) == std::vector<double>{0.5, -0.5, 2});
  optimizer->learning_rate(0.25);
  optimizer->step(gradient_of(x, tensor({1, 1, 1})));
  CHECK(expect::values(x) == std::vector<double>{0.25, -0.75, 1.75});
  CHECK(expect::error_of([] { SignDescent({}); }) == "ValueError: SignDescent: no parameters; need at least one");
}

TEST_CASE("options of groups that make no sense are refused") {
  const Tensor x = expect::leaf(ones({2})), y = expect::leaf(ones({2}));
  const auto groups = [](const std::vector<nn::Group>& list) { return expect::error_of([&] { nn::SGD(list, {}); }); };
  CHECK(groups({{.parameters = {x}, .rate_factor = -1}}) ==
        "ValueError: SGD: rate_factor -1; need a finite number >= 0");
  CHECK(groups({{.parameters = {x}, .weight_decay = -1}}) ==
        "ValueError: SGD: weight_decay -1; need a finite number >= 0");
  CHECK(groups({{.parameters = {x}}, {.parameters = {y, x}}}) ==
        "ValueError: SGD: parameter 2 is listed twice; it would move twice");
  CHECK(groups({{}, {}}) == "ValueError: SGD: no parameters; need at least one");
}

TEST_CASE("the first step of an optimizer that no gradient belongs to is an error") {
  nn::Linear trained(2, 1), other(2, 1);
  nn::SGD optimizer(other.parameters(), {.learning_rate = 0.1});
  const auto gradients = [&](const nn::Linear& model) {
    Tape tape;
    return tape.backward(sum(model(ones({1, 2}))));
  };
  CHECK(expect::contains(
      expect::error_of([&] { optimizer.step(gradients(trained)); }),
      "ValueError: SGD: none of the 2 gradients belongs to one of its 2 parameters, weight the first"));
  CHECK(optimizer.steps() == 0);
  optimizer.step(gradients(other));
  optimizer.step(gradients(trained));  // later it may be meant
  CHECK(optimizer.steps() == 2);
}
