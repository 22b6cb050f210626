#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

using namespace xgrad;

// A user saves memory: blocks of a model run again in backward. Dropout draws the same masks, running statistics move
// once, and every bit is that of the model without recompute.

namespace {

struct Block : nn::Module {
  explicit Block(Generator& generator)
      : hidden(add("hidden", nn::Linear(6, 6, {}, generator))),
        norm(add("norm", nn::BatchNorm(6))),
        dropout(add("dropout", nn::Dropout(0.4, generator))) {}
  Tensor operator()(const Tensor& x) const { return x + dropout(tanh(norm(hidden(x)))); }
  nn::Linear hidden;
  nn::BatchNorm norm;
  nn::Dropout dropout;
};

struct Deep : nn::Module {
  explicit Deep(bool again) : recomputes(again) {
    Generator generator(3);
    for (int i = 0; i < 4; ++i) blocks.push_back(add("block" + std::to_string(i), Block(generator)));
    output = add("output", nn::Linear(6, 2, {}, generator));
  }
  Tensor operator()(const Tensor& x) const {
    Tensor h = x;
    for (const Block& block : blocks) h = recomputes ? recompute(block, h) : block(h);
    return output(h);
  }
  bool recomputes;
  std::vector<Block> blocks;
  nn::Linear output{6, 2};
};

/// Parameters and buffers after a few steps.
std::vector<double> trained(bool recomputes, std::optional<std::int64_t> parts) {
  Deep model(recomputes);
  const nn::Dataset data(expect::random_tensor({24, 6}, 1, float32), expect::random_tensor({24, 2}, 2, float32));
  nn::Adam optimizer(model.parameters(), {.learning_rate = 0.01});
  nn::fit(model, nn::mse, optimizer, data, {.epochs = 3, .batches = {.size = 8}, .parts = parts});
  std::vector<double> state;
  for (const auto& list : {model.named_parameters(), model.named_buffers()})
    for (const nn::NamedTensor& named : list)
      for (const double value : expect::values(named.tensor)) state.push_back(value);
  return state;
}

}  // namespace

TEST_CASE("a model that recomputes its blocks is trained to the same bits") {
  CHECK(trained(true, std::nullopt) == trained(false, std::nullopt));
  CHECK(trained(true, 3) == trained(false, 3));
}

TEST_CASE("a model that recomputes its blocks passes the check of its gradients, of first and second order") {
  // A bias before batch norm has none: zero.
  const Deep model(true);
  const Tensor x = expect::random_tensor({4, 6}, 3, float32), y = expect::random_tensor({4, 2}, 4, float32);
  CHECK(nn::check_gradients(model, nn::mse, x, y, {.sample = 4, .allow_zero = true}).ok());
  CHECK(nn::check_gradients(model, nn::mse, x, y, {.order = 2, .sample = 2, .allow_zero = true}).ok());
}
