#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/layers/activations.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/sequential.hpp>
#include <nn/training/batch_gradients.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace xgrad;

namespace {

nn::Sequential network() {
  Generator generator(1);
  return nn::Sequential(nn::Linear(5, 8, {}, generator), nn::Tanh(), nn::Linear(8, 3, {}, generator));
}

Tensor inputs(std::int64_t rows, std::int64_t columns = 5) {
  return tensor(expect::numbers(static_cast<std::size_t>(rows * columns), 3), {rows, columns});
}

Tensor labels(std::int64_t rows) {
  Tensor result = arange(rows);
  result.modify([](std::span<std::int64_t> values) {
    for (auto& value : values) value = value * value % 3;
  });
  return result;
}

/// max |a - b| over all gradients of both, which have the same keys.
double difference(const Gradients& a, const Gradients& b) {
  double largest = a.size() == b.size() ? 0 : HUGE_VAL;
  for (const auto& [x, gradient] : a) largest = std::max(largest, expect::difference(gradient, b[x]));
  return largest;
}

std::vector<std::vector<double>> bits(const nn::BatchGradients& result) {
  std::vector<std::vector<double>> all = {{result.loss}};
  for (const auto& [x, gradient] : result.gradients) all.push_back(expect::values(gradient));
  return all;
}

}  // namespace

TEST_CASE("the parts' gradients add up to the whole batch's, however it is cut") {
  const DefaultDType scope(float64);
  const nn::Sequential net = network();
  const Tensor x = inputs(37);
  const Tensor y = labels(37);
  const auto mean_loss = [&](const Tensor& a, const Tensor& b) { return nn::cross_entropy(net(a), b); };
  const auto sum_loss = [&](const Tensor& a, const Tensor& b) {
    return nn::cross_entropy(net(a), b, {.reduction = nn::Reduction::sum});
  };
  Tape tape;
  const Tensor loss = mean_loss(x, y);
  const Gradients whole = tape.backward(loss);
  Gradients summed = whole;
  summed *= 37;
  for (const std::int64_t parts : {0, 1, 2, 3, 7, 36, 37, 100}) {
    CAPTURE(parts);
    const auto by_mean = nn::batch_gradients(mean_loss, x, y, {.parts = parts});
    CHECK(by_mean.loss == doctest::Approx(loss.item()).epsilon(1e-14));
    CHECK(difference(by_mean.gradients, whole) < 1e-15);
    const auto by_sum = nn::batch_gradients(sum_loss, x, y, {.parts = parts, .reduction = nn::Reduction::sum});
    CHECK(by_sum.loss == doctest::Approx(37 * loss.item()).epsilon(1e-14));
    CHECK(difference(by_sum.gradients, summed) < 1e-13);
  }
}

TEST_CASE("the number of parts follows from the rows: one for each 128, at most 16") {
  Tensor w = ones({1});
  w.requires_gradient();
  const auto sizes = [&](std::int64_t rows, std::int64_t parts) {
    std::mutex mutex;
    std::multiset<std::int64_t> seen;
    nn::batch_gradients(
        [&](const Tensor& x, const Tensor& y) {
          CHECK(x.shape() == y.shape());
          const std::lock_guard lock(mutex);
          seen.insert(x.shape()[0]);
          return mean(x * w);
        },
        ones({rows, 1}), ones({rows, 1}), {.parts = parts});
    return std::vector<std::int64_t>(seen.begin(), seen.end());
  };
  CHECK(sizes(1, 0) == std::vector<std::int64_t>{1});
  CHECK(sizes(255, 0) == std::vector<std::int64_t>{255});
  CHECK(sizes(512, 0) == std::vector<std::int64_t>{128, 128, 128, 128});
  CHECK(sizes(100000, 0).size() == 16);
  CHECK(sizes(10, 4) == std::vector<std::int64_t>{2, 2, 3, 3});
  CHECK(sizes(3, 8) == std::vector<std::int64_t>{1, 1, 1});
}

