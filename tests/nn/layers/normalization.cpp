#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/inspection/gradient_check.hpp>
#include <nn/inspection/summary.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/normalization.hpp>
#include <nn/layers/sequential.hpp>
#include <nn/nn.hpp>
#include <nn/training/batch_gradients.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

using namespace xgrad;

// Known values, second order, kinks and bad inputs stand in module_table.

namespace {

constexpr std::int64_t features = 3;

Tensor inputs(std::int64_t rows, std::uint64_t seed = 1) {
  return tensor(expect::numbers(static_cast<std::size_t>(rows * features), seed, -2, 3), {rows, features}, float64);
}

struct Moments {
  std::vector<double> mean;
  std::vector<double> variance;  ///< dividing by rows
};

/// Of the columns, in two passes by the definition.
Moments moments_of(const Tensor& x) {
  const auto rows = static_cast<double>(x.size()) / features;
  const std::vector<double> values = expect::values(x);
  Moments result{std::vector<double>(features), std::vector<double>(features)};
  for (std::size_t i = 0; i < values.size(); ++i) result.mean[i % features] += values[i] / rows;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = values[i] - result.mean[i % features];
    result.variance[i % features] += difference * difference / rows;
  }
  return result;
}

nn::BatchNorm in_float64(const nn::BatchNormOptions& options = {}) {
  nn::BatchNorm layer(features, options);
  layer.to(float64);
  return layer;
}

struct Normalised : nn::Module {
  nn::BatchNorm entry = add("entry", nn::BatchNorm(features));
  nn::Linear hidden = add("hidden", nn::Linear(features, 4, {.bias = false}));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(4));
  nn::LayerNorm last = add("last", nn::LayerNorm(4));
  Tensor operator()(const Tensor& x) const { return last(tanh(norm(hidden(tanh(entry(x)))))); }
};

/// The sum of the outputs, times numbers that differ, so that no gradient vanishes.
Tensor weighted(const Tensor& y) {
  return sum(y * tensor(expect::numbers(y.size(), 99), y.shape(), y.dtype())) / static_cast<double>(y.shape()[0]);
}

}  // namespace

TEST_CASE("batch norm's output has mean 0 and variance v/(v + epsilon) in each feature") {
  const Tensor x = inputs(50);
  const Moments of_x = moments_of(x);
  const nn::BatchNorm layer = in_float64({.epsilon = 0.1});
  for (const Tensor& y : {layer(x), layer(reshape(x, {5, 10, features}))}) {
    const Moments moments = moments_of(y);
    for (std::size_t j = 0; j < features; ++j) {
      CHECK(std::abs(moments.mean[j]) < 1e-15);
      CHECK(moments.variance[j] == doctest::Approx(of_x.variance[j] / (of_x.variance[j] + 0.1)).epsilon(1e-13));
    }
  }
}

TEST_CASE("gradients of batch norm are those of the paper") {
  // Ioffe and Szegedy 2015, section 3, with s = √(v + ε): dx = w/s·(g - mean(g) - x̂·mean(g·x̂)). For x = (1, 3) and
  // ε = 3: x̂ = ∓½, s = 2; g = (1, 0) has mean ½ and mean(g·x̂) = -¼: dx = ±w·3/16. dw = Σ g·x̂ = -½, db = Σ g = 1.
  nn::BatchNorm layer(1, {.epsilon = 3});
  layer.weight.modify([](auto w) { w[0] = 4; });
  const Tensor x = expect::leaf(tensor({{1}, {3}}));
  Tape tape;
  const Gradients gradients = tape.backward(layer(x), tensor({{1}, {0}}));
  CHECK(expect::values(gradients[x]) == std::vector<double>{0.75, -0.75});
  CHECK(expect::values(gradients[layer.weight]) == std::vector<double>{-0.5});
  CHECK(expect::values(gradients[layer.bias]) == std::vector<double>{1});
}

TEST_CASE("running statistics move by the momentum, with the unbiased variance") {
  // PyTorch documentation of BatchNorm1d: x_new = (1 - momentum)·x + momentum·x_t, from mean 0 and variance 1.
  const nn::BatchNorm layer = in_float64({.momentum = 0.25});
  std::vector<double> mean(features, 0), variance(features, 1);
  for (const std::uint64_t step : {1u, 2u, 3u}) {
    const Tensor x = inputs(10, step);
    const Moments moments = moments_of(x);
    layer(x);
    for (std::size_t j = 0; j < features; ++j) {
      mean[j] = 0.75 * mean[j] + 0.25 * moments.mean[j];
      variance[j] = 0.75 * variance[j] + 0.25 * moments.variance[j] * 10 / 9;
    }
    CHECK(expect::difference(layer.running_mean, mean) < 1e-15);
    CHECK(expect::difference(layer.running_var, variance) < 1e-15);
  }
  // x = (1, 3): mean 2, unbiased variance 2, after one step of the default momentum 0.1.
  const nn::BatchNorm plain(1);
  plain(tensor({{1}, {3}}));
  CHECK(plain.running_mean.item() == doctest::Approx(0.2));
  CHECK(plain.running_var.item() == doctest::Approx(0.9 + 0.1 * 2));
}

