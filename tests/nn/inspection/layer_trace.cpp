#include <autograd/autograd.hpp>
#include <nn/inspection/layer_trace.hpp>
#include <nn/layers/activations.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/normalization.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace xgrad;
using doctest::Approx;

namespace {

/// The names of outputs of layers and activations, in order.
template <class M>
std::string names(const M& model, const Tensor& x) {
  nn::LayerTrace trace;
  Tape tape({.observer = &trace});
  static_cast<void>(model(x));
  std::string text;
  for (const nn::TracedValue& value : trace.values())
    if (value.layer_output || value.activation) text += value.name() + "; ";
  return text;
}

struct Gated : nn::Module {  // a layer of its own whose activation stands inside
  Tensor weight = parameter("weight", ones({2, 2}));
  Tensor operator()(const Tensor& x) const {
    return nn::LayerCall(*this, "Gated").run([&] { return sigmoid(matmul(x, weight)); });
  }
};

struct Traced : nn::Module {
  Tensor weight = parameter("weight", ones({2, 3}));
  Tensor bias = parameter("bias", ones({3}));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(3));
  nn::PReLU slopes = add("slopes", nn::PReLU(3));
  nn::Linear linear = add("linear", nn::Linear(3, 2));
  nn::LayerNorm rows = add("rows", nn::LayerNorm(2));
  Gated gated = add("gated", Gated());
  Tensor operator()(const Tensor& x) const {
    const Tensor h = slopes(norm(matmul(x, weight) + bias));
    return gated(rows(tanh(reshape(linear(h), {-1, 2}))));
  }
};

}  // namespace

TEST_CASE("operations belong to the layer whose parameters they use or whose output they take") {
  CHECK(names(Traced(), tensor({{1, 2}, {3, 5}, {0, 1}})) ==
        "model; norm; norm → prelu; linear; linear → tanh; rows; gated; gated → sigmoid; ");
}

TEST_CASE("a sum of two layers belongs to the later one") {
  struct Sums : nn::Module {
    nn::Linear first = add("first", nn::Linear(2, 2)), second = add("second", nn::Linear(2, 2));
    Tensor operator()(const Tensor& x) const {
      const Tensor a = first(x), b = second(x);
      const Tensor earlier_first = relu(a + b);
      return earlier_first + tanh(b + a);
    }
  };
  CHECK(names(Sums(), tensor({{1, 2}})) == "first; second; second → relu; second → tanh; ");
}

TEST_CASE("the layer of a parameter is its label without the last name") {
  CHECK(nn::layer_of_parameter("encoder.hidden.weight") == "encoder.hidden");
  CHECK(nn::layer_of_parameter("weight") == "model");
}

TEST_CASE("the norm is that of a vector") { CHECK(nn::norm_of(tensor({{3, 0}, {0, 4}})) == Approx(5)); }

TEST_CASE("saturated numbers are those within 1 % of the range from an end") {
  const Tensor near_ends = tensor({0.001, 0.5, 0.995, 0.98, 0.02});
  CHECK(nn::activation_statistics(near_ends, {0, 1}).saturated.value() == Approx(0.4));
  const Tensor both = tensor({-0.99, -0.97, 0, 0.985});
  CHECK(nn::activation_statistics(both, {-1, 1}).saturated.value() == Approx(0.5));
  CHECK_FALSE(nn::activation_statistics(both, {.low = 0}).saturated.has_value());
  CHECK(std::isnan(nn::activation_statistics(tensor({1.0, NAN, 2.0})).largest));
}
