#include "tests/support/expect.hpp"
#include "tests/support/one_weight.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <type_traits>
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

namespace {

/// With dropout, so that the number and order of draws matter too.
struct Fitted : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(6, 16));
  nn::Linear output = add("output", nn::Linear(16, 3));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.2));
  Tensor operator()(const Tensor& x) const { return output(dropout(relu(hidden(x)))); }
};

/// Rows around one point for each of 3 classes.
nn::Dataset clusters(std::int64_t rows, std::uint64_t seed) {
  const std::vector<double> centres = expect::numbers(3 * 6, 1000);
  std::vector<double> inputs = expect::numbers(static_cast<std::size_t>(rows) * 6, seed, -0.9, 0.9), labels;
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    labels.push_back(static_cast<double>(row % 3));
    for (std::size_t k = 0; k < 6; ++k) inputs[row * 6 + k] += centres[row % 3 * 6 + k];
  }
  return {tensor(inputs, {rows, 6}), tensor(labels, {rows}, int64)};
}

constexpr double rate = 0.1;
double cosine(std::int64_t step) { return rate / 2 * (1 + std::cos(0.01 * static_cast<double>(step))); }

/// What the loop of the README gives, with a schedule, for 5 epochs of batches of 16 out of 200 rows.
std::string by_hand(std::vector<double>* losses = nullptr) {
  seed(1);
  Fitted net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = rate, .momentum = 0.9, .weight_decay = 1e-3});
  nn::Batches batches(clusters(200, 1), {.size = 16, .shuffle = true, .seed = 7});
  std::int64_t step = 0;
  for (int epoch = 0; epoch < 5; ++epoch) {
    double sum = 0;
    for (auto [x, y] : batches) {
      optimizer.learning_rate(cosine(step++));
      Tape tape;
      const Tensor loss = nn::cross_entropy(net(x), y);
      optimizer.step(tape.backward(loss));
      sum += loss.item() * static_cast<double>(x.shape(0));
    }
    if (losses != nullptr) losses->push_back(sum / 200);
  }
  return nn::digest(net.parameters());
}

FitOptions like_by_hand() {
  return {.epochs = 5, .batches = {.size = 16, .shuffle = true, .seed = 7}, .schedule = cosine};
}

std::string fitted(const FitOptions& options, History* history = nullptr) {
  seed(1);
  Fitted net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = rate, .momentum = 0.9, .weight_decay = 1e-3});
  History result = fit(net, nn::cross_entropy, optimizer, clusters(200, 1), options);
  if (history != nullptr) *history = std::move(result);
  CHECK(net.training());
  return nn::digest(net.parameters());
}

}  // namespace

TEST_CASE("fit gives the bits of the loop by hand") {
  std::vector<double> losses;
  const std::string expected = by_hand(&losses);
  History history;
  CHECK(fitted(like_by_hand(), &history) == expected);
  REQUIRE(history.epochs.size() == 5);
  CHECK(history.steps == 5 * 13);
  CHECK(history.reason == StopReason::epochs);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(history.epochs[i].loss == doctest::Approx(losses[i]).epsilon(1e-12));
    CHECK(history.epochs[i].epoch == static_cast<std::int64_t>(i));
    CHECK(history.epochs[i].steps == 13);
    CHECK(history.epochs[i].complete);
    CHECK(history.epochs[i].learning_rate == cosine(static_cast<std::int64_t>(i + 1) * 13 - 1));
    CHECK(history.epochs[i].seconds > 0);
    CHECK_FALSE(history.epochs[i].validation_loss);
  }
  CHECK(losses.back() < losses.front() / 2);
  for (const int threads : {1, 2, 3}) CHECK(with_threads(threads, [] { return fitted(like_by_hand()); }) == expected);
}

