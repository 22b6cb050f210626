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
  nn::Linear hidden = add("hidden", nn::Linear(3, 4));
  nn::Linear output = add("output", nn::Linear(4, 2));
  Tensor table = buffer("table", tensor({1.0, 2.0}));
  Tensor index = buffer("index", arange(2));
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))) * table; }
};

}  // namespace

TEST_CASE("to(float64) converts parameters and floating buffers in place, for every handle") {
  seed(10);
  Net net;
  const Net copy = net;
  const Tensor handle = net.hidden.weight;
  const Matrix single(net.hidden.weight);
  const Tensor x = tensor(expect::numbers(15, 1), {5, 3});
  const Tensor before = net(x);
  net.to(float64);
  for (const Tensor& parameter : net.parameters()) {
    CHECK(parameter.dtype() == float64);
    CHECK(parameter.is_leaf());
  }
  CHECK(handle.dtype() == float64);
  CHECK(copy.hidden.weight.is(handle));
  CHECK(difference(handle, single) == 0);  // every float is a double
  CHECK(net.table.dtype() == float64);
  CHECK(net.index.dtype() == int64);
  CHECK(difference(net(x.to(float64)), before) < 1e-6);
  CHECK_THROWS_AS(net(x), TypeError);
  net.to(float32);
  CHECK(difference(net(x), before) == 0);  // and back, without loss
}

TEST_CASE("gradients of a converted network are float64 and exact to its rounding") {
  seed(10);
  Net net;
  net.to(float64);
  const Matrix x(5, 3, expect::numbers(15, 1)), target(5, 2, expect::numbers(10, 2));
  const Matrix w(net.output.weight);
  const Matrix h =
      map(add_row(x * Matrix(net.hidden.weight), Matrix(net.hidden.bias)), [](double z) { return std::tanh(z); });
  Matrix dy = add_row(h * w, Matrix(net.output.bias));
  for (std::size_t i = 0; i < dy.rows; ++i)
    for (std::size_t j = 0; j < 2; ++j) {
      const double scale = j == 0 ? 1 : 2;  // the table
      dy(i, j) = (dy(i, j) * scale - target(i, j)) * scale;
    }
  const Matrix dz = times(dy * transposed(w), map(h, [](double v) { return 1 - v * v; }));
  Tape tape;
  const Gradients g = tape.backward(nn::sse(net(x.tensor()), target.tensor()));
  CHECK(g[net.hidden.weight].dtype() == float64);
  CHECK(difference(g[net.output.weight], transposed(h) * dy) < 1e-14);
  CHECK(difference(g[net.hidden.weight], transposed(x) * dz) < 1e-14);
  CHECK(difference(g[net.hidden.bias], sum_of_rows(dz)) < 1e-14);
}

TEST_CASE("an optimizer whose parameters changed their dtype throws at its next step and writes nothing") {
  seed(10);
  Net net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1, .momentum = 0.9});
  const auto step = [&](DType dtype) {
    Tape tape;
    const Tensor x = tensor(expect::numbers(15, 1), {5, 3}, dtype);
    optimizer.step(tape.backward(sum(square(net(x)))));
  };
  step(float32);
  net.to(float64);
  const std::string before = nn::digest(net.parameters());
  const std::string text = expect::error_of([&] { step(float64); });
  CHECK(expect::contains(text, "TypeError"));
  CHECK(expect::contains(text, "hidden.weight"));
  CHECK(expect::contains(text, "float32"));
  CHECK(expect::contains(text, "float64"));
  CHECK(nn::digest(net.parameters()) == before);
  net.to(float32);
  CHECK_NOTHROW(step(float32));
}

TEST_CASE("a conversion while a tape holds the network is noticed at backward") {
  seed(10);
  Net net;
  Tape tape;
  const Tensor loss = sum(square(net(zeros({2, 3}))));
  net.to(float64);
  CHECK_THROWS_AS(tape.backward(loss), Error);
}

TEST_CASE("constants made inside a function follow the default dtype, so that it runs in float64 unchanged") {
  const auto f = [](const Tensor& x) { return sum(x * full({2}, 0.1) + tensor({1.0, 2.0})); };
  CHECK(f(ones({2})).dtype() == float32);
  CHECK_THROWS_AS(f(ones({2}, float64)), TypeError);
  const DefaultDType dtype(float64);
  CHECK(f(ones({2})).dtype() == float64);
  CHECK(f(ones({2})).item() == doctest::Approx(3.2).epsilon(1e-15));
}
