#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/inspection/gradient_check.hpp>
#include <nn/inspection/summary.hpp>
#include <nn/layers/embedding.hpp>
#include <nn/layers/linear.hpp>
#include <nn/losses/losses.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace xgrad;

// Values, gradients and bad inputs stand in module_table.

namespace {

struct BagOfWords : nn::Module {
  nn::Embedding words;
  nn::Linear output;
  explicit BagOfWords(Generator& generator)
      : words(add("words", nn::Embedding(20, 4, {.bag = nn::Bag::mean}, generator))),
        output(add("output", nn::Linear(4, 3, {}, generator))) {}
  Tensor operator()(const Tensor& indices) const { return output(words(indices)); }
};

}  // namespace

TEST_CASE("a table begins with normal numbers that the generator repeats") {
  Generator one(1), same(1), other(2);
  const nn::Embedding table(500, 40, {}, one);
  CHECK(expect::values(nn::Embedding(500, 40, {}, same).weight) == expect::values(table.weight));
  CHECK(expect::values(nn::Embedding(500, 40, {}, other).weight) != expect::values(table.weight));
  const double n = 20000;
  CHECK(std::abs(mean(table.weight).item()) < 5 / std::sqrt(n));
  CHECK(std::abs(var(table.weight).item() - 1) < 5 * std::sqrt(2 / n));
}

TEST_CASE("an embedding is the product of one-hot rows with the table, and has its gradient") {
  Generator generator(3);
  nn::Embedding table(7, 3, {}, generator);
  table.to(float64);
  const Tensor indices = tensor({{6, 0, 6}, {2, 6, 1}}, int64);
  const Tensor cotangent = tensor(expect::numbers(18, 4), {2, 3, 3}, float64);
  const auto run = [&](const auto& f) {
    Tape tape;
    const Tensor y = f();
    const Tensor value = y.clone();
    return std::pair(value, tape.backward(y, cotangent)[table.weight]);
  };
  const auto [value, gradient] = run([&] { return table(indices); });
  const auto [expected, dense] = run([&] { return matmul(one_hot(indices, 7, float64), table.weight); });
  CHECK(expect::difference(value, expected) == 0);
  CHECK(expect::difference(gradient, dense) < 1e-14);
}

TEST_CASE("a model of words learns from indices, passes the gradient check and follows clone and to(float64)") {
  Generator generator(5);
  const BagOfWords model(generator);
  const Tensor x = tensor({{1, 2, 3}, {19, 2, 2}, {0, 7, 8}}, int64);
  const Tensor y = tensor({0, 2, 1}, int64);
  CHECK(check_gradients(model, nn::cross_entropy, x, y, {.allow_zero = true}).ok());
  BagOfWords copy = nn::clone(model);
  CHECK_FALSE(copy.words.weight.is(model.words.weight));
  copy.to(float64);
  CHECK(copy(x).dtype() == float64);
  CHECK(expect::difference(copy(x), model(x)) < 1e-6);
}

TEST_CASE("an index out of range is reported with its row, value and layer") {
  Generator generator(6);
  const BagOfWords model(generator);
  CHECK(expect::error_of([&] {
          model(tensor({{1, 2}, {3, 20}, {4, 5}}, int64));
        }) == "ValueError: words: take: index 20 at (1, 1); need 0 <= index < 20");
  CHECK(expect::error_of([&] {
          model(zeros({2, 3}));
        }) == "TypeError: words: embedding expects int64 indices, got float32");
}

TEST_CASE("summary of a model of indices takes them as an example") {
  Generator generator(7);
  const BagOfWords model(generator);
  const std::string text = nn::summary(model, zeros({1, 10}, int64));
  CAPTURE(text);
  CHECK(expect::contains(text, "words"));
  CHECK(expect::contains(text, "Embedding"));
  // 10 · 4 additions, then 2 · 4 · 3 for the linear layer
  CHECK(expect::contains(text, " 40 "));
  CHECK(expect::contains(text, " 64 "));
}
