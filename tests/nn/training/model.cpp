#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <memory>
#include <vector>

using namespace xgrad;

namespace {

Tensor doubled(const Tensor& x) { return x + x; }
Tensor mean_difference(const Tensor& a, const Tensor& b) { return mean(a - b); }

struct Called : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(2, 3));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(3));
  Tensor operator()(const Tensor& x) const { return norm(hidden(x)); }
};

/// Cannot be copied, as the compiler finds out only when it has to.
struct Owning : nn::Module {
  std::vector<std::unique_ptr<nn::Linear>> layers;
  Owning() { layers.push_back(std::make_unique<nn::Linear>(add("layer", nn::Linear(2, 1)))); }
  Tensor operator()(const Tensor& x) const { return (*layers.front())(x); }
};

}  // namespace

TEST_CASE("functions are models and losses, without modes and parameters") {
  const nn::AnyModel any(doubled, mean_difference);
  const Tensor x = tensor({{1, 2}}), y = tensor({{1, 1}});
  CHECK(expect::values(any.outputs(x).front()) == std::vector<double>{2, 4});
  CHECK(any.loss(any.outputs(x), y).item() == 2);
  CHECK(any.loss_of(x, y).item() == 2);
  CHECK(nn::AnyModel(mean_difference).loss_of(x, y).item() == 0.5);  // a loss alone
  CHECK(any.parameters().empty());
  const nn::ModeScope mode(any, false);
  CHECK(any.training());

  Tensor w = expect::leaf(ones({2, 1}));
  nn::SGD optimizer({w});
  const auto model = [&w](const Tensor& a) { return matmul(a, w); };
  nn::fit(model, mean_difference, optimizer, nn::Dataset(x, y), {.epochs = 1});
  CHECK(w.item({0, 0}) < 1);
}

TEST_CASE("a clone has its own parameters and mode, and keeps its loss") {
  const Called net;
  const nn::AnyModel any = nn::AnyModel::clonable(net, nn::mse);
  const nn::AnyModel copy = any.clone();
  const Tensor x = tensor({{1, 2}, {3, -1}}), y = zeros({2, 3});
  CHECK(copy.parameters().size() == 4);
  CHECK(copy.buffers().size() == any.buffers().size());
  CHECK(copy.loss_of(x, y).item() == any.loss_of(x, y).item());
  any.training(false);  // of all copies, a const one too
  CHECK_FALSE(net.training());
  CHECK(copy.training());
  any.training(true);
  {
    const nn::ModeScope mode(copy, false);
    CHECK_FALSE(copy.training());
  }
  CHECK(copy.training());
  nn::init::zero(copy.parameters().front().tensor);
  CHECK(copy.loss_of(x, y).item() != any.loss_of(x, y).item());
}

TEST_CASE("a model that cannot be copied can be trained") {
  Owning model;
  nn::SGD optimizer(model.parameters());
  nn::fit(model, nn::mse, optimizer, nn::Dataset(ones({4, 2}), zeros({4, 1})), {.epochs = 1});
  CHECK(optimizer.steps() == 1);
}
