#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

TEST_CASE("gradients of pieces of a batch, weighted by their rows, add up to those of the whole batch") {
  const DefaultDType dtype(float64);
  seed(1);
  nn::Linear layer(4, 3);
  constexpr std::size_t rows = 10;
  const Matrix x(rows, 4, expect::numbers(rows * 4, 1)), target(rows, 3, expect::numbers(rows * 3, 2));

  const Matrix error = add_row(x * Matrix(layer.weight), Matrix(layer.bias)) - target;
  const Matrix dw = (2.0 / (rows * 3)) * (transposed(x) * error);  // of mean (xW + b - t)²
  const Matrix db = (2.0 / (rows * 3)) * sum_of_rows(error);

  const Tensor inputs = x.tensor(), targets = target.tensor();
  Gradients total;  // nothing to zero
  for (const auto& [first, last] : {std::pair{0, 4}, std::pair{4, 7}, std::pair{7, 10}}) {
    Tape tape;
    const Tensor loss = nn::mse(layer(slice(inputs, 0, first, last)), slice(targets, 0, first, last));
    total.add(tape.backward(loss), (last - first) / static_cast<double>(rows));
  }
  CHECK(difference(total[layer.weight], dw) < 1e-15);
  CHECK(difference(total[layer.bias], db) < 1e-15);

  const Matrix before(layer.weight);
  nn::SGD optimizer(layer.parameters(), {.learning_rate = 0.5});
  optimizer.step(total);
  CHECK(difference(layer.weight, before - 0.5 * dw) < 1e-15);
}

TEST_CASE("gradients of one parameter that is used in every piece are its own after +=") {
  const Tensor w = expect::leaf(tensor({1.0, 2.0}, float64));
  Gradients first, total;
  for (int piece = 1; piece <= 3; ++piece) {
    Tape tape;
    const Gradients g = tape.backward(sum(w * w) * static_cast<double>(piece));  // 2·piece·w
    if (piece == 1) first = g;
    total += g;
  }
  CHECK(expect::values(total[w]) == std::vector<double>{12, 24});
  CHECK(expect::values(first[w]) == std::vector<double>{2, 4});
}
