#include "tests/support/expect.hpp"
#include "tests/support/one_weight.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

using namespace xgrad;
using expect::error_of;
using nn::fit;
using nn::FitOptions;
using nn::History;
using nn::Next;
using nn::StopReason;
using one_weight::in_order;
using one_weight::Line;
using one_weight::points;

TEST_CASE("training stops when a callback asks, the time is up, or the loss is low enough") {
  // Each step moves w a fifth of the way from 1 to 2: the loss before step k is 0.64^k.
  const auto trained = [](const FitOptions& options, std::size_t rows) {
    Line line;
    nn::SGD optimizer(line.parameters(), {.learning_rate = 0.1});
    return fit(line, nn::mse, optimizer, points(std::vector<double>(rows, 1), std::vector<double>(rows, 2)), options);
  };
  FitOptions by_step = in_order(1, 9);
  by_step.validation = points({1}, {2});
  by_step.on_step = [](const nn::StepRecord& step) { return step.step == 5 ? Next::stop : Next::go_on; };
  const History stopped = trained(by_step, 4);
  CHECK(stopped.reason == StopReason::callback);
  CHECK(stopped.steps == 6);
  REQUIRE(stopped.epochs.size() == 2);
  CHECK(stopped.epochs[0].complete);
  CHECK(stopped.epochs[1].steps == 2);
  CHECK_FALSE(stopped.epochs[1].complete);
  CHECK(stopped.epochs[1].loss == doctest::Approx((std::pow(0.64, 4) + std::pow(0.64, 5)) / 2).epsilon(1e-12));
  CHECK_FALSE(stopped.epochs[1].validation_loss);  // half an epoch is not judged
  CHECK(stopped.best_epoch == 0);

  FitOptions by_epoch = in_order(1, 9);
  by_epoch.on_epoch = [](const nn::EpochRecord& epoch) { return epoch.epoch == 2 ? Next::stop : Next::go_on; };
  const History called = trained(by_epoch, 4);
  CHECK(called.reason == StopReason::callback);
  CHECK(called.epochs.size() == 3);
  CHECK(called.steps == 12);

  FitOptions timed = in_order(1, 1000000);
  timed.stopping.seconds = 0.2;
  timed.on_step = [](const nn::StepRecord& step) {
    if (step.step == 3) std::this_thread::sleep_for(std::chrono::milliseconds(210));
    return Next::go_on;
  };
  const History late = trained(timed, 4);
  CHECK(late.reason == StopReason::time_limit);
  CHECK(late.steps <= 4);
  CHECK(late.seconds >= 0.2);

  FitOptions low = in_order(1, 9);
  low.stopping.training_loss = 0.3;  // 0.64³ = 0.262 is the first below
  const History good = trained(low, 1);
  CHECK(good.reason == StopReason::training_loss);
  CHECK(good.epochs.size() == 4);
  CHECK(to_string(good.reason) == "the training loss was low enough");
}

TEST_CASE("training stops after the patience without improvement, and gives back the best epoch") {
  // Each step moves w by rate · 2 (y - w), a fifth of the way, from 1 towards 2; validation wants 1.5: its loss
  // (w - 1.5)² falls until |w - 1.5| is least and grows from there. w after epoch e is 2 - 0.8^e: 1.2, 1.36, 1.488,
  // 1.5904, 1.672, ...: the third epoch is best.
  for (const bool restores : {false, true}) {
    Line line;
    nn::SGD optimizer(line.parameters(), {.learning_rate = 0.1});
    FitOptions options = in_order(1, 50);
    options.validation = points({1}, {1.5});
    options.stopping = {.patience = 4, .restore_best = restores};
    const History history = fit(line, nn::mse, optimizer, points({1}, {2}), options);
    CHECK(history.reason == StopReason::no_improvement);
    CHECK(history.epochs.size() == 3 + 4);
    CHECK(history.best_epoch == 2);
    CHECK(*history.epochs[2].validation_loss == doctest::Approx(std::pow(1.488 - 1.5, 2)).epsilon(1e-9));
    CHECK(line.weight() == doctest::Approx(restores ? 1.488 : 2 - std::pow(0.8, 7)).epsilon(1e-14));
  }
  // Losses 0.09, 0.0196, 0.000144, 0.0082, ...: with min_change 0.05 only the second improves on the first.
  Line line;
  nn::SGD optimizer(line.parameters(), {.learning_rate = 0.1});
  FitOptions options = in_order(1, 50);
  options.validation = points({1}, {1.5});
  options.stopping = {.patience = 2, .min_change = 0.05, .restore_best = true};
  const History history = fit(line, nn::mse, optimizer, points({1}, {2}), options);
  CHECK(history.epochs.size() == 4);
  CHECK(history.best_epoch == 2);
  CHECK(line.weight() == doctest::Approx(1.488).epsilon(1e-14));
}

TEST_CASE("the best epoch comes back with its buffers, also when a callback stops") {
  struct Counting : nn::Module {
    Tensor w = parameter("w", tensor({{1}}, float64));
    mutable Tensor seen = buffer("seen", zeros({1}, float64));
    Tensor operator()(const Tensor& x) const {
      if (training()) seen.modify([](auto values) { values[0] += 1; });
      return matmul(x, w);
    }
  } model;
  nn::SGD optimizer(model.parameters(), {.learning_rate = 0.1});
  FitOptions options = in_order(1, 50);
  options.validation = points({1}, {1.5});
  options.stopping.restore_best = true;
  options.on_epoch = [](const nn::EpochRecord& epoch) { return epoch.epoch == 9 ? Next::stop : Next::go_on; };
  const History history = fit(model, nn::mse, optimizer, points({1}, {2}), options);
  CHECK(history.epochs.size() == 10);
  CHECK(model.w.item() == doctest::Approx(1.488).epsilon(1e-14));
  CHECK(model.seen.item() == 3);
}

