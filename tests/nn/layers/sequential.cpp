#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/layers/activations.hpp>
#include <nn/layers/dropout.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/sequential.hpp>

#include <string>
#include <vector>

using namespace xgrad;

namespace {

struct Shift : nn::Module {
  Tensor by = parameter("by", tensor({100.0}));
  Tensor operator()(const Tensor& x) const { return x + by; }
};

const Tensor pairs = tensor({{1, -2}, {3, 0.5}});

}  // namespace

TEST_CASE("Sequential calls its layers in order, modules and functions alike") {
  const nn::Linear first(2, 3);
  const nn::Linear last(3, 1);
  const nn::Sequential net(
      first, nn::ReLU(), [](const Tensor& h) { return h * 2.0; }, last, Shift(),
      static_cast<Tensor (*)(const Tensor&)>(neg));
  CHECK(net.size() == 6);
  CHECK(expect::values(net(pairs)) == expect::values(neg(last(relu(first(pairs)) * 2.0) + 100.0)));
  std::vector<std::string> paths;
  for (const auto& [path, parameter] : net.named_parameters()) paths.push_back(path);
  CHECK(paths == std::vector<std::string>{"0.weight", "0.bias", "3.weight", "3.bias", "4.by"});
  CHECK(net.parameters()[0].is(first.weight));
  CHECK(nn::Sequential()(pairs).is(pairs));
}

TEST_CASE("Sequential nests, and its children have paths") {
  struct Net : nn::Module {
    nn::Sequential body =
        add("body", nn::Sequential(nn::Sequential(nn::Linear(2, 4), nn::Tanh()), nn::Linear(4, 1), nn::Dropout(0.5)));
  };
  Net net;
  CHECK(net.named_parameters()[0].path == "body.0.0.weight");
  const auto& inner = net.body.at<nn::Sequential>(0);
  CHECK(inner.at<nn::Linear>(0).path() == "body.0.0");
  net.eval();
  CHECK_FALSE(net.body.at<nn::Dropout>(2).training());
  CHECK(expect::error_of([&] { net.body(ones({2, 3})); }) == "ShapeError: body.0.0: linear expects (…, 2), got (2, 3)");
  CHECK(expect::error_of([&] { net.body.at<nn::Linear>(0); }) ==
        "ValueError: Sequential: no layer of that type at 0 of 3");
  CHECK(expect::error_of([&] { net.body.at<nn::Linear>(3); }) ==
        "ValueError: Sequential: no layer of that type at 3 of 3");
}

TEST_CASE("copies of a Sequential share its layers, clones do not") {
  nn::Sequential net(nn::Linear(2, 2), nn::PReLU());
  net.append(nn::Linear(2, 1));
  const nn::Sequential copy = net;
  CHECK(copy.at<nn::Linear>(2).weight.is(net.at<nn::Linear>(2).weight));
  const nn::Sequential clone = nn::clone(net);
  CHECK(expect::values(clone(pairs)) == expect::values(net(pairs)));
  CHECK_FALSE(clone.at<nn::Linear>(0).weight.is(net.at<nn::Linear>(0).weight));
  CHECK(clone.at<nn::Linear>(0).weight.is(clone.parameters()[0]));
  CHECK(clone.at<nn::PReLU>(1).slope.is(clone.parameters()[2]));
  net.parameters()[0].modify([](std::span<float> values) { values[0] += 1; });
  CHECK(expect::values(copy(pairs)) == expect::values(net(pairs)));
  CHECK(expect::values(clone(pairs)) != expect::values(net(pairs)));
}

TEST_CASE("a layer that stands twice in a Sequential is one, also in a clone") {
  const nn::Linear layer(2, 2);
  const nn::Sequential net(layer, nn::Tanh(), layer);
  CHECK(net.parameters().size() == 2);
  const nn::Sequential clone = nn::clone(net);
  CHECK(clone.at<nn::Linear>(0).weight.is(clone.at<nn::Linear>(2).weight));
  CHECK(clone.parameters().size() == 2);
}

TEST_CASE("Flatten keeps the first axis") {
  const nn::Flatten flatten;
  CHECK(flatten(zeros({5, 2, 3, 4})).shape() == Shape{5, 24});
  CHECK(flatten(zeros({5, 2})).shape() == Shape{5, 2});
  CHECK(flatten(zeros({5})).shape() == Shape{5, 1});
  CHECK(flatten(zeros({0, 2, 3})).shape() == Shape{0, 6});
  CHECK(expect::values(flatten(reshape(arange(8), {2, 2, 2}))) == std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(expect::error_of([&] { flatten(zeros({})); }) == "ShapeError: flatten expects (n, …), got ()");
}
