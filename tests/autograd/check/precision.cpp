#include "tests/support/expect.hpp"

#include <autograd/autograd.hpp>
#include <autograd/check/gradient_check.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

using Arguments = std::vector<Tensor>;
using Verdict = GradientVerdict;

const GradientCheckOptions in_float32{.dtype = float32};
const Tensor positive = tensor(expect::numbers(40, 3, 0.5, 2), Shape{8, 5}, float64);

/// e^x with a slope that cancels.
class Coarse final : public Operation {
 public:
  std::string_view name() const override { return "coarse"; }
  Tensors forward(const Inputs& inputs) override { return exp(inputs[0]); }
  Tensors vjp(const Call& call) const override {
    const Tensor slope = call.output();
    // Keeps 16 bits fewer.
    return call.cotangent() * ((slope + 65536.0) - 65536.0);
  }
};

}  // namespace

TEST_CASE("a float32 backward is compared with the float64 one in units of float32's rounding") {
  const GradientReport report = check_gradients(
      [](const Arguments& in) {
        return sum(exp(in[0]) * tensor({1.0, 2.0, 3.0, 4.0, 5.0}));
      },
      {positive}, in_float32);
  CHECK(report.ok());
  CHECK(report.dtype == float32);
  CHECK(report.rows[0].entries == 40);
  CHECK(report.rows[0].absolute_error > 0);  // not float64 against itself
  CHECK(report.rows[0].relative_error < 8 * 0x1p-24);
  CHECK(expect::contains(report.text(), "float32 against float64"));
  CHECK(expect::contains(report.text(), "roundings"));
  // Exact in both: x rounded to float32, times 2.
  const GradientReport exact =
      check_gradients([](const Arguments& in) { return sum(square(in[0])); }, {positive}, in_float32);
  CHECK(exact.rows[0].absolute_error == 0);
  CHECK(exact.ok());
}

TEST_CASE("a gradient that loses digits in float32 only is wrong there and right in float64") {
  const auto f = [](const Arguments& in) { return sum(apply_operation(Coarse(), in[0])); };
  CHECK(check_gradients(f, {positive}).ok());
  const GradientRow row = check_gradients(f, {positive}, in_float32).rows[0];
  CHECK(row.verdict == Verdict::wrong);
  CHECK(row.failed > 10);
  CHECK(row.absolute_error < 65536 * 0x1p-23);
  CHECK(check_gradients(f, {positive}, {.dtype = float32, .rounding_limit = 1e5}).ok());
}

TEST_CASE("verdicts, bad options and put-back tensors are those of the check in float64") {
  const auto verdict = [](const std::function<Tensor(const Arguments&)>& f) {
    return check_gradients(f, {positive}, in_float32).rows[0].verdict;
  };
  CHECK(verdict([](const Arguments& in) { return sum(detach(in[0])); }) == Verdict::unreachable);
  CHECK(verdict([](const Arguments& in) { return sum(in[0] * 0.0); }) == Verdict::zero);
  CHECK(verdict([](const Arguments& in) { return sum(exp(in[0] * 60.0)); }) == Verdict::non_finite);  // e^120 > 1e38
  int calls = 0;
  CHECK(verdict([&](const Arguments& in) { return sum(in[0]) * (1.0 + ++calls); }) == Verdict::nondeterministic);
  const auto error = [](const GradientCheckOptions& options) {
    return expect::error_of(
        [&] { check_gradients([](const Arguments& in) { return sum(in[0]); }, {positive}, options); });
  };
  CHECK(expect::contains(error({.order = 2, .dtype = float32}), "ValueError: check_gradients: order 2 in float32"));
  CHECK(expect::contains(error({.dtype = int64}), "TypeError: check_gradients: dtype int64"));
  CHECK(
      expect::contains(error({.dtype = float32, .rounding_limit = 0}), "ValueError: check_gradients: rounding limit"));

  const Tensor x = positive.clone();
  const Tensor factor = tensor(0.1, float64);
  const GradientSubject subject{[=] { return sum(exp(x) * factor); }, {{"x", x}}, {factor}};
  CHECK(check_gradients_in_place(subject, in_float32).ok());
  CHECK(x.dtype() == float64);
  CHECK(expect::values(x) == expect::values(positive));
  CHECK(factor.item() == 0.1);
  CHECK(default_dtype() == float32);
  // A cotangent is rounded like the tensors.
  const Tensor cotangent = tensor(expect::numbers(40, 4), Shape{8, 5}, float64);
  CHECK(check_gradients([](const Arguments& in) { return in[0] * 1.0; }, {positive},
                        {.cotangent = cotangent, .dtype = float32})
            .rows[0]
            .absolute_error == 0);
}
