#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

using namespace xgrad;

TEST_CASE("after backward the logits of the step are constants, and accuracy is measured on them") {
  seed(1);
  const nn::Linear layer(4, 3);
  const Tensor x = tensor(expect::numbers(32, 1), {8, 4});
  const Tensor labels = tensor({0, 1, 2, 0, 1, 2, 0, 1}, int64);
  nn::SGD optimizer(layer.parameters(), {.learning_rate = 0.1});
  Tape tape;
  const Tensor logits = layer(x);
  const Tensor loss = nn::cross_entropy(logits, labels);
  const std::size_t recorded = tape.size();
  optimizer.step(tape.backward(loss));  // the weight that the tape saved may change now

  std::size_t hits = 0;
  for (std::int64_t row = 0; row < 8; ++row) {
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < 3; ++c)
      if (logits.item({row, c}) > logits.item({row, best})) best = c;
    hits += best == static_cast<std::int64_t>(labels.item({row})) ? 1u : 0u;
  }
  CHECK(nn::accuracy(logits, labels) == static_cast<double>(hits) / 8);
  const Tensor right = eq(argmax(logits, 1), labels);
  CHECK(sum(right.to(float32)).item() == static_cast<double>(hits));
  CHECK(loss.item() == doctest::Approx(mean(softmax_cross_entropy(logits, labels)).item()));
  CHECK(tape.size() == recorded);
  CHECK_FALSE(tape.open());
}

TEST_CASE("accuracy during recording is not recorded") {
  const Tensor scores = expect::leaf(tensor({{1, 2}, {5, 3}, {0, 9}}));
  Tape tape;
  const Tensor logits = scores * 2.0;
  const std::size_t recorded = tape.size();
  CHECK(nn::accuracy(logits, tensor({1, 0, 0}, int64)) == doctest::Approx(2.0 / 3));
  CHECK(tape.size() == recorded);
}
