#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/activations.hpp>

#include <cmath>
#include <vector>

#include "expect.hpp"

using namespace xgrad;

namespace {

/// |layer(x) - expected| at most 1e-6 everywhere.
template <class L>
void check(const L& layer, const std::vector<double>& x, const std::vector<double>& expected) {
  CAPTURE(L::kind);
  const Tensor input = tensor(x, Shape{static_cast<std::int64_t>(x.size())});
  CHECK(expect::difference(layer(input), expected) < 1e-6);
}

}  // namespace

TEST_CASE("activation layers compute their functions") {
  const double e = std::exp(1.0);
  check(nn::ReLU(), {-1, 0, 2}, {0, 0, 2});
  check(nn::LeakyReLU(), {-1, 0, 2}, {-0.01, 0, 2});
  check(nn::LeakyReLU(0.5), {-1, 0, 2}, {-0.5, 0, 2});
  check(nn::PReLU(), {-1, 0, 2}, {-0.25, 0, 2});
  check(nn::ELU(), {-1, 0, 2}, {1 / e - 1, 0, 2});
  check(nn::ELU(2), {-1, 0, 2}, {2 / e - 2, 0, 2});
  check(nn::Swish(), {-1, 0, 1}, {-1 / (1 + e), 0, e / (1 + e)});
  check(nn::Sigmoid(), {-1, 0, 1}, {1 / (1 + e), 0.5, e / (1 + e)});
  check(nn::Tanh(), {0, 1}, {0, (e * e - 1) / (e * e + 1)});
  check(nn::HardTanh(), {-3, -0.5, 3}, {-1, -0.5, 1});
  check(nn::Softplus(), {0, 1}, {std::log(2.0), std::log(1 + e)});
  check(nn::LogSigmoid(), {0, -1}, {-std::log(2.0), -std::log(1 + e)});
  check(nn::Softmax(), {0, 1}, {1 / (1 + e), e / (1 + e)});
  check(nn::LogSoftmax(), {0, 1}, {-std::log(1 + e), 1 - std::log(1 + e)});
  CHECK(expect::values(nn::Softmax(0)(tensor({{1, 5}, {1, 5}}))) == std::vector<double>{0.5, 0.5, 0.5, 0.5});
}

TEST_CASE("PReLU learns one slope, or one for each feature") {
  nn::PReLU one;
  REQUIRE(one.parameters().size() == 1);
  CHECK(one.slope.shape() == Shape{1});
  CHECK(one.slope.item() == 0.25);
  const Tensor x = tensor({{-1, 2}, {-3, 0}});
  {
    Tape tape;
    const Gradients gradients = tape.backward(sum(one(x)));
    CHECK(gradients[one.slope].item() == -4);  // Σ min(x, 0)
  }
  nn::PReLU two(2, 0.5);
  CHECK(expect::values(two.slope) == std::vector<double>{0.5, 0.5});
  Tape tape;
  const Tensor y = two(tensor({{-1, -2}, {-3, 0}}));
  CHECK(expect::values(y) == std::vector<double>{-0.5, -1, -1.5, 0});
  CHECK(expect::values(tape.backward(sum(y))[two.slope]) == std::vector<double>{-4, -2});
}

TEST_CASE("an error of the function carries the path of the layer") {
  struct Net : nn::Module {
    nn::ReLU relu = add("relu", nn::ReLU());
    nn::Softmax softmax = add("softmax", nn::Softmax(2));
  };
  const Net net;
  CHECK(expect::contains(expect::error_of([&] { net.relu(arange(3)); }), "TypeError: relu: relu: "));
  CHECK(expect::contains(expect::error_of([&] { net.softmax(ones({2, 3})); }), "ShapeError: softmax: softmax: "));
}

TEST_CASE("PReLU refuses features that do not fit, with its path") {
  struct Net : nn::Module {
    nn::PReLU slope = add("slope", nn::PReLU(3));
  };
  const Net net;
  CHECK(expect::error_of([&] { net.slope(ones({4, 2})); }) == "ShapeError: slope: prelu expects (…, 3), got (4, 2)");
  CHECK(expect::error_of([&] { net.slope(ones({})); }) == "ShapeError: slope: prelu expects (…, 3), got ()");
  CHECK(expect::error_of([] { nn::PReLU(0); }) == "ValueError: PReLU: 0 slopes; need at least one");
  CHECK(net.slope(ones({3})).shape() == Shape{3});
}
