#include "tests/support/expect.hpp"

#include <autograd/autograd.hpp>
#include <nn/inspection/diagnostics.hpp>
#include <nn/layers/activations.hpp>
#include <nn/layers/dropout.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/normalization.hpp>
#include <nn/layers/sequential.hpp>
#include <nn/losses/losses.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <vector>

using namespace xgrad;
using doctest::Approx;

namespace {

// Two rows through relu(x·W + b)·(1, 1, 1)ᵀ with
//   hidden = {1, 0, -2}, {3, 4, -6};   relu = {1, 0, 0}, {3, 4, 0};   output = {1}, {7};   mse to 0 = 25.
void set_weights(nn::Linear& hidden, nn::Linear& output) {
  hidden.weight.assign(tensor({{1, 0, -1}, {0, 2, -1}}));
  hidden.bias.assign(tensor({0, 0, -1}));
  output.weight.assign(ones({3, 1}));
  output.bias.assign(zeros({1}));
}
nn::Batch two_rows() { return {tensor({{1, 0}, {3, 2}}), zeros({2, 1})}; }

struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(2, 3));
  nn::Linear output = add("output", nn::Linear(3, 1));
  Net() { set_weights(hidden, output); }
  Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }
};

struct Noisy : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(2, 8));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(8));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.5));
  nn::Linear output = add("output", nn::Linear(8, 1));
  Tensor operator()(const Tensor& x) const { return output(dropout(tanh(norm(hidden(x))))); }
};

void check_numbers(const nn::Diagnosis& d, const std::string& hidden, const std::string& output) {
  CHECK(d.loss == Approx(25));
  REQUIRE(d.layers.size() == 3);
  CHECK(d.layers[0].name == hidden);
  CHECK(d.layers[0].mean == Approx(0));
  CHECK(d.layers[0].std == Approx(std::sqrt(11.0)));
  CHECK(d.layers[0].largest == Approx(6));
  CHECK(d.layers[0].gradient_norm == Approx(std::sqrt(99.0)));  // {1, 0, 0}, {7, 7, 0}
  CHECK_FALSE(d.layers[0].dead.has_value());
  CHECK(d.layers[1].name == hidden + " → relu");
  CHECK(d.layers[1].layer == hidden);
  CHECK(d.layers[1].mean == Approx(8.0 / 6));
  CHECK(d.layers[1].dead.value() == Approx(1.0 / 3));  // the third unit
  CHECK_FALSE(d.layers[1].saturated.has_value());
  CHECK(d.layers[1].gradient_norm == Approx(std::sqrt(150.0)));  // {1, 1, 1}, {7, 7, 7}
  CHECK(d.layers[2].name == output);
  CHECK(d.layers[2].gradient_norm == Approx(std::sqrt(50.0)));  // {1}, {7}
  CHECK(d.parameter(hidden + ".weight").gradient_norm.value() == Approx(std::sqrt(1317.0)));
  CHECK(d.parameter(hidden + ".bias").gradient_norm.value() == Approx(std::sqrt(113.0)));
  CHECK(d.parameter(output + ".weight").gradient_norm.value() == Approx(std::sqrt(1268.0)));
  CHECK(d.parameter(output + ".weight").norm == Approx(std::sqrt(3.0)));
  CHECK(d.parameter(output + ".weight").layer == output);
}

nn::Dataset points() {
  return {tensor(expect::numbers(80, 1), Shape{40, 2}, float32), tensor(expect::numbers(40, 2), Shape{40, 1}, float32)};
}

}  // namespace

TEST_CASE("statistics and gradients of layers and of activations called as functions are those of the formulas") {
  const Net net;
  check_numbers(nn::diagnose(net, nn::mse, two_rows()), "hidden", "output");
}