TEST_CASE("prefetch, callbacks, progress, validation and metrics leave the bits alone") {
  const std::string expected = by_hand();
  FitOptions prefetch = like_by_hand();
  prefetch.batches.prefetch = true;
  CHECK(fitted(prefetch) == expected);

  FitOptions callbacks = like_by_hand();
  std::vector<nn::StepRecord> steps;
  int epochs = 0;
  callbacks.on_step = [&](const nn::StepRecord& step) {
    steps.push_back(step);
    return Next::go_on;
  };
  callbacks.on_epoch = [&](const nn::EpochRecord&) {
    ++epochs;
    return Next::go_on;
  };
  History history;
  CHECK(fitted(callbacks, &history) == expected);
  CHECK(epochs == 5);
  REQUIRE(steps.size() == 65);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    CHECK(steps[i].step == static_cast<std::int64_t>(i));
    CHECK(steps[i].epoch == static_cast<std::int64_t>(i / 13));
    CHECK(steps[i].learning_rate == cosine(static_cast<std::int64_t>(i)));
  }
  CHECK(steps[12].mean_loss == history.epochs[0].loss);

  for (const int columns : {0, 80}) {
    std::ostringstream stream;
    nn::Progress progress(0, "", false, stream, columns);
    FitOptions shown = like_by_hand();
    shown.progress = &progress;
    CHECK(fitted(shown) == expected);
    CHECK(expect::contains(stream.str(), "epoch  1  loss "));
    CHECK(expect::contains(stream.str(), "epoch  5  loss "));
    CHECK(expect::contains(stream.str(), "/65 steps") == (columns > 0));
  }

  FitOptions validated = like_by_hand();
  validated.validation = clusters(50, 2);
  validated.metrics = {{"accuracy", nn::accuracy}};
  validated.stopping = {.patience = 100, .weight_change = 1e-300};
  CHECK(fitted(validated) == expected);
  FitOptions measured = like_by_hand();
  measured.metrics = {{"accuracy", nn::accuracy}};
  CHECK(fitted(measured) == expected);
}

TEST_CASE("validation loss and metrics are those of the model in eval mode on all rows") {
  const nn::Dataset held_out = clusters(50, 2);
  seed(1);
  Fitted net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = rate});
  FitOptions options = like_by_hand();
  options.validation = held_out;
  options.evaluation_size = 7;
  options.metrics = {{"accuracy", nn::accuracy}, {"f1", [](const Tensor& p, const Tensor& t) {
                                                    return nn::ConfusionMatrix(p, t).f1(nn::Average::macro);
                                                  }}};
  const History history = fit(net, nn::cross_entropy, optimizer, clusters(200, 1), options);
  CHECK(history.metrics == std::vector<std::string>{"accuracy", "f1"});
  net.eval();
  const nn::Batch all = held_out.all();
  const Tensor p = net(all.inputs);
  CHECK(*history.epochs.back().validation_loss ==
        doctest::Approx(nn::cross_entropy(p, all.targets).item()).epsilon(1e-6));
  CHECK(history.epochs.back().metrics[0] == nn::accuracy(p, all.targets));
  CHECK(history.epochs.back().metrics[1] == nn::ConfusionMatrix(p, all.targets).f1(nn::Average::macro));
  CHECK(history.epochs.back().metrics[0] > 0.6);

  const nn::Evaluation evaluation =
      nn::evaluate(net, nn::cross_entropy, held_out, {.metrics = options.metrics, .size = 7});
  CHECK(evaluation.loss == *history.epochs.back().validation_loss);
  CHECK(evaluation.metrics == history.epochs.back().metrics);
  CHECK_FALSE(net.training());  // as it was
}

TEST_CASE("a const model is evaluated in eval mode, too, and is in training mode again afterwards") {
  const nn::Dataset data = clusters(50, 2);
  Fitted net;
  const Fitted& constant = net;
  const double loss = nn::evaluate(constant, nn::cross_entropy, data).loss;
  CHECK(constant.training());
  CHECK(loss == nn::evaluate(net, nn::cross_entropy, data).loss);  // with dropout no two calls are alike
  net.eval();
  const nn::Batch all = data.all();
  CHECK(loss == doctest::Approx(nn::cross_entropy(net(all.inputs), all.targets).item()).epsilon(1e-6));
}

