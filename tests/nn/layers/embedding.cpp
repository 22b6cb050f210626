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

TEST_CASE("bags of unequal length lie one behind the other, or are filled up with padding: both are the same") {
  const Tensor flat = tensor({2, 0, 2, 6, 4}, int64), offsets = tensor({0, 3, 3, 4}, int64);
  const Tensor filled = tensor({{2, 0, 2}, {5, 5, 5}, {6, 5, 5}, {5, 4, 5}}, int64);
  for (const nn::Bag bag : {nn::Bag::sum, nn::Bag::mean}) {
    Generator generator(3);
    nn::Embedding table(7, 3, {.bag = bag, .padding = 5}, generator);
    table.to(float64);
    const Tensor cotangent = tensor(expect::numbers(12, 4), {4, 3}, float64);
    const auto run = [&](const auto& f) {
      Tape tape;
      const Tensor y = f();
      return std::pair(y.clone(), tape.backward(y, cotangent)[table.weight].clone());
    };
    const auto [value, gradient] = run([&] { return table(flat, offsets); });
    const auto [expected, expected_gradient] = run([&] { return table(filled); });
    CHECK(expect::difference(value, expected) < 1e-15);
    CHECK(expect::difference(gradient, expected_gradient) < 1e-15);
    // By the definition: rows 2, 0 and 2 of the table, none, 6, 4.
    for (std::int64_t k = 0; k < 3; ++k) {
      const double total = 2 * table.weight.item({2, k}) + table.weight.item({0, k});
      CHECK(value.item({0, k}) == doctest::Approx(bag == nn::Bag::sum ? total : total / 3).epsilon(1e-14));
      CHECK(value.item({1, k}) == 0);
      CHECK(value.item({2, k}) == table.weight.item({6, k}));
      CHECK(value.item({3, k}) == table.weight.item({4, k}));
      CHECK(table.weight.item({5, k}) == 0);
      CHECK(gradient.item({5, k}) == 0);
    }
    nn::Embedding plain = nn::Embedding(7, 3, {.bag = bag}, generator);
    CHECK(plain(tensor({5, 5, 1}, int64), tensor({0, 2}, int64)).shape() == Shape{2, 3});
    const auto refused = [&](const Tensor& indices, const Tensor& begin) {
      return expect::error_of([&] { plain(indices, begin); });
    };
    CHECK(refused(flat, tensor({0, 3, 2}, int64)) ==
          "ValueError: embedding: offset 1 is 3 for 5 indices; need offsets from 0 on that do not fall");
    CHECK(refused(flat, tensor({1, 3}, int64)).starts_with("ValueError: embedding: offset 0 is 1"));
    CHECK(refused(flat, tensor({0, 6}, int64)).starts_with("ValueError: embedding: offset 1 is 6"));
    CHECK(refused(flat, tensor({-1, 3}, int64)).starts_with("ValueError: embedding: offset 0 is -1"));
    CHECK(refused(flat, zeros({0}, int64)).starts_with("ValueError: embedding: 5 indices and no offsets"));
    CHECK(refused(filled, offsets).starts_with("ShapeError: embedding expects indices (n,) with offsets"));
    CHECK(refused(flat, zeros({1})).starts_with("TypeError: embedding expects int64"));
  }
  Generator generator(3);
  const nn::Embedding none(7, 3, {}, generator);
  CHECK(expect::error_of([&] { none(flat, offsets); }).starts_with("ValueError: embedding: offsets without bags"));
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
