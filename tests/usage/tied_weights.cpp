#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

namespace {

/// An autoencoder whose decoder is the encoder transposed: y = tanh(x·W)·Wᵀ.
struct Autoencoder : nn::Module {
  nn::Linear encoder = add("encoder", nn::Linear(5, 3, {.bias = false}));
  Tensor operator()(const Tensor& x) const { return matmul(tanh(encoder(x)), encoder.weight, false, true); }
};

/// Two layers that hold one weight: given to the second under a name of its own.
struct Tied : nn::Module {
  nn::Linear first = add("first", nn::Linear(4, 4));
  Tensor second = parameter("second", first.weight);
  Tensor operator()(const Tensor& x) const { return linear(tanh(first(x)), second); }
};

constexpr std::size_t rows = 6;

}  // namespace

TEST_CASE("the gradient of a weight that is used twice is the sum over both uses") {
  const DefaultDType dtype(float64);
  seed(6);
  const Autoencoder net;
  const Matrix x(rows, 5, expect::numbers(rows * 5, 1)), w(net.encoder.weight);

  const Matrix h = map(x * w, [](double z) { return std::tanh(z); });
  const Matrix dy = h * transposed(w) - x;
  const Matrix as_decoder = transposed(dy) * h;
  const Matrix as_encoder = transposed(x) * times(dy * w, map(h, [](double v) { return 1 - v * v; }));

  Tape tape;
  const Gradients g = tape.backward(nn::sse(net(x.tensor()), x.tensor()));
  CHECK(g.size() == 1);
  CHECK(difference(g[net.encoder.weight], as_encoder + as_decoder) < 1e-14);
}

TEST_CASE("a tied weight is one parameter, is stepped once, and stays tied") {
  const DefaultDType dtype(float64);
  seed(6);
  Tied net;
  CHECK(net.parameters().size() == 2);  // weight and bias of `first`
  CHECK(net.parameter_count() == 20);
  CHECK(net.second.is(net.first.weight));

  const Matrix x(rows, 4, expect::numbers(rows * 4, 1)), target(rows, 4, expect::numbers(rows * 4, 2));
  const Matrix w(net.first.weight), b(net.first.bias);
  const Matrix h = map(add_row(x * w, b), [](double z) { return std::tanh(z); });
  const Matrix dy = h * w - target;
  const Matrix dz = times(dy * transposed(w), map(h, [](double v) { return 1 - v * v; }));
  const Matrix dw = transposed(h) * dy + transposed(x) * dz;

  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1});
  Tape tape;
  const Gradients g = tape.backward(nn::sse(net(x.tensor()), target.tensor()));
  CHECK(difference(g[net.second], dw) < 1e-14);
  optimizer.step(g);
  CHECK(difference(net.first.weight, w - 0.1 * dw) < 1e-14);
  CHECK(difference(net.second, w - 0.1 * dw) < 1e-14);

  const Tied copy = nn::clone(net);
  CHECK(copy.second.is(copy.first.weight));
  CHECK_FALSE(copy.second.is(net.second));
}
