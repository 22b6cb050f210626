#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

using namespace xgrad;
using expect::contains;
using expect::error_of;

namespace {

struct Net : nn::Module {
  nn::Linear first = add("first", nn::Linear(2, 3));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.5));
  nn::Linear second = add("second", nn::Linear(3, 1));
  Tensor operator()(const Tensor& x) const { return second(dropout(tanh(first(x)))); }
};

struct Pointing : nn::Module {
  std::shared_ptr<nn::Linear> layer = std::make_shared<nn::Linear>(add("layer", nn::Linear(2, 1)));
  Tensor operator()(const Tensor& x) const { return (*layer)(x); }
};

struct Two : nn::Module {
  nn::Linear layer = add("layer", nn::Linear(1, 1));
  Tensor operator()(const Tensor& a, const Tensor& b) const { return layer(a) * b; }
};

}  // namespace

TEST_CASE("a model is called with tensors in place of its parameters, which get the gradients") {
  Net net;
  net.eval();
  const Tensor x = tensor({{1, 2}, {3, 4}});
  std::vector<Tensor> others;
  for (const Tensor& parameter : net.parameters()) others.push_back(expect::leaf(full(parameter.shape(), 0.5)));
  Tape tape;
  const Tensor y = nn::functional_call(net, others, x);
  // h = tanh(0.5·(1 + 2) + 0.5), y = 1.5·h + 0.5
  CHECK(y.item({0, 0}) == doctest::Approx(1.5 * std::tanh(2.0) + 0.5));
  const Gradients g = tape.backward(sum(y));
  CHECK(g.size() == 4);
  CHECK(g[others[3]].item() == 2);
  CHECK_FALSE(g.contains(net.first.weight));
  CHECK(expect::values(net(x)) != expect::values(y));
}

TEST_CASE("all but the parameters is shared: modes and random streams") {
  Net net;
  const Tensor x = ones({1, 2});
  nn::functional_call(net, net.parameters(), x);
  net(x);
  CHECK(net.dropout.stream.calls() == 2);
  const Net other = nn::with_parameters(net, net.parameters());
  net.eval();
  CHECK_FALSE(other.training());
  CHECK(expect::values(other(x)) == expect::values(net(x)));
}

TEST_CASE("functional_call takes several inputs, recorded tensors and frozen models") {
  Two two;
  two.freeze();
  const Tensor w = expect::leaf(tensor({{2.0}})), b = tensor({1.0});
  Tape tape;
  const Tensor y = nn::functional_call(two, {w * w, b}, tensor({{3.0}}), tensor({{5.0}}));
  CHECK(y.item() == 65);                         // (4·3 + 1)·5
  CHECK(tape.backward(sum(y))[w].item() == 60);  // 2w·3·5
}

TEST_CASE("functional_call refuses tensors that do not fit, and parameters that a copy does not hold") {
  const Net net;
  const Tensor x = ones({1, 2});
  CHECK(contains(error_of([&] { nn::functional_call(net, {x}, x); }),
                 "ValueError: functional_call: 1 tensors for 4 parameters"));
  std::vector<Tensor> tensors = net.parameters();
  tensors[1] = ones({4});
  CHECK(contains(error_of([&] { nn::functional_call(net, tensors, x); }),
                 "ShapeError: functional_call: first.bias is (3,) float32, the tensor (4,) float32"));
  tensors[1] = ones({3}, int64);
  CHECK(contains(error_of([&] { nn::functional_call(net, tensors, x); }), "TypeError: functional_call: first.bias"));
  const Pointing pointing;
  CHECK(contains(error_of([&] { nn::functional_call(pointing, pointing.parameters(), x); }),
                 "ValueError: functional_call: a copy of the model shares layer.weight with it"));
}

TEST_CASE("parameters become a vector and a vector becomes parameters") {
  Net net;
  const Tensor vector = nn::parameters_to_vector(net.parameters());
  CHECK(vector.shape() == Shape{13});
  CHECK(vector.item({6}) == net.first.bias.item({0}));
  nn::vector_to_parameters(arange(13, float32), net.parameters());
  CHECK(expect::values(net.first.weight) == std::vector<double>{0, 1, 2, 3, 4, 5});
  CHECK(net.second.bias.item() == 12);
  CHECK(contains(error_of([&] { nn::vector_to_parameters(ones({12}), net.parameters()); }),
                 "ShapeError: vector_to_parameters: the vector is (12,), the tensors have 13 numbers"));
  CHECK(contains(error_of([&] { nn::parameters_to_vector({}); }), "ValueError: parameters_to_vector"));
  // Recorded both ways: the gradient by the vector.
  net.eval();
  const Tensor v = expect::leaf(vector.clone());
  Tape tape;
  const Tensor y = nn::functional_call(net, nn::vector_to_tensors(v, net.parameters()), ones({1, 2}));
  CHECK(tape.backward(sum(y))[v].item({12}) == 1);
}