TEST_CASE("every number of threads gives the same bits") {
  const nn::Sequential net = [] {
    Generator generator(2);
    return nn::Sequential(nn::Linear(40, 300, {}, generator), nn::ReLU(), nn::Linear(300, 3, {}, generator));
  }();
  const Tensor x = inputs(500, 40);
  const Tensor y = labels(500);
  const auto run = [&](int threads, std::int64_t parts) {
    return with_threads(threads, [&] {
      return bits(nn::batch_gradients([&](const Tensor& a, const Tensor& b) { return nn::cross_entropy(net(a), b); }, x,
                                      y, {.parts = parts}));
    });
  };
  for (const std::int64_t parts : {0, 2, 5, 16}) {
    CAPTURE(parts);
    const auto expected = run(1, parts);
    for (const int threads : {2, 3, 8}) CHECK(run(threads, parts) == expected);
  }
}

TEST_CASE("parts see the rows in order and are added up in a tree that their number decides") {
  // In float32 (1e8 + 1) - 1e8 is 0, while 1e8 - 1e8 + 1 is 1: the order of the sums shows.
  Tensor w = ones({1});
  w.requires_gradient();
  const auto gradient = [&](const std::vector<double>& rows) {
    const Tensor x = reshape(tensor(rows).to(float32), {std::ssize(rows), 1});
    const auto result = nn::batch_gradients([&](const Tensor& a, const Tensor&) { return sum(a * w); }, x, x,
                                            {.parts = std::ssize(rows), .reduction = nn::Reduction::sum});
    return result.gradients[w].item();
  };
  CHECK(gradient({1e8, 1, -1e8}) == 0);  // r0 + (r1 + r2)
  CHECK(gradient({1, 1e8, -1e8}) == 1);
  CHECK(gradient({1e8, -1e8, 1, 0}) == 1);  // (r0 + r1) + (r2 + r3)
  CHECK(gradient({1, 1e8, -1e8, 0}) == 0);
  CHECK(gradient({0, 1, 1, 1e8, -1e8}) == 2);  // (r0 + r1) + (r2 + (r3 + r4))
  CHECK(gradient({1, 0, 1e8, -1e8, 1}) == 1);
  CHECK(gradient({0, 0, 1e8, 1, -1e8}) == 0);
}

TEST_CASE("the lowest part's error is thrown, for every number of threads") {
  Tensor w = ones({1});
  w.requires_gradient();
  const Tensor x = reshape(arange(8).to(float32), {8, 1});
  for (const int threads : {1, 2, 8}) {
    const std::string text = with_threads(threads, [&] {
      return expect::error_of([&] {
        nn::batch_gradients(
            [&](const Tensor& a, const Tensor&) {
              if (a.item() >= 3) throw ValueError("part " + std::to_string(static_cast<int>(a.item())));
              return sum(a * w);
            },
            x, x, {.parts = 8});
      });
    });
    CHECK(text == "ValueError: part 3");
  }
  // Nothing is left behind.
  const auto result =
      nn::batch_gradients([&](const Tensor& a, const Tensor&) { return mean(a * w); }, x, x, {.parts = 8});
  CHECK(result.gradients[w].item() == 3.5);
}

TEST_CASE("a parameter that only some parts use gets the sum of what there is") {
  Tensor a = ones({1});
  Tensor b = ones({1});
  a.requires_gradient();
  b.requires_gradient();
  const Tensor x = tensor({{1}, {2}, {-3}, {4}});
  const auto result =
      nn::batch_gradients([&](const Tensor& row, const Tensor&) { return sum(row * (row.item() < 0 ? b : a)); }, x, x,
                          {.parts = 4, .reduction = nn::Reduction::sum});
  CHECK(result.gradients[a].item() == 7);
  CHECK(result.gradients[b].item() == -3);
  CHECK(result.gradients.size() == 2);
  CHECK(result.loss == 4);
}

