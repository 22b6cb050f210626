#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <limits>

using namespace xgrad;

namespace {

const double infinity = std::numeric_limits<double>::infinity();

std::string origin(const auto& loss, const Tensor& x, const Tensor& y, const std::vector<Tensor>& parameters) {
  return nn::nonfinite_origin(nn::AnyModel(loss), x, y, parameters).value_or("all is finite");
}

}  // namespace

TEST_CASE("parameters, inputs and targets that are not finite are named before operations") {
  Tensor a = expect::leaf(tensor({1.0, infinity})), b = expect::leaf(tensor({1.0, 2.0}));
  const auto loss = [&](const Tensor& x, const Tensor& y) { return sum((x * b - y) * b); };
  const Tensor right = tensor({{1, 2}, {3, 4}}), wrong = tensor({{1, 2}, {3, -infinity}});
  CHECK(origin(loss, right, right, {b, a}).starts_with("parameter 1 is not finite"));
  a.label("hidden.weight");
  CHECK(origin(loss, right, right, {b, a}).starts_with("parameter hidden.weight is not finite"));
  CHECK(origin(loss, wrong, right, {b}) == "the inputs are not finite, first in row 1 of the batch");
  CHECK(origin(loss, right, wrong, {b}) == "the targets are not finite, first in row 1 of the batch");
  CHECK(origin(loss, right, right, {b}) == "all is finite");
}

TEST_CASE("the operation is named with its layer, in the loss or in the gradient") {
  struct Net : nn::Module {
    nn::Linear hidden = add("hidden", nn::Linear(1, 1));
    Tensor operator()(const Tensor& x) const { return hidden(x); }
  } net;
  net.hidden.weight.assign(tensor({{1e38}}));
  const auto loss = [&](const Tensor& x, const Tensor& y) { return nn::mse(net(x), y); };
  const std::string overflow = origin(loss, tensor({{1e10}}), tensor({{0}}), net.parameters());
  CAPTURE(overflow);
  CHECK(expect::contains(overflow, "linear"));
  CHECK(expect::contains(overflow, "hidden"));
  const Tensor w = expect::leaf(tensor({0.0}));
  const auto root = [&](const Tensor& x, const Tensor&) { return sum(sqrt(w * x)); };  // slope ∞ at 0
  const std::string slope = origin(root, tensor({1.0}), tensor({1.0}), {w});
  CAPTURE(slope);
  CHECK(expect::contains(slope, "sqrt"));
  CHECK(expect::contains(slope, "gradient"));
}
