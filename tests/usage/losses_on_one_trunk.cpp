#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

namespace {

/// A shared tanh layer with a head that predicts numbers and one that predicts classes.
struct TwoHeads : nn::Module {
  nn::Linear trunk = add("trunk", nn::Linear(5, 4));
  nn::Linear numbers = add("numbers", nn::Linear(4, 2));
  nn::Linear classes = add("classes", nn::Linear(4, 3));
};

struct Layer {
  Matrix weight;
  Matrix bias;
  explicit Layer(const nn::Linear& layer) : weight(layer.weight), bias(layer.bias) {}
  Matrix operator()(const Matrix& x) const { return add_row(x * weight, bias); }
};

}  // namespace

TEST_CASE("two losses on one trunk add up in it, in one sweep over their sum or over both outputs") {
  const DefaultDType dtype(float64);
  seed(3);
  const TwoHeads net;
  constexpr std::size_t rows = 6;
  const Matrix x(rows, 5, expect::numbers(rows * 5, 1));
  const Matrix target(rows, 2, expect::numbers(rows * 2, 2));
  const Tensor labels = tensor({0, 2, 1, 1, 0, 2}, int64);
  const double weight = 0.7;

  // By hand: loss = mean (n - t)² + 0.7 · mean_i(-log p_i[label]).
  const Layer trunk(net.trunk), numbers(net.numbers), classes(net.classes);
  const Matrix h = map(trunk(x), [](double v) { return std::tanh(v); });
  const Matrix n = numbers(h);
  Matrix p = classes(h);
  const Matrix dn = (2.0 / (rows * 2)) * (n - target);
  double cross_entropy = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    double total = 0;
    for (std::size_t c = 0; c < 3; ++c) total += std::exp(p(i, c));
    for (std::size_t c = 0; c < 3; ++c) p(i, c) = std::exp(p(i, c)) / total;
    const auto label = static_cast<std::size_t>(labels.item({static_cast<std::int64_t>(i)}));
    cross_entropy -= std::log(p(i, label)) / rows;
    p(i, label) -= 1;
  }
  const Matrix dc = (weight / rows) * p;
  const Matrix dh = dn * transposed(numbers.weight) + dc * transposed(classes.weight);
  const Matrix dz = times(dh, map(h, [](double v) { return 1 - v * v; }));
  const double mse = sum(times(n - target, n - target)) / (rows * 2);

  const auto check = [&](const Gradients& g) {
    CHECK(g.size() == 6);
    CHECK(difference(g[net.numbers.weight], transposed(h) * dn) < 1e-14);
    CHECK(difference(g[net.numbers.bias], sum_of_rows(dn)) < 1e-14);
    CHECK(difference(g[net.classes.weight], transposed(h) * dc) < 1e-14);
    CHECK(difference(g[net.classes.bias], sum_of_rows(dc)) < 1e-14);
    CHECK(difference(g[net.trunk.weight], transposed(x) * dz) < 1e-14);
    CHECK(difference(g[net.trunk.bias], sum_of_rows(dz)) < 1e-14);
  };
  const auto losses = [&] {
    const Tensor shared = tanh(net.trunk(x.tensor()));
    return std::pair(nn::mse(net.numbers(shared), target.tensor()), nn::cross_entropy(net.classes(shared), labels));
  };
  SUBCASE("their sum") {
    Tape tape;
    const auto [first, second] = losses();
    CHECK(first.item() == doctest::Approx(mse).epsilon(1e-14));
    CHECK(second.item() == doctest::Approx(cross_entropy).epsilon(1e-14));
    check(tape.backward(first + weight * second));
  }
  SUBCASE("both outputs, each with its cotangent") {
    Tape tape;
    const auto [first, second] = losses();
    check(tape.backward({first, second}, {tensor(1.0), tensor(weight)}));
  }
  SUBCASE("two sweeps over a tape that is kept, added up") {
    Tape tape;
    const auto [first, second] = losses();
    Gradients g = tape.backward(first, {.keep = true});
    CHECK_FALSE(g.contains(net.classes.weight));
    g.add(tape.backward(second), weight);
    check(g);
  }
}