TEST_CASE("in eval mode batch norm uses the running statistics and leaves them, whatever the batch") {
  nn::BatchNorm layer = in_float64({.momentum = 1});
  layer(inputs(20));
  layer.eval();
  const std::vector<double> mean = expect::values(layer.running_mean);
  const std::vector<double> variance = expect::values(layer.running_var);
  const Tensor x = inputs(4, 7);
  std::vector<double> expected = expect::values(x);
  for (std::size_t i = 0; i < expected.size(); ++i)
    expected[i] = (expected[i] - mean[i % features]) / std::sqrt(variance[i % features] + 1e-5);
  const Tensor y = layer(x);
  CHECK(expect::difference(y, expected) < 1e-14);
  CHECK(expect::difference(layer(slice(x, 0, 1, 2)), slice(y, 0, 1, 2)) == 0);
  CHECK(expect::values(layer.running_mean) == mean);
  CHECK(expect::values(layer.running_var) == variance);
}

TEST_CASE("a call that throws, in a layer or after it, does not move the running statistics of its own layer") {
  const nn::BatchNorm layer = in_float64();
  CHECK(expect::contains(expect::error_of([&] { layer(inputs(1)); }), "need at least two rows"));
  CHECK(expect::values(layer.running_mean) == std::vector<double>(features, 0));
  const auto half = [&](const Tensor& x, const Tensor&) {
    if (x.item({0, 0}) > 1) throw ValueError("a part");
    return sum(layer(x) * layer.weight);
  };
  const Tensor x = concatenate({zeros({4, features}, float64), full({4, features}, 2, float64)}, 0);
  CHECK(expect::error_of([&] { nn::batch_gradients(half, x, x, {.parts = 2}); }) == "ValueError: a part");
  CHECK(expect::values(layer.running_mean) == std::vector<double>(features, 0));
  CHECK(expect::values(layer.running_var) == std::vector<double>(features, 1));
}

TEST_CASE("parts of a batch leave the statistics of the whole batch, however it is cut") {
  const Tensor x = inputs(100);
  const Moments moments = moments_of(x);
  for (const std::int64_t parts : {1, 2, 3, 7, 50}) {
    const nn::BatchNorm layer = in_float64();
    nn::batch_gradients([&](const Tensor& part, const Tensor&) { return weighted(layer(part)); }, x, x,
                        {.parts = parts});
    CAPTURE(parts);
    for (std::size_t j = 0; j < features; ++j) {
      const auto at = static_cast<std::int64_t>(j);
      CHECK(layer.running_mean.item({at}) == doctest::Approx(0.1 * moments.mean[j]).epsilon(1e-13));
      CHECK(layer.running_var.item({at}) == doctest::Approx(0.9 + 0.1 * moments.variance[j] * 100 / 99).epsilon(1e-13));
    }
  }
}

TEST_CASE("two calls of a layer in each part are two updates, as in the whole batch") {
  const Tensor x = inputs(40);
  const auto train = [&](std::int64_t parts) {
    const nn::BatchNorm layer = in_float64();
    nn::batch_gradients(
        [&](const Tensor& part, const Tensor&) {
          const Tensor first = weighted(layer(part));
          return first + weighted(layer(part * part));
        },
        x, x, {.parts = parts});
    return layer;
  };
  const nn::BatchNorm expected = in_float64();
  expected(x);
  expected(x * x);
  for (const std::int64_t parts : {1, 4}) {
    CHECK(expect::difference(train(parts).running_mean, expected.running_mean) < 1e-15);
    CHECK(expect::difference(train(parts).running_var, expected.running_var) < 1e-14);
  }
}

TEST_CASE("statistics and gradients of parts have the same bits for 1, 2, 3 and 8 threads") {
  const auto train = [](int threads) {
    return with_threads(threads, [] {
      seed(5);
      const Normalised net;
      const Tensor x = inputs(64).to(float32);
      std::vector<std::vector<double>> seen;
      for (int step = 0; step < 3; ++step) {
        const auto [loss, gradients] = nn::batch_gradients(
            [&](const Tensor& part, const Tensor&) { return weighted(net(part)); }, x, x, {.parts = 8});
        for (const auto& [parameter, gradient] : gradients) seen.push_back(expect::values(gradient));
      }
      for (const auto& [path, buffer] : net.named_buffers()) seen.push_back(expect::values(buffer));
      return seen;
    });
  };
  const auto expected = train(1);
  CHECK(expected.size() == 3 * 7 + 4);
  for (const int threads : {2, 3, 8}) CHECK(train(threads) == expected);
}