TEST_CASE("a validation loss that is not finite is said, and the best epoch or the beginning comes back") {
  // w after epoch e is 2 - 0.8^e: 1.2, 1.36, 1.488, ...; validation at x = 2 wants 2.72 and is NaN from 2 w > 2.9 on.
  const auto loss = [](const Tensor& p, const Tensor& t) { return nn::mse(p, t) + 0.0 * sum(log(2.9 - p)); };
  const auto trained = [&](const nn::Dataset& validation, nn::Stopping stopping) {
    Line line;
    nn::SGD optimizer(line.parameters(), {.learning_rate = 0.1});
    FitOptions options = in_order(1, 7);
    options.validation = validation;
    options.stopping = stopping;
    const History history = fit(line, loss, optimizer, points({1}, {2}), options);
    return std::pair(history, line.weight());
  };
  const auto [history, weight] = trained(points({2}, {2.72}), {.patience = 3, .restore_best = true});
  CHECK(history.reason == StopReason::validation_not_finite);
  CHECK(to_string(history.reason) == "the validation loss was not finite");
  CHECK(history.epochs.size() == 5);
  CHECK(std::isnan(*history.epochs.back().validation_loss));
  CHECK(history.best_epoch == 1);
  CHECK(weight == doctest::Approx(1.36).epsilon(1e-14));
  for (const double y : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const auto [never, first_weight] = trained(points({1}, {y}), {.patience = 2, .restore_best = true});
    CHECK(never.reason == StopReason::validation_not_finite);
    CHECK(never.epochs.size() == 2);
    CHECK_FALSE(never.best_epoch);
    CHECK(first_weight == 1);
  }
  CHECK(trained(points({1}, {std::numeric_limits<double>::quiet_NaN()}), {.restore_best = true}).second == 1);
}

TEST_CASE("training stops when no weight changes by as much in an epoch") {
  // The change of epoch e is 0.2 · 0.8^(e-1): below 0.05 first for e = 8 (0.0419).
  Line line;
  nn::SGD optimizer(line.parameters(), {.learning_rate = 0.1});
  FitOptions options = in_order(1, 50);
  options.stopping.weight_change = 0.05;
  const History history = fit(line, nn::mse, optimizer, points({1}, {2}), options);
  CHECK(history.reason == StopReason::weights_settled);
  CHECK(history.epochs.size() == 8);
}

TEST_CASE("a loss that is not finite stops with the operation named and the last good parameters") {
  struct Root : nn::Module {
    Tensor w = parameter("w", tensor({{1}}, float64));
    Tensor operator()(const Tensor& x) const { return log(matmul(x, w)); }
  } model;
  nn::SGD optimizer(model.parameters(), {.learning_rate = 0.001});
  std::vector<double> x(60, 1.0);
  x[57] = -1;  // log of a negative number, in step 57
  double before_50 = 0;
  FitOptions options = in_order(1);
  options.on_step = [&](const nn::StepRecord& step) {
    if (step.step == 49) before_50 = model.w.item();
    return Next::go_on;
  };
  try {
    fit(model, nn::mse, optimizer, points(x, std::vector<double>(60, 1.0)), options);
    FAIL("did not throw");
  } catch (const nn::NonFiniteLoss& error) {
    const std::string text = error.what();
    CAPTURE(text);
    CHECK(text.starts_with("fit: the loss is not finite at step 57: "));
    CHECK(expect::contains(text, "log"));
    CHECK(text.ends_with("; the parameters are those before step 50"));
    CHECK(text.find('\n') == std::string::npos);
    CHECK(error.history.reason == StopReason::not_finite);
    CHECK(error.history.steps == 57);
    CHECK_FALSE(error.history.epochs.back().complete);
  }
  CHECK(model.w.item() == before_50);
  CHECK(before_50 > 1);
}

TEST_CASE("NaN in the data, steps that were too large and infinite gradients are told apart") {
  const auto failure = [](const nn::Dataset& data, double learning_rate, FitOptions options) {
    Line line;
    nn::SGD optimizer(line.parameters(), {.learning_rate = learning_rate});
    return error_of([&] { fit(line, nn::mse, optimizer, data, options); });
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(expect::contains(failure(points({1, 1, 1, nan}, {1, 1, 1, 1}), 0.1, in_order(2)),
                         "at step 1: the inputs are not finite, first in row 1 of the batch"));
  CHECK(expect::contains(failure(points({1, 1}, {nan, 1}), 0.1, in_order(2)),
                         "at step 0: the targets are not finite, first in row 0 of the batch"));
  CHECK(expect::contains(failure(points({2, 2}, {0, 0}), 1e308, in_order(1, 9)),
                         "parameter w is not finite; the step before"));
  // (x w)² is finite at 1e154, its slope 2 x² w is 2e308.
  FitOptions clipped = in_order(1);
  clipped.clip_value = 1;
  CHECK(failure(points({1e154}, {0}), 0.1, clipped)
            .starts_with("ValueError: fit: the gradient is not finite at step 0: "));
}