TEST_CASE("parts see the caller's default dtype and module path on every thread, and leave an open tape alone") {
  const DefaultDType dtype(float64);
  const PathScope path("trainer");
  Tensor w = ones({1});
  w.requires_gradient();
  std::mutex mutex;
  std::set<std::thread::id> threads;
  const auto wait_for_another_thread = [&] {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (bool alone = true; alone && std::chrono::steady_clock::now() < patience; std::this_thread::yield()) {
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
      alone = threads.size() < 2;
    }
  };
  std::atomic<int> right = 0;
  Tape tape;
  const Tensor before = w * 2.0;
  const std::size_t size = tape.size();
  with_threads(3, [&] {
    return nn::batch_gradients(
        [&](const Tensor& x, const Tensor&) {
          wait_for_another_thread();
          right += default_dtype() == float64 && PathScope::current() == "trainer" ? 1 : 0;
          return mean(x * w);
        },
        ones({6, 1}), ones({6, 1}), {.parts = 6});
  });
  CHECK(threads.size() >= 2);
  CHECK(right == 6);
  CHECK(tape.size() == size);
  CHECK(tape.backward(before)[w].item() == 2);
  const Pause pause;
  CHECK(nn::batch_gradients([&](const Tensor& x, const Tensor&) { return mean(x * w); }, ones({2, 1}), ones({2, 1}))
            .gradients[w]
            .item() == 1);
}

TEST_CASE("an input that requires a gradient gets one") {
  const Tensor x = expect::leaf(tensor({{1}, {2}, {3}}));
  const auto result = nn::batch_gradients([](const Tensor& a, const Tensor& b) { return sum(a * a * b); }, x,
                                          tensor({{1}, {10}, {100}}), {.parts = 3, .reduction = nn::Reduction::sum});
  CHECK(expect::values(result.gradients[x]) == std::vector<double>{2, 40, 600});
}

TEST_CASE("batches that do not fit, and functions that give no number, are refused") {
  const nn::Sequential net = network();
  const auto loss = [&](const Tensor& x, const Tensor& y) { return nn::cross_entropy(net(x), y); };
  const auto error = [&](const Tensor& x, const Tensor& y, const nn::BatchGradientsOptions& options = {}) {
    return expect::error_of([&] { nn::batch_gradients(loss, x, y, options); });
  };
  CHECK(error(inputs(4), labels(5)) ==
        "ShapeError: batch_gradients: x is (4, 5), y is (5,); need the same number of rows, at least one");
  CHECK(expect::contains(error(zeros({0, 5}), zeros({0}, int64)), "ShapeError"));
  CHECK(expect::contains(error(zeros({}), zeros({})), "ShapeError"));
  CHECK(error(inputs(4), labels(4), {.parts = -1}) == "ValueError: batch_gradients: -1 parts; need 0 (chosen) or more");
  CHECK(error(inputs(4), labels(4), {.reduction = nn::Reduction::none}) ==
        "ValueError: batch_gradients: reduction none; need mean or sum, as the function reduces its losses");
  CHECK(error(inputs(4, 3), labels(4)) == "ShapeError: 0: linear expects (…, 5), got (4, 3)");
  CHECK(expect::contains(expect::error_of([&] {
                           nn::batch_gradients([&](const Tensor& x, const Tensor&) { return net(x); }, inputs(4),
                                               labels(4), {.parts = 2});
                         }),
                         "ShapeError: backward: the output is (2, 3)"));
}

TEST_CASE("of lists of tensors all have the same rows, which are cut together") {
  Tensor w = expect::leaf(ones({1}));
  const auto loss = [&](const Tensor& x, const Tensor& z, const Tensor& y) { return mean((x - y) * w) + mean(z); };
  const nn::AnyModel model(loss);
  const std::vector<Tensor> two = {inputs(4), ones({4})}, uneven = {inputs(4), ones({3})};
  const Tensor y = zeros({4, 5});
  const auto one_part = nn::batch_gradients_of(model, two, y, {.parts = 1});
  const auto two_parts = nn::batch_gradients_of(model, two, y, {.parts = 2});
  CHECK(two_parts.loss == doctest::Approx(one_part.loss).epsilon(1e-6));
  CHECK(expect::error_of([&] { nn::batch_gradients_of(model, uneven, y, {}); }) ==
        "ShapeError: batch_gradients: x is (4, 5), y is (3,); need the same number of rows, at least one");
}