TEST_CASE("calls of batch norm by several threads at once all reach its statistics") {
  // Equal updates, so that their order does not matter: the bits are those of as many calls by one thread.
  const Tensor x = inputs(2);
  const nn::BatchNorm layer = in_float64({.momentum = 1e-4});
  const nn::BatchNorm alone = in_float64({.momentum = 1e-4});
  constexpr int calls = 1000;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int call = 0; call < calls; ++call) layer(x);
    });
  for (std::thread& thread : threads) thread.join();
  for (int call = 0; call < 4 * calls; ++call) alone(x);
  CHECK(expect::values(layer.running_mean) == expect::values(alone.running_mean));
  CHECK(expect::values(layer.running_var) == expect::values(alone.running_var));
}

TEST_CASE("a check of gradients sees the same function at each call and leaves the running statistics") {
  seed(2);
  Normalised net;
  const Tensor x = inputs(8);
  const Tensor y = tensor(expect::numbers(32, 3), {8, 4}, float64);
  const auto half_squares = [](const Tensor& a, const Tensor& b) { return sum(square(a - b)) * 0.5; };
  const auto unchanged = [&] {
    for (const nn::NamedTensor& buffer : net.named_buffers())
      if (expect::values(buffer.tensor) != std::vector<double>(buffer.tensor.size(), buffer.path.ends_with("var")))
        return false;
    return true;
  };
  for (const int order : {1, 2}) {
    const GradientReport report = check_gradients(net, half_squares, x, y, {.order = order});
    INFO(report.text());
    CHECK(report.ok());
    CHECK(unchanged());
  }
  CHECK(check_gradients(net, half_squares, x, y, {.dtype = float32}).ok());
  net.eval();
  CHECK(check_gradients(net, half_squares, x, y).ok());
  CHECK(unchanged());
}

TEST_CASE("clone, copies and to(float64) carry the running statistics along") {
  Normalised net;
  const Tensor x = inputs(16).to(float32);
  net(x);
  Normalised clone = nn::clone(net);
  const Normalised copy = net;
  CHECK(expect::values(clone.entry.running_mean) == expect::values(net.entry.running_mean));
  net(x);
  CHECK(expect::values(copy.entry.running_mean) == expect::values(net.entry.running_mean));
  CHECK(expect::values(clone.entry.running_mean) != expect::values(net.entry.running_mean));
  const std::vector<double> of_net = expect::values(net.entry.running_mean);
  clone(x);
  CHECK(expect::values(clone.entry.running_mean) == of_net);
  clone(x);
  CHECK(expect::values(net.entry.running_mean) == of_net);
  clone.to(float64);
  CHECK(clone.entry.running_var.dtype() == float64);
  CHECK(clone(inputs(16)).dtype() == float64);
  CHECK(clone.named_buffers().size() == 4);
  CHECK(clone.named_buffers()[0].path == "entry.running_mean");
  CHECK(clone.parameters().size() == 7);
}

TEST_CASE("layer norm's rows have mean 0 and variance v/(v + epsilon), each by itself, in training and eval mode") {
  nn::LayerNorm layer(50, {.epsilon = 0.1});
  layer.to(float64);
  const Tensor x = tensor(expect::numbers(150, 4, -3, 9), {3, 50}, float64);
  const Tensor y = layer(x);
  const Tensor v = var(x, {1});
  CHECK(expect::difference(mean(y, {1}), zeros({3}, float64)) < 1e-15);
  CHECK(expect::difference(var(y, {1}), v / (v + 0.1)) < 1e-14);
  CHECK(expect::difference(layer(slice(x, 0, 1, 2)), slice(y, 0, 1, 2)) == 0);
  layer.eval();
  CHECK(expect::difference(layer(x), y) == 0);
}

TEST_CASE("variances of numbers far from 0 do not cancel") {
  // The mean of squares less the square of the mean would be off by 100 %: 1e4 ± ½ in float32.
  const Tensor x = tensor({{9999.5}, {10000.5}, {9999.5}, {10000.5}});
  const Tensor expected = tensor({{-1}, {1}, {-1}, {1}}) / std::sqrt(1 + 4e-5);
  CHECK(expect::difference(nn::BatchNorm(1)(x), expected) < 1e-6);
  CHECK(expect::difference(nn::LayerNorm(4)(reshape(x, {1, 4})), reshape(expected, {1, 4})) < 1e-6);
}

TEST_CASE("summary lists the floating operations of normalisation") {
  const Normalised net;
  const std::string text = nn::summary(net, {features});
  CAPTURE(text);
  CHECK(expect::contains(text, "BatchNorm"));
  CHECK(expect::contains(text, "LayerNorm"));
  // In eval mode 3 for each of 3 and of 4 features, 7 for each of 4, and 2 · 3 · 4 of the linear layer.
  CHECK(expect::contains(text, " 9 "));
  CHECK(expect::contains(text, " 12 "));
  CHECK(expect::contains(text, " 28 "));
  CHECK(expect::contains(text, " 73 "));
}