TEST_CASE("online, mini-batch and full-batch training follow the lecture's formula") {
  // Loss (w x - y)² of a row has the slope 2 (w x - y) x; rows (1, 2), (2, 1), w = 1, rate 0.1.
  const nn::Dataset data = points({1, 2}, {2, 1});
  const auto weight = [&](std::int64_t size) {
    Line line;
    nn::SGD optimizer(line.parameters(), {.learning_rate = 0.1});
    fit(line, nn::mse, optimizer, data, in_order(size));
    return line.weight();
  };
  // Online: w = 1 + 0.2 = 1.2, then 1.2 - 0.1 · 2 · (2.4 - 1) · 2 = 0.64.
  CHECK(weight(1) == doctest::Approx(0.64).epsilon(1e-14));
  // Full batch: the mean slope is (-2 + 4) / 2 = 1.
  CHECK(weight(2) == doctest::Approx(0.9).epsilon(1e-14));
}

TEST_CASE("accumulated batches make the step of their rows together, also where the last is smaller") {
  const nn::Dataset data = points({1, 2, 3, -1, 0.5}, {2, 1, -1, 0, 3});
  const auto weight = [&](FitOptions options, auto loss) {
    Line line;
    nn::SGD optimizer(line.parameters(), {.learning_rate = 0.01});
    options.epochs = 3;
    const History history = fit(line, loss, optimizer, data, options);
    CHECK(history.epochs.front().steps == 2);
    return line.weight();
  };
  // 4 rows, then the last one: as pieces of 2 + 2 and 1; of 3 + 2: as 1 + 1 + 1 and 1 + 1.
  FitOptions pieces = in_order(2);
  pieces.accumulate = 2;
  CHECK(weight(pieces, nn::mse) == doctest::Approx(weight(in_order(4), nn::mse)).epsilon(1e-14));
  FitOptions single = in_order(1);
  single.accumulate = 3;
  CHECK(weight(single, nn::mse) == doctest::Approx(weight(in_order(3), nn::mse)).epsilon(1e-14));
  // A step of pieces that differ in size: 5 rows as 2 + 2 + 1, then the mean must weigh rows, not pieces.
  Line line, whole;
  nn::SGD optimizer(line.parameters(), {.learning_rate = 0.01}),
      whole_optimizer(whole.parameters(), {.learning_rate = 0.01});
  FitOptions uneven = in_order(2);
  uneven.accumulate = 3;
  fit(line, nn::mse, optimizer, data, uneven);
  fit(whole, nn::mse, whole_optimizer, data, in_order(5));
  CHECK(line.weight() == doctest::Approx(whole.weight()).epsilon(1e-14));
  FitOptions sums = pieces, sum = in_order(4);
  sums.reduction = sum.reduction = nn::Reduction::sum;
  CHECK(weight(sums, nn::sse) == doctest::Approx(weight(sum, nn::sse)).epsilon(1e-14));
}

TEST_CASE("parts of a batch are batch_gradients") {
  FitOptions options = like_by_hand();
  options.parts = 3;
  seed(1);
  Fitted net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = rate, .momentum = 0.9, .weight_decay = 1e-3});
  nn::Batches batches(clusters(200, 1), options.batches);
  std::int64_t step = 0;
  for (int epoch = 0; epoch < 5; ++epoch)
    for (auto [x, y] : batches) {
      optimizer.learning_rate(cosine(step++));
      const auto [loss, gradients] = nn::batch_gradients(
          [&](const Tensor& a, const Tensor& b) { return nn::cross_entropy(net(a), b); }, x, y, {.parts = 3});
      optimizer.step(gradients);
    }
  CHECK(fitted(options) == nn::digest(net.parameters()));
  for (const int threads : {1, 3})
    CHECK(with_threads(threads, [&] { return fitted(options); }) == nn::digest(net.parameters()));
}

TEST_CASE("gradients are clipped before the step") {
  // The slope of the row (3, 0) at w = 1 is 2 · 3 · 3 = 18.
  const auto weight = [](const FitOptions& options) {
    Line line;
    nn::SGD optimizer(line.parameters(), {.learning_rate = 0.1});
    fit(line, nn::mse, optimizer, points({3}, {0}), options);
    return line.weight();
  };
  FitOptions norm = in_order(1), value = in_order(1), both = in_order(1);
  norm.clip_norm = 5;
  value.clip_value = 2;
  both.clip_norm = 5;
  both.clip_value = 2;
  CHECK(weight(norm) == doctest::Approx(0.5));
  CHECK(weight(value) == doctest::Approx(0.8));
  CHECK(weight(both) == doctest::Approx(0.8));
}

