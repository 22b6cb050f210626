#include "tests/support/expect.hpp"

#include <autograd/autograd.hpp>
#include <nn/inspection/gradient_check.hpp>
#include <nn/layers/dropout.hpp>
#include <nn/layers/linear.hpp>
#include <nn/losses/losses.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <span>
#include <vector>

using namespace xgrad;

namespace {

struct Checked : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(4, 5));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.5));
  nn::Linear output = add("output", nn::Linear(5, 3));
  bool cut = false;
  Tensor operator()(const Tensor& x) const {
    const Tensor h = cut ? linear(x, detach(hidden.weight), hidden.bias) : hidden(x);
    return output(dropout(tanh(h)));
  }
};

}  // namespace

TEST_CASE("a model is checked by name, in float64 on a clone") {
  Checked net;
  net.hidden.freeze();
  const std::vector<double> before = expect::values(net.hidden.weight);
  const Tensor x = tensor(expect::numbers(24, 3), Shape{6, 4}, float32);
  Tensor labels = arange(6);
  labels.modify([](std::span<std::int64_t> values) {
    for (std::int64_t& value : values) value %= 3;
  });
  const GradientReport report = check_gradients(net, nn::cross_entropy, x, labels);  // dropout is on
  INFO(report.text());
  CHECK(report.ok());
  REQUIRE(report.rows.size() == 5);
  for (const char* name : {"hidden.weight", "hidden.bias", "output.weight", "output.bias", "input"})
    CHECK(report[name].verdict == GradientVerdict::ok);
  CHECK(report["hidden.weight"].shape == Shape{4, 5});
  CHECK(net.hidden.weight.dtype() == float32);
  CHECK(expect::values(net.hidden.weight) == before);
  CHECK_FALSE(net.hidden.weight.is_leaf());
  CHECK(net.output.weight.is_leaf());
  CHECK(net.dropout.stream.calls() == 0);

  CHECK(check_gradients(net, nn::cross_entropy, x, labels, {.order = 2}).ok());
  CHECK(check_gradients(net, nn::mse, x, zeros({6, 3})).ok());
  net.eval();
  CHECK(check_gradients(net, nn::cross_entropy, x, labels).ok());
  net.cut = true;
  const GradientReport cut = check_gradients(net, nn::cross_entropy, x, labels);
  CHECK(cut["hidden.weight"].verdict == GradientVerdict::unreachable);
  CHECK(cut["hidden.weight"].largest > 0);
  CHECK(cut["hidden.bias"].verdict == GradientVerdict::ok);
  CHECK_THROWS_AS(cut.require(), GradientError);
}
