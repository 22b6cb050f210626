#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>
#include <vector>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

namespace {

struct Block : nn::Module {
  nn::Linear in = add("in", nn::Linear(3, 3));
  nn::PReLU slope = add("slope", nn::PReLU(3));
  Tensor operator()(const Tensor& x) const { return slope(in(x)); }
};

/// Nested modules, a vector of layers, a tied weight, a buffer and a free tensor.
struct Model : nn::Module {
  std::vector<Block> blocks;
  nn::Linear output = add("output", nn::Linear(3, 2));
  Tensor tied = parameter("tied", output.weight);
  Tensor mean = buffer("mean", zeros({3}));
  Tensor constant = tensor({1.0});
  Model() {
    for (int i = 0; i < 2; ++i) blocks.push_back(add("block" + std::to_string(i), Block()));
  }
  Tensor operator()(const Tensor& x) const {
    Tensor h = x - mean;
    for (const Block& block : blocks) h = block(h);
    return linear(h, tied) + output(h);
  }
};

}  // namespace

TEST_CASE("a clone computes the same bits with parameters, buffers and structure of its own") {
  seed(9);
  Model model;
  Model copy = nn::clone(model);
  const Tensor x = tensor(expect::numbers(12, 1), {4, 3});
  CHECK(difference(copy(x), model(x)) == 0);
  CHECK(nn::digest(copy.parameters()) == nn::digest(model.parameters()));

  const auto ours = model.named_parameters();
  const auto theirs = copy.named_parameters();
  REQUIRE(theirs.size() == ours.size());
  CHECK(ours.size() == 8);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    CHECK(theirs[i].path == ours[i].path);
    CHECK(theirs[i].tensor.label() == ours[i].tensor.label());
    CHECK_FALSE(theirs[i].tensor.is(ours[i].tensor));
    CHECK(theirs[i].tensor.is_leaf());
  }
  // The user's members, the registry and the tied name see the same tensors.
  CHECK(copy.tied.is(copy.output.weight));
  CHECK(copy.blocks[1].in.weight.is(copy.named_parameters()[5].tensor));
  CHECK_FALSE(copy.mean.is(model.mean));
  CHECK(copy.constant.is(model.constant));  // not registered: shared

  const std::string before = nn::digest(model.parameters());
  copy.blocks[0].in.weight.modify([](auto values) { values[0] += 1; });
  copy.mean.modify([](auto values) { values[0] = 5; });
  copy.eval();
  CHECK(nn::digest(model.parameters()) == before);
  CHECK(model.mean.item({0}) == 0);
  CHECK(model.training());
  CHECK(difference(copy(x), model(x)) > 0.1);
}

TEST_CASE("training a clone leaves the original alone, and both learn alike from the same data") {
  const DefaultDType dtype(float64);
  seed(9);
  const nn::Linear original(2, 1);
  const nn::Linear copy = nn::clone(original);
  const Matrix x(6, 2, expect::numbers(12, 1)), target(6, 1, expect::numbers(6, 2));
  Matrix w(original.weight), b(original.bias);
  const auto train = [&](const nn::Linear& layer) {
    nn::SGD optimizer(layer.parameters(), {.learning_rate = 0.05, .momentum = 0.5});
    for (int step = 0; step < 10; ++step) {
      Tape tape;
      optimizer.step(tape.backward(nn::sse(layer(x.tensor()), target.tensor())));
    }
  };
  train(copy);
  CHECK(difference(original.weight, w) == 0);
  CHECK(difference(original.bias, b) == 0);
  train(original);
  CHECK(nn::digest(original.parameters()) == nn::digest(copy.parameters()));

  Matrix dw(2, 1), db(1, 1);  // by hand
  for (int step = 0; step < 10; ++step) {
    const Matrix error = add_row(x * w, b) - target;
    dw = 0.5 * dw + transposed(x) * error;
    db = 0.5 * db + sum_of_rows(error);
    w = w - 0.05 * dw;
    b = b - 0.05 * db;
  }
  CHECK(difference(copy.weight, w) < 1e-13);
  CHECK(difference(copy.bias, b) < 1e-13);
}

TEST_CASE("a clone of a part becomes a model of its own, with paths from there") {
  const Model model;
  const Block part = nn::clone(model.blocks[1]);
  CHECK(model.blocks[1].in.path() == "block1.in");
  CHECK(part.in.path() == "in");
  CHECK(part.in.weight.label() == "in.weight");
}

TEST_CASE("a clone of frozen layers stays frozen, and clones inside a tape are leaves, not results") {
  nn::Linear layer(2, 2);
  layer.freeze();
  CHECK_FALSE(nn::clone(layer).weight.is_leaf());
  layer.requires_gradient(true);
  Tape tape;
  const nn::Linear copy = nn::clone(layer);
  CHECK(tape.size() == 0);
  CHECK(copy.weight.is_leaf());
}
