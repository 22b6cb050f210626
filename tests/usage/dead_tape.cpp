#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <utility>
#include <vector>

using namespace xgrad;
using expect::values;

namespace {

/// A function that keeps a tape to itself and returns what was computed on it.
std::pair<Tensor, Gradients> one_step(const nn::Linear& layer, const Tensor& x) {
  Tape tape;
  const Tensor y = layer(x);
  return {y, tape.backward(sum(y * y))};
}

}  // namespace

TEST_CASE("tensors returned from a tape that is gone are constants with their values") {
  const Tensor a = expect::leaf(tensor({1.0, 2.0, 3.0}));
  Tensor product, view, sine;
  {
    Tape tape;
    product = a * 2.0;
    view = reshape(product, {3, 1});
    sine = sin(product);
  }
  CHECK(values(product) == std::vector<double>{2, 4, 6});
  CHECK(view.shape() == Shape{3, 1});
  CHECK(values(product + view * 0.0) == std::vector<double>{2, 4, 6, 2, 4, 6, 2, 4, 6});
  Tape tape;
  const Tensor y = sum(product * a);  // d/da = product, as a constant
  CHECK(tape.size() == 3);
  CHECK(values(tape.backward(y)[a]) == std::vector<double>{2, 4, 6});
}

TEST_CASE("results and gradients outlive the tape, the module and the inputs") {
  Tensor y;
  Gradients g;
  {
    nn::Linear layer(2, 1, {.bias = false});
    layer.weight.assign(tensor({{3}, {4}}));
    std::tie(y, g) = one_step(layer, tensor({{1.0, 2.0}}));
  }
  CHECK(y.item() == 11);
  REQUIRE(g.size() == 1);
  CHECK(g.begin()->tensor().label() == "weight");
  CHECK(values(g.begin()->gradient()) == std::vector<double>{22, 44});  // 2y·x
}

TEST_CASE("a tensor of a dead tape does not become one of a later tape") {
  const Tensor a = expect::leaf(tensor(3.0));
  std::vector<Tensor> old;
  for (int i = 0; i < 10000; ++i) {  // more tapes than the table of living ones has places
    Tape tape;
    const Tensor y = a * 2.0;
    if (i % 1000 == 0) old.push_back(y);
    for (const Tensor& x : old)
      if (!x.is(y)) CHECK((x * 1.0).body().tape == 0);
  }
  for (const Tensor& x : old) CHECK(x.item() == 6);
}

TEST_CASE("backward through a tape that is gone, or from the result of another, is refused") {
  const Tensor a = expect::leaf(tensor(3.0));
  Tensor y;
  {
    Tape tape;
    y = a * 2.0;
  }
  Tape tape;
  const Tensor z = a * a;
  CHECK_THROWS_AS(tape.backward(y), TapeError);
}

TEST_CASE("a tensor of a dead tape may become a leaf of its own") {
  const Tensor a = expect::leaf(tensor(3.0));
  Tensor y;
  {
    Tape tape;
    y = a * 2.0;
  }
  y.requires_gradient();
  Tape tape;
  CHECK(tape.backward(y * y)[y].item() == 12);
  Tensor z = y * 2.0;
  CHECK_FALSE(tape.open());
  Tape next;
  z = y * 2.0;
  CHECK_THROWS_AS(z.requires_gradient(), TapeError);
}
