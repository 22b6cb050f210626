#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

namespace {

/// One encoder for both sides (Bromley et al. 1993): the distance of two inputs behind it.
struct Siamese : nn::Module {
  nn::Linear encoder = add("encoder", nn::Linear(4, 3));
  Tensor operator()(const Tensor& a, const Tensor& b) const { return sum(square(tanh(encoder(a)) - tanh(encoder(b)))); }
};

struct Branch : nn::Module {
  nn::Linear layer;
  explicit Branch(const nn::Linear& shared) : layer(add("layer", shared)) {}
};

/// Two parents of one child.
struct Pair : nn::Module {
  nn::Linear shared = nn::Linear(2, 2);
  Branch left = add("left", Branch(shared));
  Branch right = add("right", Branch(shared));
};

constexpr std::size_t rows = 5;

}  // namespace

TEST_CASE("a module that is called twice gets the sum of both gradients") {
  const DefaultDType dtype(float64);
  seed(8);
  const Siamese net;
  const Matrix a(rows, 4, expect::numbers(rows * 4, 1)), b(rows, 4, expect::numbers(rows * 4, 2));
  const Matrix w(net.encoder.weight), bias(net.encoder.bias);
  const auto encode = [&](const Matrix& x) { return map(add_row(x * w, bias), [](double z) { return std::tanh(z); }); };
  const auto slope = [](const Matrix& h) { return map(h, [](double v) { return 1 - v * v; }); };
  const Matrix ha = encode(a), hb = encode(b);
  const Matrix da = times(2.0 * (ha - hb), slope(ha)), db = times(-2.0 * (ha - hb), slope(hb));

  Tape tape;
  const Tensor loss = net(a.tensor(), b.tensor());
  CHECK(loss.item() == doctest::Approx(sum(times(ha - hb, ha - hb))).epsilon(1e-14));
  const Gradients g = tape.backward(loss);
  CHECK(difference(g[net.encoder.weight], transposed(a) * da + transposed(b) * db) < 1e-13);
  CHECK(difference(g[net.encoder.bias], sum_of_rows(da) + sum_of_rows(db)) < 1e-13);
}

TEST_CASE("a child of two parents is one: listed once, under its first path, and written through either") {
  Pair net;
  const auto named = net.named_parameters();
  REQUIRE(named.size() == 2);
  CHECK(named[0].path == "left.layer.weight");
  CHECK(named[1].path == "left.layer.bias");
  CHECK(net.left.layer.weight.is(net.right.layer.weight));
  CHECK(net.shared.weight.is(net.right.layer.weight));
  net.right.layer.weight.assign(tensor({{1, 2}, {3, 4}}));
  net.shared.bias.assign(zeros({2}));
  CHECK(expect::values(net.left.layer(tensor({{1.0, 1.0}}))) == std::vector<double>{4, 6});
}

TEST_CASE("a copy of a module is the same module: eval, to and new values reach both") {
  nn::Sequential net(nn::Linear(2, 2), nn::Dropout(0.5));
  nn::Sequential copy = net;
  copy.eval();
  CHECK_FALSE(net.training());
  copy.to(float64);
  CHECK(net.parameters()[0].dtype() == float64);
  copy.parameters()[0].modify([](auto x) { x[0] = 42; });
  CHECK(net.parameters()[0].item({0, 0}) == 42);
  CHECK(net.at<nn::Linear>(0).weight.item({0, 0}) == 42);
}
