#include "tests/support/expect.hpp"
#include "tests/support/one_weight.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace xgrad;
using nn::fit;
using nn::FitOptions;
using one_weight::in_order;
using one_weight::Line;
using one_weight::points;

// What is expected is the step of all rows in one batch: the gradient of the rows together.

namespace {

constexpr std::int64_t label_count = 3;

struct Classifier : nn::Module {
  nn::Linear output = add("output", nn::Linear(2, label_count));
  Classifier() {
    output.weight.assign(expect::random_tensor({2, label_count}, 1, float32));
    output.bias.assign(zeros({label_count}));
    to(float64);
  }
  Tensor operator()(const Tensor& x) const { return output(x); }
};

/// So unevenly many rows of the classes that batches differ in their sums of weights.
nn::Dataset labelled(std::int64_t rows) {
  std::vector<double> labels;
  for (std::int64_t row = 0; row < rows; ++row) labels.push_back(row < rows / 2 ? 0 : static_cast<double>(row % 3));
  return {expect::random_tensor({rows, 2}, 5), tensor(labels, {rows}, int64)};
}

Tensor weighted(const Tensor& p, const Tensor& t) {
  return nn::cross_entropy(p, t, {.weights = tensor({1, 3, 0.25}, float64)});
}
Tensor ignoring(const Tensor& p, const Tensor& t) { return nn::cross_entropy(p, t, {.ignore_index = 1}); }
Tensor penalised(const Tensor& p, const Tensor& t) { return nn::mse(p, t) + 0.1 * max(p); }

/// The weights after two epochs, whose losses must be those of rows together, too.
template <class Loss>
std::vector<double> trained(const Loss& loss, const FitOptions& options, double* last_loss = nullptr) {
  Classifier model;
  nn::SGD optimizer(model.parameters(), {.learning_rate = 0.5, .momentum = 0.9});
  FitOptions twice = options;
  twice.epochs = 2;
  const nn::History history = fit(model, loss, optimizer, labelled(12), twice);
  if (last_loss != nullptr) *last_loss = history.epochs.back().loss;
  std::vector<double> result = expect::values(model.output.weight);
  for (const double bias : expect::values(model.output.bias)) result.push_back(bias);
  return result;
}

}  // namespace

TEST_CASE("batches of a step count together for losses that are no means over rows") {
  const auto equals_whole = [](const auto& loss, std::int64_t size, std::int64_t accumulate,
                               std::optional<std::int64_t> parts) {
    FitOptions pieces = in_order(size), whole = in_order(size * accumulate);
    pieces.accumulate = accumulate;
    pieces.parts = parts;
    double of_pieces = 0, of_whole = 0;
    CHECK(expect::difference(trained(loss, pieces, &of_pieces), trained(loss, whole, &of_whole)) < 1e-13);
    CHECK(of_pieces == doctest::Approx(of_whole).epsilon(1e-13));
  };
  for (const auto& pair : {std::pair{2, 3}, {1, 12}, {5, 2}, {6, 2}})
    for (const std::optional<std::int64_t> parts : {std::optional<std::int64_t>(), {1}, {3}}) {
      const int size = pair.first, accumulate = pair.second;
      CAPTURE(size);
      CAPTURE(accumulate);
      equals_whole(weighted, size, accumulate, parts);
      equals_whole(ignoring, size, accumulate, parts);
      equals_whole(nn::cross_entropy, size, accumulate, parts);
    }
  equals_whole(weighted, 12, 1, 5);
  const std::vector<double> expected = trained(weighted, in_order(12));
  for (const int threads : {1, 2, 3}) {
    FitOptions pieces = in_order(4);
    pieces.accumulate = 3;
    pieces.parts = 2;
    const auto run = [&] { return trained(weighted, pieces); };
    CHECK(expect::same_bits(with_threads(threads, run), run()));
    CHECK(expect::difference(with_threads(threads, run), expected) < 1e-13);
  }
}

TEST_CASE("a loss that couples rows, or speaks of parameters itself, counts once for the rows of a step") {
  const nn::Dataset data = points({1, 2, 3, -1}, {2, 1, -1, 0});
  const auto weight = [&](const auto& make_loss, std::int64_t size) {
    Line line;
    nn::SGD optimizer(line.parameters(), {.learning_rate = 0.01});
    FitOptions options = in_order(size, 3);
    options.accumulate = 4 / size;
    fit(line, make_loss(line), optimizer, data, options);
    return line.weight();
  };
  const auto with_largest = [](const Line&) { return penalised; };
  const auto with_penalty = [](const Line& line) {
    return
        [&line](const Tensor& p, const Tensor& t) { return nn::mse(p, t) + 0.5 * nn::l2_penalty(line.parameters()); };
  };
  for (const std::int64_t size : {1, 2}) {
    CHECK(weight(with_largest, size) == doctest::Approx(weight(with_largest, 4)).epsilon(1e-14));
    CHECK(weight(with_penalty, size) == doctest::Approx(weight(with_penalty, 4)).epsilon(1e-14));
  }
}

