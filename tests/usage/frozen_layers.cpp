#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

namespace {

struct Net : nn::Module {
  nn::Linear first = add("first", nn::Linear(3, 4));
  nn::Linear middle = add("middle", nn::Linear(4, 4));
  nn::Linear last = add("last", nn::Linear(4, 2));
  Tensor operator()(const Tensor& x) const { return last(tanh(middle(tanh(first(x))))); }
};

constexpr std::size_t rows = 5;
const Matrix x(rows, 3, expect::numbers(rows * 3, 1));
const Matrix target(rows, 2, expect::numbers(rows * 2, 2));

Matrix layer_of(const Matrix& input, const nn::Linear& layer) {
  return add_row(input * Matrix(layer.weight), Matrix(layer.bias));
}
double tanh_of(double z) { return std::tanh(z); }
double tanh_derivative(double y) { return 1 - y * y; }

}  // namespace

TEST_CASE("frozen layers get no gradient and do not move, while gradients pass through them") {
  const DefaultDType dtype(float64);
  seed(2);
  Net net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.3, .momentum = 0.9, .weight_decay = 0.1});
  net.middle.freeze();
  const Matrix middle_before(net.middle.weight);

  const Matrix h1 = map(layer_of(x, net.first), tanh_of);
  const Matrix h2 = map(layer_of(h1, net.middle), tanh_of);
  const Matrix dy = layer_of(h2, net.last) - target;
  const Matrix dz2 = times(dy * transposed(Matrix(net.last.weight)), map(h2, tanh_derivative));
  const Matrix dz1 = times(dz2 * transposed(Matrix(net.middle.weight)), map(h1, tanh_derivative));
  const Matrix dw1 = transposed(x) * dz1;
  const Matrix w1(net.first.weight);

  Tape tape;
  const Gradients g = tape.backward(nn::sse(net(x.tensor()), target.tensor()));
  CHECK(g.size() == 4);
  CHECK_FALSE(g.contains(net.middle.weight));
  CHECK_FALSE(g.contains(net.middle.bias));
  CHECK(difference(g[net.last.weight], transposed(h2) * dy) < 1e-14);
  CHECK(difference(g[net.first.weight], dw1) < 1e-14);
  optimizer.step(g);
  CHECK(difference(net.middle.weight, middle_before) == 0);  // no weight decay either
  CHECK(difference(net.first.weight, w1 - 0.3 * (dw1 + 0.1 * w1)) < 1e-14);
}

TEST_CASE("what lies before the first layer that learns is not recorded at all") {
  seed(2);
  Net net;
  net.first.freeze();
  net.middle.freeze();
  Tape tape;
  const Tensor y = net(x.tensor(float32));
  CHECK(tape.size() == 3);                                // weight and bias of `last`, linear
  CHECK(tape.saved_bytes() == rows * 4 * sizeof(float));  // its input
}

TEST_CASE("thawed layers learn again, and a frozen net records nothing") {
  seed(2);
  Net net;
  net.freeze();
  {
    Tape tape;
    const Tensor y = net(x.tensor(float32));
    CHECK(tape.size() == 0);
    CHECK_THROWS_AS(tape.backward(sum(y)), TapeError);
  }
  net.middle.requires_gradient(true);
  Tape tape;
  const Gradients g = tape.backward(nn::sse(net(x.tensor(float32)), target.tensor(float32)));
  CHECK(g.size() == 2);
  CHECK(g.contains(net.middle.weight));
}