namespace {

/// The largest error of (x - mean)/√(variance + ε) of each of the groups, in units of the largest exact one times eps.
template <class Group>
double worst_error(const Tensor& x, const Tensor& y, std::size_t groups, std::size_t count, const Group& group) {
  const std::vector<double> from = expect::values(x), found = expect::values(y);
  const double eps = x.dtype() == float32 ? 0x1p-23 : 0x1p-52;
  double worst = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    long double mean = 0, variance = 0, largest = 0;
    for (std::size_t i = 0; i < count; ++i) mean += from[group(g, i)] / static_cast<long double>(count);
    for (std::size_t i = 0; i < count; ++i)
      variance += std::pow(from[group(g, i)] - mean, 2) / static_cast<long double>(count);
    const auto exact = [&](std::size_t i) { return (from[group(g, i)] - mean) / std::sqrt(variance + 1e-5L); };
    for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(exact(i)));
    for (std::size_t i = 0; i < count; ++i)
      worst = std::max(worst, static_cast<double>(std::abs(found[group(g, i)] - exact(i)) / (eps * largest)));
  }
  return worst;
}

}  // namespace

TEST_CASE("a large mean costs the normalisations no digits, and a large spread does not overflow") {
  constexpr std::int64_t rows = 64, columns = 48;
  Generator generator(3);
  for (const DType dtype : {float32, float64}) {
    const double most = dtype == float32 ? 0x1.8p127 : 0x1.8p1023;  // differences overflow
    for (const double spread : {1.0, dtype == float32 ? 1e25 : 1e200, most}) {
      const double mean = spread == 1 ? 1e4 : 0;
      CAPTURE(spread);
      const Tensor numbers = normal({rows, columns}, mean, 1, dtype, generator);
      const Tensor x = spread == most ? sign(numbers) * spread : numbers * spread;
      nn::LayerNorm of_rows(columns);
      nn::BatchNorm of_columns(columns);
      of_rows.to(dtype);
      of_columns.to(dtype);
      const auto in_row = [](std::size_t row, std::size_t i) { return row * columns + i; };
      const auto in_column = [](std::size_t column, std::size_t i) { return i * columns + column; };
      CHECK(worst_error(x, of_rows(x), rows, columns, in_row) <= 8);
      CHECK(worst_error(x, of_columns(x), columns, rows, in_column) <= 8);
    }
  }
}

TEST_CASE("rows of small and of large spread are normalised side by side") {
  const Tensor x = tensor({{1, 2, 3}, {1e25, 2e25, 3e25}}, float32);
  const Tensor leaf = expect::leaf(x);
  Tape tape;
  const Tensor y = nn::LayerNorm(3)(leaf);
  const double step = std::sqrt(1.5);  // (x - 2)/√(2/3)
  for (const std::int64_t row : {0, 1}) {
    CHECK(y.item({row, 0}) == doctest::Approx(-step).epsilon(1e-5));
    CHECK(std::abs(y.item({row, 1})) < 1e-6);
    CHECK(y.item({row, 2}) == doctest::Approx(step).epsilon(1e-5));
  }
  const Tensor g = tape.backward(y, tensor({{1, 0, 0}, {1, 0, 0}}, float32))[leaf];
  CHECK(g.item({1, 0}) / g.item({0, 0}) == doctest::Approx(1e-25).epsilon(1e-3));
}

TEST_CASE("a last batch of one row and parts of one row are refused with the options that mend it") {
  nn::Sequential model(nn::Linear(2, 3), nn::BatchNorm(3));
  nn::SGD optimizer(model.parameters(), {.learning_rate = 0.1});
  const nn::Dataset data(expect::random_tensor({5, 2}, 1, float32), zeros({5}, int64));
  const auto refused = [&](const nn::FitOptions& options) {
    return expect::error_of([&] { nn::fit(model, nn::cross_entropy, optimizer, data, options); });
  };
  const nn::FitOptions last = {.epochs = 1, .batches = {.size = 2}};
  const nn::FitOptions parts = {.epochs = 1, .batches = {.size = 5}, .parts = 5};
  for (const std::string& text : {refused(last), refused(parts)}) {
    CAPTURE(text);
    CHECK(text.starts_with("ShapeError: 1: batch_norm: x is (1, 3) in training; need at least two rows"));
    CHECK(expect::contains(text, "drop_last"));
    CHECK(expect::contains(text, "parts"));
  }
  CHECK(refused({.epochs = 1, .batches = {.size = 2, .drop_last = true}}) == "no error");
}