TEST_CASE("a transform may change the number of rows: they count, not those of the dataset") {
  // Rows whose input is 0 are left out; the others are 1, then 2 and 3.
  const auto weight = [](const nn::Dataset& data, FitOptions options) {
    options.transform = [](const nn::Batch& batch) -> nn::Batch {
      std::vector<double> kept;
      for (std::int64_t row = 0; row < batch.rows(); ++row)
        if (batch.inputs.item({row, 0}) != 0) kept.push_back(static_cast<double>(row));
      const Tensor rows = tensor(kept, {static_cast<std::int64_t>(kept.size())}, int64);
      return {take(batch.inputs, rows), take(batch.targets, rows)};
    };
    Line line;
    nn::SGD optimizer(line.parameters(), {.learning_rate = 0.01});
    const nn::History history = fit(line, nn::mse, optimizer, data, options);
    return std::pair(line.weight(), history.epochs[0].loss);
  };
  FitOptions pieces = in_order(2);
  pieces.accumulate = 2;
  const auto [found, loss] = weight(points({1, 0, 2, 3}, {5, 9, 1, -1}), pieces);
  const auto [expected, whole_loss] = weight(points({1, 2, 3}, {5, 1, -1}), in_order(3));
  CHECK(found == doctest::Approx(expected).epsilon(1e-14));
  CHECK(loss == doctest::Approx(whole_loss).epsilon(1e-14));
}

TEST_CASE("both passes of a step draw the same numbers, and layers remember each batch once") {
  struct Noisy : nn::Module {
    nn::BatchNorm norm = add("norm", nn::BatchNorm(1));
    Tensor w = parameter("w", tensor({{1}}));
    nn::LayerStream stream{default_generator()};
    std::vector<double>* seen = nullptr;
    Tensor operator()(const Tensor& x) const {
      Generator generator = stream.next();
      const Tensor noise = uniform({1}, 0, 1, float32, generator);
      if (training()) seen->push_back(noise.item({0}));
      return matmul(norm(x) + noise, w);
    }
  };
  const nn::Dataset data(expect::random_tensor({8, 1}, 3, float32), expect::random_tensor({8, 1}, 4, float32));
  const auto run = [&](const auto& loss, std::vector<double>& seen) {
    seed(3);
    Noisy model;
    model.seen = &seen;
    nn::SGD optimizer(model.parameters(), {.learning_rate = 0.1});
    FitOptions options = in_order(2);
    options.accumulate = 2;
    fit(model, loss, optimizer, data, options);
    return std::pair(model.norm.running_var.clone(), model.stream.calls());
  };
  std::vector<double> together, one_by_one;
  const auto unknown = [](const Tensor& p, const Tensor& t) { return nn::mse(p, t); };
  const auto [statistics, steps] = run(unknown, together);
  CHECK(steps == 2);              // the batches of a step count as one call, as its parts do
  REQUIRE(together.size() == 8);  // two steps of two batches, each twice
  for (const std::size_t step : {0u, 4u}) {
    CHECK(together[step] == together[step + 2]);
    CHECK(together[step + 1] == together[step + 3]);
    CHECK(together[step] != together[step + 1]);
  }
  CHECK(expect::difference(statistics, run(nn::mse, one_by_one).first) == 0);
  CHECK(one_by_one.size() == 4);
}

TEST_CASE("a loss of rows together that is not finite is traced to its batch") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto unknown = [](const Tensor& p, const Tensor& t) { return nn::mse(p, t); };
  Line line;
  nn::SGD optimizer(line.parameters(), {.learning_rate = 0.1});
  FitOptions options = in_order(2);
  options.accumulate = 2;
  const std::string text = expect::error_of([&] {
    fit(line, unknown, optimizer, points({1, 1, 1, nan}, {1, 1, 1, 1}), options);
  });
  CAPTURE(text);
  CHECK(expect::contains(text, "at step 0: the inputs are not finite, first in row 1 of the batch"));
  CHECK(line.weight() == 1);
}

TEST_CASE("the loss of a dataset is that of all rows, whatever the size of batches") {
  Classifier model;
  const nn::Dataset data = labelled(12);
  const nn::Batch all = data.all();
  const auto same_for_all_sizes = [&](const auto& loss) {
    const double expected = loss(model(all.inputs), all.targets).item();
    for (const std::int64_t size : {1, 2, 5, 7, 12, 100})
      CHECK(nn::evaluate(model, loss, data, {.size = size}).loss == doctest::Approx(expected).epsilon(1e-14));
    nn::SGD optimizer(model.parameters(), {.learning_rate = 0});
    FitOptions options = in_order(3);
    options.validation = data;
    options.evaluation_size = 5;
    CHECK(fit(model, loss, optimizer, data, options).epochs[0].validation_loss ==
          doctest::Approx(expected).epsilon(1e-14));
  };
  same_for_all_sizes(weighted);
  same_for_all_sizes(ignoring);
  same_for_all_sizes(nn::cross_entropy);
  same_for_all_sizes([](const Tensor& p, const Tensor& t) {
    return nn::cross_entropy(p, t, {.weights = tensor({1, 0, 5}, float64), .label_smoothing = 0.2});
  });
}