TEST_CASE("the sum of a summed loss, and the mean of a mean, are the losses of an epoch") {
  // No steps are made at rate 0: errors are w x - y = -1, 1, 4.
  const nn::Dataset data = points({1, 2, 3}, {2, 1, -1});
  const auto loss = [&](FitOptions options, const auto& function) {
    Line line;
    nn::SGD optimizer(line.parameters(), {.learning_rate = 0});
    options.validation = data;
    options.evaluation_size = 2;
    const History history = fit(line, function, optimizer, data, options);
    CHECK(*history.epochs[0].validation_loss == doctest::Approx(history.epochs[0].loss).epsilon(1e-14));
    return history.epochs[0].loss;
  };
  CHECK(loss(in_order(2), nn::mse) == doctest::Approx(6).epsilon(1e-14));
  FitOptions sum = in_order(2);
  sum.reduction = nn::Reduction::sum;
  CHECK(loss(sum, nn::sse) == doctest::Approx(9).epsilon(1e-14));
}

TEST_CASE("a fit with the same optimizer goes on where the one before ended") {
  const nn::Dataset data = clusters(40, 1);
  const auto trained = [&](std::int64_t epochs, int times) {
    seed(1);
    Fitted net;
    nn::SGD optimizer(net.parameters(), {.learning_rate = rate, .momentum = 0.9});
    FitOptions options = like_by_hand();
    options.epochs = epochs;
    for (int i = 0; i < times; ++i) fit(net, nn::cross_entropy, optimizer, data, options);
    return nn::digest(net.parameters());
  };
  CHECK(trained(1, 3) == trained(3, 1));
  CHECK(trained(2, 2) == trained(4, 1));

  // The orders of passes 0, 1 and 2 of Batches: the second fit is stopped after its first step.
  std::vector<std::vector<double>> orders;
  Line line;
  nn::SGD optimizer(line.parameters(), {.learning_rate = 0});
  const auto run = [&](nn::Optimizer& own, bool stops) {
    orders.emplace_back();
    FitOptions options = {.epochs = 1, .batches = {.size = 2, .shuffle = true, .seed = 5}};
    options.transform = [&](const nn::Batch& batch) {
      for (const double x : expect::values(batch.inputs)) orders.back().push_back(x);
      return batch;
    };
    options.on_step = [stops](const nn::StepRecord&) { return stops ? Next::stop : Next::go_on; };
    fit(line, nn::mse, own, points({1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}), options);
  };
  for (const bool stops : {false, true, false}) run(optimizer, stops);
  nn::SGD fresh(line.parameters(), {.learning_rate = 0});
  run(fresh, false);
  nn::Batches batches(points({1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}), {.size = 6, .shuffle = true, .seed = 5});
  std::vector<std::vector<double>> expected;
  for (int pass = 0; pass < 3; ++pass) expected.push_back(expect::values((*batches.begin()).inputs));
  CHECK(orders[0] == expected[0]);
  CHECK(orders[1] == std::vector<double>(expected[1].begin(), expected[1].begin() + 2));
  CHECK(orders[2] == expected[2]);
  CHECK(orders[3] == expected[0]);
}

TEST_CASE("models without modes, lambdas and other optimizers can be trained") {
  Tensor w = expect::leaf(tensor({{1}}, float64));
  const auto model = [&w](const Tensor& x) { return matmul(x, w); };
  struct SignDescent final : nn::Optimizer {  // Δw = -rate · sign(slope)
    explicit SignDescent(const Tensor& x) : Optimizer("SignDescent", one_group({x}), 0.25, 0, {}) {}
    void update(std::span<const Change> changes) override {
      for (const auto& [i, gradient, rows] : changes)
        parameter(i).assign(parameter(i) - sign(*gradient) * rate(group_of(i)).learning_rate);
    }
  } optimizer(w);
  FitOptions options = in_order(1, 3);
  options.schedule = [](std::int64_t step) { return step == 2 ? 0.125 : 0.25; };
  fit(model, nn::mse, optimizer, points({1}, {9}), options);
  CHECK(w.item() == 1 + 0.25 + 0.25 + 0.125);
}

