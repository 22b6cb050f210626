#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>
#include <utility>
#include <vector>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

namespace {

/// As many tanh layers as there are widths, held in a vector that grows while they are added.
struct Deep : nn::Module {
  std::vector<nn::Linear> layers;
  explicit Deep(const std::vector<std::int64_t>& widths) {
    for (std::size_t i = 0; i + 1 < widths.size(); ++i)
      layers.push_back(add("layer" + std::to_string(i), nn::Linear(widths[i], widths[i + 1])));
  }
  Tensor operator()(Tensor x) const {
    for (const nn::Linear& layer : layers) x = tanh(layer(x));
    return x;
  }
};

constexpr std::size_t rows = 4;

}  // namespace

TEST_CASE("layers in a vector are trained like members") {
  const DefaultDType dtype(float64);
  seed(12);
  const Deep net({3, 5, 4, 6, 2});
  const auto named = net.named_parameters();
  REQUIRE(named.size() == 8);
  CHECK(named[0].path == "layer0.weight");
  CHECK(named[7].path == "layer3.bias");
  CHECK(named[4].tensor.is(net.layers[2].weight));
  CHECK(net.layers[2].path() == "layer2");
  CHECK(net.parameter_count() == 3 * 5 + 5 + 5 * 4 + 4 + 4 * 6 + 6 + 6 * 2 + 2);

  const Matrix x(rows, 3, expect::numbers(rows * 3, 1)), target(rows, 2, expect::numbers(rows * 2, 2));
  std::vector<Matrix> h{x};
  for (const nn::Linear& layer : net.layers)
    h.push_back(
        map(add_row(h.back() * Matrix(layer.weight), Matrix(layer.bias)), [](double z) { return std::tanh(z); }));
  Matrix dh = h.back() - target;

  Tape tape;
  const Gradients g = tape.backward(nn::sse(net(x.tensor()), target.tensor()));
  for (std::size_t i = net.layers.size(); i-- > 0;) {
    CAPTURE(i);
    const Matrix dz = times(dh, map(h[i + 1], [](double v) { return 1 - v * v; }));
    CHECK(difference(g[net.layers[i].weight], transposed(h[i]) * dz) < 1e-14);
    CHECK(difference(g[net.layers[i].bias], sum_of_rows(dz)) < 1e-14);
    dh = dz * transposed(Matrix(net.layers[i].weight));
  }
}

TEST_CASE("a model with a vector of layers moves, copies and clones") {
  seed(12);
  Deep net({3, 5, 2});
  const Tensor x = tensor(expect::numbers(6, 1), {2, 3});
  const Tensor y = net(x);
  const Deep shared = net;
  const Deep copy = nn::clone(net);
  Deep moved = std::move(net);
  CHECK(difference(shared(x), y) == 0);
  CHECK(difference(moved(x), y) == 0);
  CHECK(shared.layers[1].weight.is(moved.layers[1].weight));
  CHECK_FALSE(copy.layers[1].weight.is(moved.layers[1].weight));
  moved.layers[0].weight.modify([](auto values) { values[0] += 1; });
  CHECK(difference(shared(x), moved(x)) == 0);
  CHECK(difference(copy(x), y) == 0);
  CHECK(moved.parameters()[0].is(moved.layers[0].weight));
}