TEST_CASE("activations called as modules belong to the layer whose output they take") {
  nn::Linear hidden(2, 3), output(3, 1);
  set_weights(hidden, output);
  const nn::Sequential net(hidden, nn::ReLU(), output);
  check_numbers(nn::diagnose(net, nn::mse, two_rows()), "0", "2");
}

TEST_CASE("what the loss does is no part of the model") {
  const auto loss = [](const Tensor& p, const Tensor& t) { return nn::mse(tanh(p), t); };
  CHECK(nn::diagnose(Net(), loss, two_rows()).layers.size() == 3);
}

TEST_CASE("frozen parameters and those that no gradient reaches have no gradient norm") {
  Net net;
  net.hidden.freeze();
  const nn::Diagnosis frozen = nn::diagnose(net, nn::mse, two_rows());
  CHECK_FALSE(frozen.parameter("hidden.weight").gradient_norm.has_value());
  CHECK(frozen.parameter("output.weight").gradient_norm.has_value());
}

TEST_CASE("the update of a step is compared with the weight before it") {
  Net net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.01});
  nn::Diagnostics diagnostics(net, nn::mse, two_rows());
  const auto [x, y] = two_rows();
  Tape tape;
  optimizer.step(tape.backward(nn::mse(net(x), y)));
  diagnostics.after_step();
  const nn::Diagnosis& d = diagnostics.after_epoch();
  CHECK(d.parameter("output.weight").update_ratio.value() == Approx(0.01 * std::sqrt(1268.0 / 3)).epsilon(1e-5));
  CHECK_FALSE(d.parameter("output.bias").update_ratio.has_value());  // it was 0
}

TEST_CASE("a training that is watched has the same bits") {
  const auto trained = [](bool watched) {
    seed(3);
    Noisy net;
    nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1});
    nn::Diagnostics diagnostics(net, nn::mse, points().subset(0, 8).all(), 2);
    std::int64_t calls = 0;
    nn::FitOptions options{.epochs = 3, .batches = {.size = 8, .shuffle = true}};
    options.on_step = [&](const nn::StepRecord&) {
      ++calls;
      return nn::Next::go_on;
    };
    nn::fit(net, nn::mse, optimizer, points(), watched ? diagnostics.watch(options) : options);
    CHECK(calls == 15);
    CHECK(diagnostics.history().size() == (watched ? 3 : 0));
    if (watched) {
      CHECK(diagnostics.history()[2].epoch == 2);
      CHECK(diagnostics.history()[2].parameter("hidden.weight").update_ratio.value() > 0);
      CHECK(diagnostics.history()[2].layer("norm → tanh").saturated.has_value());
    }
    std::vector<double> values;
    for (const Tensor& x : net.parameters())
      for (const double value : expect::values(x)) values.push_back(value);
    for (const nn::NamedTensor& x : net.named_buffers())
      for (const double value : expect::values(x.tensor)) values.push_back(value);
    return values;
  };
  CHECK(trained(true) == trained(false));
}

TEST_CASE("a diagnosis is a table, and JSON with the same numbers") {
  const Net net;
  const nn::Diagnosis d = nn::diagnose(net, nn::mse, two_rows());
  CHECK(expect::contains(d.text(), "hidden → relu  (2, 3)  1.33"));
  CHECK(expect::contains(d.text(), "33.3 %"));
  const auto json = nlohmann::json::parse(d.json());
  CHECK(json["layers"][1]["dead"].get<double>() == Approx(1.0 / 3));
  CHECK(json["parameters"][0]["update_ratio"].is_null());
}

TEST_CASE("names that are not there and steps that cannot be counted are errors") {
  Net net;
  CHECK(expect::error_of([&] { nn::diagnose(net, nn::mse, two_rows()).layer("x"); }) ==
        "ValueError: diagnosis: no row 'x'; there are: hidden, hidden → relu, output");
  CHECK(expect::error_of([&] { nn::Diagnostics(net, nn::mse, two_rows(), 0); }) ==
        "ValueError: diagnostics: updates_every 0; need at least 1");
}