TEST_CASE("a transform changes training batches, not those of validation") {
  Line line;
  nn::SGD optimizer(line.parameters(), {.learning_rate = 0});
  FitOptions options = in_order(1);
  options.transform = [](const nn::Batch& batch) -> nn::Batch { return {batch.inputs * 3.0, batch.targets}; };
  options.validation = points({1}, {0});
  const History history = fit(line, nn::mse, optimizer, points({1}, {0}), options);
  CHECK(history.epochs[0].loss == 9);
  CHECK(history.epochs[0].validation_loss == 1);
}

TEST_CASE("an option that throws while options are written leaves no mess") {
  // g++ 12 destroys members of a nested aggregate that it has not made; batches' options must have none to destroy.
  static_assert(std::is_trivially_destructible_v<nn::BatchesOptions> && std::is_trivially_destructible_v<nn::Stopping>);
  const auto missing = []() -> std::vector<nn::Metric> { throw FileError("metrics.txt: not found"); };
  const auto used = std::make_shared<int>();
  for (int i = 0; i < 2; ++i) {
    CHECK(error_of([&] {
            const FitOptions options = {.epochs = 2,
                                        .batches = {.size = 8},
                                        .transform = [used](const nn::Batch& batch) { return batch; },
                                        .metrics = missing()};
          }) == "FileError: metrics.txt: not found");
    CHECK(used.use_count() == 1);
  }
}

TEST_CASE("options that do not fit are refused before anything is trained") {
  Line line;
  nn::SGD optimizer(line.parameters(), {.learning_rate = 0.1});
  const auto refused = [&](const std::function<void(FitOptions&)>& change) {
    FitOptions options = in_order(1);
    change(options);
    return error_of([&] { fit(line, nn::mse, optimizer, points({1}, {2}), options); });
  };
  CHECK(refused([](FitOptions& o) {
          o.metrics = {{"f1", {}}};
        }) == "ValueError: fit: metric 'f1' has no function; need one to call");
  CHECK(error_of([&] {
          nn::evaluate(line, nn::mse, points({1}, {2}), {.metrics = {{"f1", nullptr}}});
        }) == "ValueError: evaluate: metric 'f1' has no function; need one to call");
  CHECK(refused([](FitOptions& o) { o.epochs = 0; }) == "ValueError: fit: epochs 0; need at least 1");
  CHECK(refused([](FitOptions& o) { o.accumulate = 0; }).starts_with("ValueError: fit: accumulate 0"));
  CHECK(
      refused([](FitOptions& o) { o.reduction = nn::Reduction::none; }).starts_with("ValueError: fit: reduction none"));
  CHECK(refused([](FitOptions& o) { o.clip_norm = 0; }).starts_with("ValueError: fit: clip_norm 0"));
  CHECK(refused([](FitOptions& o) { o.clip_value = -1; }).starts_with("ValueError: fit: clip_value -1"));
  CHECK(refused([](FitOptions& o) { o.stopping.seconds = 0; }).starts_with("ValueError: fit: stopping.seconds 0"));
  CHECK(refused([](FitOptions& o) {
          o.stopping.weight_change = 0;
        }).starts_with("ValueError: fit: stopping.weight_change"));
  CHECK(refused([](FitOptions& o) { o.stopping.patience = 3; }).ends_with("need validation data"));
  CHECK(refused([](FitOptions& o) { o.stopping.restore_best = true; }).ends_with("need validation data"));
  CHECK(refused([](FitOptions& o) {
          o.validation = points({1}, {1});
          o.stopping.patience = 0;
        }).starts_with("ValueError: fit: stopping.patience 0"));
  CHECK(refused([](FitOptions& o) { o.batches.size = 0; }).starts_with("ValueError: Batches: size is 0"));
  CHECK(line.weight() == 1);
  const auto per_row = [](const Tensor& p, const Tensor& t) {
    return nn::mse(p, t, {.reduction = nn::Reduction::none});
  };
  CHECK(error_of([&] {
          fit(line, per_row, optimizer, points({1, 2}, {2, 3}), in_order(2));
        }).starts_with("ShapeError: "));
  CHECK(line.training());
}
