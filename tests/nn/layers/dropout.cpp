#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/layers/dropout.hpp>
#include <nn/layers/linear.hpp>
#include <nn/training/batch_gradients.hpp>

#include <cmath>
#include <set>
#include <thread>
#include <vector>

using namespace xgrad;

namespace {

nn::Dropout dropout_of_seed(std::uint64_t number, double probability = 0.5) {
  Generator generator(number);
  return nn::Dropout(probability, generator);
}

}  // namespace

TEST_CASE("dropout keeps an element with probability 1 - p and scales it by 1 / (1 - p)") {
  const nn::Dropout dropout = dropout_of_seed(1, 0.2);
  constexpr int count = 100000;
  double kept = 0;
  for (const double y : expect::values(dropout(ones({count})))) {
    if (y == 0) continue;
    CHECK(std::abs(y - 1.25) < 1e-6);
    kept += 1;
  }
  CHECK(std::abs(kept / count - 0.8) < 5 * std::sqrt(0.2 * 0.8 / count));
}

TEST_CASE("dropout passes the gradient through the elements that it kept") {
  const nn::Dropout dropout = dropout_of_seed(2);
  const Tensor x = expect::leaf(ones({1000}));
  Tape tape;
  const Tensor y = dropout(x);
  CHECK(expect::values(tape.backward(sum(y))[x]) == expect::values(y));
}

TEST_CASE("dropped elements are 0 whatever they were") {
  const nn::Dropout dropout = dropout_of_seed(3);
  const Tensor x = expect::leaf(full({1000}, HUGE_VAL));
  Tape tape;
  const Tensor y = dropout(x);
  for (const double value : expect::values(y)) CHECK((value == 0 || value == HUGE_VAL));
  for (const double g : expect::values(tape.backward(y, ones({1000}))[x])) CHECK((g == 0 || g == 2));
}

TEST_CASE("dropout in eval mode, or with probability 0, is the identity; with 1 it gives zeros") {
  nn::Dropout dropout = dropout_of_seed(4);
  const Tensor x = tensor({1, 2, 3});
  dropout.eval();
  CHECK(dropout(x).is(x));
  CHECK(dropout.stream.calls() == 0);
  dropout.train();
  CHECK_FALSE(dropout(x).is(x));
  CHECK(nn::Dropout(0.0)(x).is(x));
  CHECK(expect::values(nn::Dropout(1.0)(x)) == std::vector<double>{0, 0, 0});
}

TEST_CASE("dropout draws anew at each call and repeats for the same seed") {
  const nn::Dropout dropout = dropout_of_seed(5);
  const nn::Dropout same = dropout_of_seed(5);
  const Tensor x = ones({64});
  const auto first = expect::values(dropout(x));
  const auto second = expect::values(dropout(x));
  CHECK(first != second);
  CHECK(expect::values(same(x)) == first);
  CHECK(expect::values(same(x)) == second);
  CHECK(expect::values(dropout_of_seed(6)(x)) != first);

  nn::Dropout resumed = dropout_of_seed(5);
  resumed.stream.calls(1);
  CHECK(expect::values(resumed(x)) == second);

  Generator generator(5);
  const nn::Dropout one(0.5, generator);
  const nn::Dropout two(0.5, generator);
  CHECK(expect::values(one(x)) != expect::values(two(x)));
}

TEST_CASE("copies of a dropout layer share its counter, a clone goes on by itself") {
  const nn::Dropout dropout = dropout_of_seed(7);
  const Tensor x = ones({64});
  dropout(x);
  const nn::Dropout copy = dropout;
  const nn::Dropout clone = nn::clone(dropout);
  const auto next = expect::values(clone(x));
  CHECK(dropout.stream.calls() == 1);
  CHECK(expect::values(copy(x)) == next);
  CHECK(dropout.stream.calls() == 2);
}

TEST_CASE("each call of dropout by several threads has numbers of its own") {
  const nn::Dropout dropout = dropout_of_seed(8);
  std::vector<std::vector<std::vector<double>>> masks(4);
  std::vector<std::thread> threads;
  for (auto& mine : masks)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) mine.push_back(expect::values(dropout(ones({128}))));
    });
  for (std::thread& thread : threads) thread.join();
  std::set<std::vector<double>> different;
  for (const auto& mine : masks) different.insert(mine.begin(), mine.end());
  CHECK(different.size() == 200);
  CHECK(dropout.stream.calls() == 200);
}

TEST_CASE("the mask is the same for every number of threads") {
  const auto mask = [](int threads) {
    return with_threads(threads, [] { return expect::values(dropout_of_seed(9)(ones({300, 501}))); });
  };
  const auto expected = mask(1);
  for (const int threads : {2, 3, 8}) CHECK(mask(threads) == expected);
}

TEST_CASE("in parts of a batch the masks follow the part and its call, not the thread") {
  // The gradient of the weight (64, 1) of x = 1 is the number of rows that kept the column, times 2 per row.
  const auto gradients_of = [](int threads, int steps) {
    return with_threads(threads, [steps] {
      const nn::Dropout dropout = dropout_of_seed(10);
      nn::Linear layer(64, 1, {.bias = false});
      std::vector<std::vector<double>> results;
      for (int step = 0; step < steps; ++step) {
        const auto [loss, gradients] = nn::batch_gradients(
            [&](const Tensor& x, const Tensor& y) { return sum(layer(dropout(x)) - y) + sum(layer(dropout(x))); },
            ones({8, 64}), zeros({8, 1}), {.parts = 4, .reduction = nn::Reduction::sum});
        results.push_back(expect::values(gradients[layer.weight]));
      }
      CHECK(dropout.stream.calls() == static_cast<std::uint64_t>(steps));
      return results;
    });
  };
  const auto expected = gradients_of(1, 3);
  CHECK(expected[0] != expected[1]);
  CHECK(expected[1] != expected[2]);
  for (const int threads : {2, 3, 8}) CHECK(gradients_of(threads, 3) == expected);
}

TEST_CASE("parts, calls in a part, batches and batches inside of parts draw different masks") {
  const nn::Dropout dropout = dropout_of_seed(11);
  Tensor weight = ones({64});
  weight.requires_gradient();
  std::set<std::vector<double>> different;
  std::size_t drawn = 0;
  const auto note = [&](const Tensor& y) {
    different.insert(expect::values(y));
    ++drawn;
    return y;
  };
  const auto one_call = [&](const Tensor& x, const Tensor&) { return sum(note(dropout(x)) * weight); };
  with_threads(1, [&] {
    for (int batch = 0; batch < 2; ++batch)
      nn::batch_gradients(
          [&](const Tensor& x, const Tensor& y) {
            const Tensor loss = one_call(x, y);
            const Tensor inputs = ones({2, 64});
            nn::batch_gradients(one_call, inputs, inputs, {.parts = 2});
            nn::batch_gradients(one_call, inputs, inputs, {.parts = 2});
            return loss + one_call(x, y);
          },
          ones({3, 64}), ones({3, 64}), {.parts = 3});
    note(dropout(ones({64})));
  });
  CHECK(drawn == 2 * 3 * 6 + 1);
  CHECK(different.size() == drawn);
  CHECK(dropout.stream.calls() == 3);
}

TEST_CASE("dropout refuses probabilities outside [0, 1] and integers") {
  CHECK(expect::error_of([] { nn::Dropout(1.5); }) ==
        "ValueError: Dropout: probability 1.5; need 0 <= probability <= 1");
  CHECK(expect::contains(expect::error_of([] { nn::Dropout(std::nan("")); }), "ValueError"));
  CHECK(expect::error_of([] { nn::Dropout(0.5)(arange(3)); }) ==
        "TypeError: dropout expects float32 or float64, got int64");
}
