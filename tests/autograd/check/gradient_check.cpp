#include "tests/support/expect.hpp"

#include <autograd/autograd.hpp>
#include <autograd/check/gradient_check.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

using Arguments = std::vector<Tensor>;
using Verdict = GradientVerdict;

/// An elementwise function whose author gives value and slope, right or wrong. `i` is the element's number.
class Handmade final : public Operation {
 public:
  using Value = std::function<double(double x)>;
  using SlopeAt = std::function<double(double x, std::size_t i)>;
  Handmade(Value value, SlopeAt slope) : value_(std::move(value)), slope_(std::move(slope)) {}
  std::string_view name() const override { return "handmade"; }
  Tensors forward(const Inputs& inputs) override {
    Tensor y = zeros(inputs[0].shape(), float64);
    const auto x = inputs[0].values<double>();
    y.modify([&](std::span<double> values) {
      for (std::size_t i = 0; i < x.size(); ++i) values[i] = value_(x[i]);
    });
    return y;
  }
  Tensors vjp(const Call& call) const override {
    const Tensor input = call.input(0);
    Tensor dx = call.cotangent().clone();
    dx.modify([&](std::span<double> values) {
      for (std::size_t i = 0; i < values.size(); ++i) values[i] *= slope_(input.values<double>()[i], i);
    });
    return dx;
  }

 private:
  Value value_;
  SlopeAt slope_;
};

Tensor handmade(const Tensor& x, Handmade::Value value, Handmade::SlopeAt slope) {
  return apply_operation(Handmade(std::move(value), std::move(slope)), x);
}

/// Σ of such a function, checked at some points.
GradientRow check_handmade(const Handmade::Value& value, const Handmade::SlopeAt& slope, const Tensor& x,
                           const GradientCheckOptions& options = {}) {
  return check_gradients([&](const Arguments& in) { return sum(handmade(in[0], value, slope)); }, {x}, options).rows[0];
}

/// factor · x with vjp wrong · g: first derivative of the operation below, so that only its second one is wrong.
class Scale final : public Operation {
 public:
  Scale(double factor, double claimed) : factor_(factor), claimed_(claimed) {}
  std::string_view name() const override { return "scale"; }
  OperationTraits traits() const override { return {Which::none(), Which::none(), Contribution::exact, true}; }
  Tensors forward(const Inputs& inputs) override { return mul(inputs[0], factor_); }
  Tensors vjp(const Call& call) const override { return mul(call.cotangent(), claimed_); }

 private:
  double factor_;
  double claimed_;
};

/// x² with the right gradient 2x·g, whose own gradient claims to be `claimed`·g.
class Squared final : public Operation {
 public:
  explicit Squared(double claimed) : claimed_(claimed) {}
  std::string_view name() const override { return "squared"; }
  OperationTraits traits() const override { return {Which::all(), Which::none(), Contribution::exact, true}; }
  Tensors forward(const Inputs& inputs) override { return mul(inputs[0], inputs[0]); }
  Tensors vjp(const Call& call) const override {
    return mul(call.cotangent(), apply_operation(Scale(2, claimed_), call.input(0)));
  }

 private:
  double claimed_;
};

const Tensor a = tensor({0.3, -1.2, 0.7});
const Tensor b = tensor({{1.5, 2, -0.4}, {0.2, 0.1, 3}});

}  // namespace

TEST_CASE("a right gradient is ok, with the numbers of its worst entry") {
  const GradientReport report =
      check_gradients([](const Arguments& x) { return sum(square(x[0]) * x[1]); }, {{"weight", a}, {"bias", b}});
  CHECK(report.ok());
  CHECK_NOTHROW(report.require());
  REQUIRE(report.rows.size() == 2);
  CHECK(report["weight"].verdict == Verdict::ok);
  CHECK(report["weight"].entries == 3);
  CHECK(report["bias"].entries == 6);
  CHECK(report["bias"].shape == Shape{2, 3});
  // d/db Σ a²·b = a².
  const GradientRow& bias = report["bias"];
  const double expected = std::pow(expect::values(a)[static_cast<std::size_t>(bias.index[1])], 2);
  CHECK(std::abs(bias.analytical - expected) < 1e-15);
  CHECK(std::abs(bias.numerical - expected) < 1e-12);
  CHECK(bias.absolute_error == std::abs(bias.numerical - bias.analytical));
  CHECK(bias.relative_error < 1e-12);
  CHECK(bias.step > 0);
}

TEST_CASE("numerical gradients of smooth functions are good to 1e-8 of the larger of entry and rms") {
  const std::vector<std::function<Tensor(const Tensor&)>> functions = {
      [](const Tensor& x) { return exp(x); },         [](const Tensor& x) { return tanh(x * 3.0); },
      [](const Tensor& x) { return sigmoid(x); },     [](const Tensor& x) { return sin(x * 5.0); },
      [](const Tensor& x) { return softplus(x); },    [](const Tensor& x) { return log(square(x) + 0.01); },
      [](const Tensor& x) { return softmax(x * x); }, [](const Tensor& x) { return x / (square(x) + 1.0); }};
  const Tensor x = tensor(expect::numbers(12, 7, -2, 2), Shape{3, 4}, float64);
  const Tensor cotangent = tensor(expect::numbers(12, 8, 0.5, 2), Shape{3, 4}, float64);
  for (std::size_t k = 0; k < functions.size(); ++k)
    for (const int order : {1, 2}) {
      CAPTURE(k);
      CAPTURE(order);
      const GradientReport report = check_gradients([&](const Arguments& in) { return functions[k](in[0]); }, {x},
                                                    {.order = order, .cotangent = cotangent});
      INFO(report.text());
      CHECK(report.rows[0].verdict == Verdict::ok);
      CHECK(report.rows[0].relative_error < 1e-8);
    }
}

TEST_CASE("planted errors are wrong, under the right tensor's name") {
  const Tensor x = tensor(expect::numbers(40, 1, 0.5, 2), Shape{8, 5}, float64);
  const auto cube = [](double v) { return v * v * v; };
  const auto row = [&](const Handmade::SlopeAt& slope) { return check_handmade(cube, slope, x); };
  CHECK(row([](double v, std::size_t) { return 3 * v * v; }).verdict == Verdict::ok);
  CHECK(row([](double v, std::size_t) { return 1.0005 * 3 * v * v; }).failed == 40);
  CHECK(row([](double v, std::size_t) { return -3 * v * v; }).failed == 40);
  CHECK(row([](double v, std::size_t) { return 2 * v * v; }).failed == 40);  // a dropped term of v·v² + 2v·v²
  CHECK(row([](double, std::size_t) { return 0.0; }).failed == 40);
  const GradientRow one = row([](double v, std::size_t i) { return 3 * v * v * (i == 17 ? 1.001 : 1); });
  CHECK(one.verdict == Verdict::wrong);
  CHECK(one.failed == 1);
  CHECK(to_string(one.index) == "(3, 2)");
  CHECK(one.relative_error == doctest::Approx(1e-3).epsilon(0.9));

  const auto wrong = [](const Tensor& t) {
    return handmade(
        t, [](double v) { return v * v; }, [](double v, std::size_t) { return 2.001 * v; });
  };
  const GradientReport report =
      check_gradients([&](const Arguments& in) { return sum(square(in[0])) + sum(wrong(in[1])) + sum(exp(in[2])); },
                      {{"first", a}, {"second", b}, {"third", a}});
  CHECK(report["first"].verdict == Verdict::ok);
  CHECK(report["second"].verdict == Verdict::wrong);
  CHECK(report["third"].verdict == Verdict::ok);
  CHECK_FALSE(report.ok());
}

TEST_CASE("small gradients are really tested") {
  const double tiny = 1e-9;
  const auto small_square = [&](double factor) {
    return check_gradients(
        [&](const Arguments& in) {
          return sum(cos(in[1])) + sum(handmade(
                                       in[0], [=](double v) { return tiny * v * v; },
                                       [=](double v, std::size_t) { return factor * 2 * tiny * v; }));
        },
        {a, tensor({0.5})});
  };
  CHECK(small_square(1).ok());
  CHECK(small_square(2).rows[0].verdict == Verdict::wrong);
  CHECK(small_square(0).rows[0].verdict == Verdict::wrong);
  CHECK(small_square(1.0005).rows[0].verdict == Verdict::wrong);
  CHECK(small_square(1.0005).rows[1].verdict == Verdict::ok);
  // Tiny values ask for larger steps than their size: a step of 1e-9 would leave 7 digits of 1 + x.
  CHECK(check_gradients([](const Arguments& in) { return sum(in[0]) + 1.0; }, {tensor({1e-8, -2e-8})}).rows[0].noise <
        2e-9);
  // Nothing else in the sum: any size will do.
  for (const double size : {1e-30, 1e-200, 1e200}) {
    const auto cube = [=](double v) { return size * v * v * v; };
    CHECK(check_handmade(
              cube, [=](double v, std::size_t) { return size * 3 * v * v; }, a)
              .verdict == Verdict::ok);
    CHECK(check_handmade(
              cube, [=](double v, std::size_t) { return size * 3.0015 * v * v; }, a)
              .verdict == Verdict::wrong);
  }
}

TEST_CASE("gradients that prove nothing do not pass") {
  const auto product = [](const Arguments& in) { return sum(in[0] * 0.0 + 1.0) + sum(square(in[1])); };
  CHECK(check_gradients(product, {a, b}).rows[0].verdict == Verdict::zero);
  CHECK(check_gradients(product, {a, b}).rows[1].verdict == Verdict::ok);
  CHECK_FALSE(check_gradients(product, {a, b}).ok());
  CHECK(check_gradients(product, {a, b}, {.allow_zero = true}).ok());
  // Σ softmax = 1: the gradient vanishes but for rounding.
  CHECK(check_gradients([](const Arguments& in) { return sum(softmax(in[0])); }, {b}).rows[0].verdict == Verdict::zero);
  CHECK(check_gradients([](const Arguments& in) { return sum(in[0]); }, {zeros({0, 3})}).rows[0].verdict ==
        Verdict::zero);

  const GradientReport cut =
      check_gradients([](const Arguments& in) { return sum(detach(in[0]) * in[1]); }, {{"cut", a}, {"b", b}});
  CHECK(cut["cut"].verdict == Verdict::unreachable);
  CHECK(cut["cut"].largest == doctest::Approx(2.6));  // its slopes are the column sums of b
  CHECK(cut["b"].verdict == Verdict::ok);
  CHECK(expect::contains(cut.text(),
                         "cut: on the tape the output does not depend on it; numerically its gradient reaches"));
  CHECK_FALSE(
      check_gradients([](const Arguments& in) { return sum(detach(in[0]) * in[1]); }, {a, b}, {.allow_zero = true})
          .ok());

  const auto unused = [](const Arguments& in) { return sum(square(in[1])); };
  CHECK(check_gradients(unused, {a, b}).rows[0].verdict == Verdict::unreachable);
  CHECK_FALSE(check_gradients(unused, {a, b}).ok());
  CHECK(check_gradients(unused, {a, b}, {.allow_zero = true}).ok());
  CHECK(check_gradients([](const Arguments&) { return tensor(1.0); }, {a}).rows[0].verdict == Verdict::unreachable);
  for (const auto& f : {sign, floor})
    CHECK(check_gradients([&](const Arguments& in) { return sum(f(in[0])); }, {a}, {.allow_zero = true}).ok());
}

TEST_CASE("exactly on a kink the gradient may lie between the slopes, not outside") {
  const auto verdict = [](const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
    return check_gradients([&](const Arguments& in) { return sum(f(in[0])); }, {x}).rows[0];
  };
  const Tensor x = tensor({1.0, 0.0, -0.5});
  for (const auto& f : {relu, abs}) {
    const GradientRow row = verdict(f, x);
    CHECK(row.verdict == Verdict::kink);
    CHECK(row.failed == 1);
    CHECK(to_string(row.index) == "(1,)");
    CHECK(std::abs(row.right - 1) < 1e-9);
    CHECK(std::abs(row.left - (f(tensor({-1.0})).item() == 0 ? 0 : -1)) < 1e-9);
  }
  CHECK(verdict([](const Tensor& t) { return leaky_relu(t); }, x).verdict == Verdict::kink);
  CHECK(verdict([](const Tensor& t) { return clamp(t, -0.5, 0.8); }, x).verdict == Verdict::kink);
  CHECK(verdict([](const Tensor& t) { return hard_tanh(t); }, x).verdict == Verdict::kink);
  CHECK(verdict([](const Tensor& t) { return max(t); }, tensor({1.0, 3.0, 3.0})).verdict == Verdict::kink);
  CHECK(verdict(relu, tensor({1e-5, -1e-5, 0.3})).verdict == Verdict::ok);
  CHECK(check_gradients([](const Arguments& in) { return sum(relu(in[0])); }, {x}).ok());

  const auto ramp = [](double v) { return std::max(v, 0.0); };
  const auto at_zero = [](double slope) {
    return [=](double v, std::size_t) { return v > 0 ? 1 : v < 0 ? 0 : slope; };
  };
  for (const double slope : {0.0, 0.3, 1.0}) CHECK(check_handmade(ramp, at_zero(slope), x).verdict == Verdict::kink);
  for (const double slope : {-0.001, 1.001, 2.0}) {
    const GradientRow row = check_handmade(ramp, at_zero(slope), x);
    CHECK(row.verdict == Verdict::wrong);
    CHECK(row.failed == 1);
  }
  // Second order: the slope jumps, so that any second derivative is as good as another.
  CHECK(check_gradients([](const Arguments& in) { return sum(square(relu(in[0]))); }, {x}, {.order = 2}).ok());
}

TEST_CASE("functions and gradients that do not repeat are nondeterministic") {
  int calls = 0;
  const auto drifting = [&](const Arguments& in) { return sum(square(in[0])) + 1e-12 * ++calls; };
  CHECK(check_gradients(drifting, {a}).rows[0].verdict == Verdict::nondeterministic);
  CHECK_FALSE(check_gradients(drifting, {a}).ok());
  calls = 0;
  const auto late = [&](const Arguments& in) { return sum(square(in[0])) * (++calls > 20 ? 1.0 + 1e-15 : 1.0); };
  CHECK(check_gradients(late, {a}).rows[0].verdict == Verdict::nondeterministic);

  int sweeps = 0;
  const GradientReport report = check_gradients(
      [&](const Arguments& in) {
        return sum(handmade(
                   in[0], [](double v) { return v * v; },
                   [&](double v, std::size_t) { return 2 * v + 1e-15 * ++sweeps; })) +
               sum(exp(in[1]));
      },
      {a, b});
  CHECK(report.rows[0].verdict == Verdict::nondeterministic);
  CHECK(report.rows[1].verdict == Verdict::ok);
}

TEST_CASE("infinite slopes are non-finite, noise is inconclusive and never ok") {
  const GradientReport root =
      check_gradients([](const Arguments& in) { return sum(sqrt(in[0])); }, {tensor({0.0, 1.0})});
  CHECK(root.rows[0].verdict == Verdict::non_finite);
  CHECK(root.rows[0].failed == 1);
  CHECK_FALSE(root.ok());
  CHECK(check_gradients([](const Arguments& in) { return sum(log(in[0])); }, {tensor({-1.0})}).rows[0].verdict ==
        Verdict::non_finite);

  const auto noisy = [](double amplitude) {
    return [=](double v) {
      const std::uint64_t bits = std::bit_cast<std::uint64_t>(v) * 0x9E3779B97F4A7C15u;
      return v * v + amplitude * (static_cast<double>(bits >> 11) * 0x1p-53 - 0.5);
    };
  };
  const auto slope = [](double v, std::size_t) { return 2 * v; };
  const GradientRow row = check_handmade(noisy(1e-2), slope, a);
  CHECK(row.verdict == Verdict::inconclusive);
  CHECK(row.noise > 1e-4);
  CHECK(check_handmade(noisy(1e-9), slope, a).verdict == Verdict::ok);
  CHECK(check_handmade(
            noisy(1e-2), [](double v, std::size_t) { return -2 * v; }, a)
            .verdict == Verdict::wrong);
}

TEST_CASE("a right gradient of a function that climbs in stairs is inconclusive, a wrong one is wrong") {
  const auto check = [](const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
    return check_gradients([&](const Arguments& in) { return sum(f(in[0])); }, {x}).rows[0];
  };
  const Tensor x = tensor({0.7, -0.3, 1.9}, float64);
  // 1 - cos(1e-5 x) is a multiple of 2^-53; its derivative is 1e-5 sin(1e-5 x).
  const auto flat_cosine = [](const Tensor& t) { return 1.0 - cos(t * 1e-5); };
  CHECK(check(flat_cosine, x).verdict == Verdict::inconclusive);
  // mean(y²) - mean(y)² beside a large mean is a multiple of 2^-7.
  const auto naive_variance = [](const Tensor& t) {
    const Tensor y = t + 1e7;
    return mean(square(y)) - square(mean(y));
  };
  CHECK(check(naive_variance, x).verdict == Verdict::inconclusive);
  // The derivative of the cast is 1, the values are those of the nearest float32: known well enough, or not.
  const auto cast = [](const Tensor& t) { return sin(t.to(float32).to(float64)); };
  const auto cast_squares = [](const Tensor& t) { return square(t.to(float32).to(float64)); };
  for (const double scale : {1.0, 1e-3, 1e3})
    for (const std::function<Tensor(const Tensor&)>& f : {std::function<Tensor(const Tensor&)>(cast), {cast_squares}}) {
      const Verdict verdict = check(f, x * scale).verdict;
      CHECK((verdict == Verdict::ok || verdict == Verdict::inconclusive));
    }

  // The same with a gradient that is off by half.
  const auto off = [](const Tensor& t) { return t * 1.5 - detach(t) * 0.5; };
  for (const std::function<Tensor(const Tensor&)>& f :
       {std::function<Tensor(const Tensor&)>(flat_cosine), {cast}, {cast_squares}})
    CHECK(check([&](const Tensor& t) { return f(off(t)); }, x).verdict == Verdict::wrong);
  // A plateau is no staircase.
  const auto plateau = [](double v) { return v < 1 ? 0.0 : v - 1; };
  CHECK(check_handmade(
            plateau, [](double, std::size_t) { return 0.7; }, tensor({0.9, 0.25}))
            .verdict == Verdict::wrong);
  const auto floored = [](double v) { return std::floor(v); };
  CHECK(check_handmade(
            floored, [](double, std::size_t) { return 1.0; }, tensor({0.99, 0.3}))
            .verdict == Verdict::wrong);
}

TEST_CASE("a function that is NaN on one side of the point is non-finite") {
  const auto half = [](double v) { return v < 0 ? std::nan("") : v * std::sqrt(v); };
  const auto slope = [](double v, std::size_t) { return 1.5 * std::sqrt(v); };
  const GradientRow row = check_handmade(half, slope, tensor({0.0, 1.0}));
  CHECK(row.verdict == Verdict::non_finite);
  CHECK(row.failed == 1);
  CHECK(check_handmade(half, slope, tensor({0.01, 1.0})).verdict == Verdict::ok);  // NaN lies farther away
  const GradientReport power =
      check_gradients([](const Arguments& in) { return sum(pow(in[0], 1.5)); }, {tensor({0.0, 1.0})});
  CHECK(power.rows[0].verdict == Verdict::non_finite);
}

TEST_CASE("a tie of max over an axis is named as one") {
  const auto check = [](const std::function<Tensor(const Tensor&)>& f, double at) {
    return check_gradients([&](const Arguments& in) { return sum(f(in[0])); }, {{"x", tensor({at}, float64)}});
  };
  // max(x, 0, 0) - max(x, 0) is 0 everywhere; at 0 the first gives 1/3 to x, the second 1/2.
  const auto difference = [](const Tensor& x) {
    const Tensor none = zeros({1});
    return max(concatenate({x, none, none})) - max(concatenate({x, none}));
  };
  const GradientReport tie = check(difference, 0.0);
  CHECK(tie.rows[0].verdict == Verdict::kink);
  CHECK(std::abs(tie.rows[0].analytical + 1.0 / 6) < 1e-12);
  CHECK(expect::contains(tie.text(), "a tie at 1 of 1 entry: max or min share the gradient among elements that tie"));
  CHECK(check(
            [](const Tensor& x) {
              return max(concatenate({x, zeros({1}), zeros({1})}));
            },
            0.0)
            .rows[0]
            .verdict == Verdict::kink);
  // A gradient that is wrong beside the tie, too, or a wrong one without a tie, stays wrong.
  CHECK(check([&](const Tensor& x) { return difference(x) + sin(x) * 2.0 - detach(sin(x)); }, 0.0).rows[0].verdict ==
        Verdict::wrong);
  const auto softplus_of_relu = [](const Tensor& x) { return relu(x) + log1p(exp(-abs(x))); };
  CHECK(check(softplus_of_relu, 0.0).rows[0].verdict == Verdict::wrong);  // 0 for ½ at 0
}

TEST_CASE("second order checks the gradient's own gradient") {
  const auto cubes = [](const Arguments& in) { return sum(in[0] * in[0] * in[0]); };
  const auto squares = [](const Arguments& in) { return sum(in[0] * in[0]); };
  const Tensor x = tensor({0.7}, float64);
  const GradientReport third = check_gradients(cubes, {x}, {.order = 2, .seed = 3});
  const GradientReport second = check_gradients(squares, {x}, {.order = 2, .seed = 3});
  CHECK(third.ok());
  CHECK(second.ok());
  // 6x·v against 2·v for the same direction v.
  CHECK(third.rows[0].analytical / second.rows[0].analytical == doctest::Approx(3 * 0.7).epsilon(1e-12));
  // d²/dxdy of x·y: linear in each, not in both.
  CHECK(check_gradients([](const Arguments& in) { return sum(in[0] * in[1]); }, {a, b}, {.order = 2}).ok());
  const GradientReport flat = check_gradients([](const Arguments& in) { return sum(in[0] * 3.0); }, {a}, {.order = 2});
  CHECK(flat.rows[0].verdict == Verdict::zero);

  const auto planted = [](double claimed) {
    return [=](const Arguments& in) { return sum(apply_operation(Squared(claimed), in[0])); };
  };
  CHECK(check_gradients(planted(2), {a}).ok());
  CHECK(check_gradients(planted(2), {a}, {.order = 2}).ok());
  CHECK(check_gradients(planted(2.001), {a}).ok());
  CHECK(check_gradients(planted(2.001), {a}, {.order = 2}).rows[0].verdict == Verdict::wrong);
  CHECK(check_gradients(planted(0), {a}, {.order = 2}).rows[0].verdict == Verdict::wrong);
  const auto once = [](const Arguments& in) {
    return sum(handmade(
        in[0], [](double v) { return v * v; }, [](double v, std::size_t) { return 2 * v; }));
  };
  CHECK(expect::contains(expect::error_of([&] { check_gradients(once, {a}, {.order = 2}); }),
                         "TapeError: backward: handmade cannot be differentiated twice"));
}

TEST_CASE("float32 tensors are checked in float64 and left alone") {
  Tensor x = tensor({0.5, 2.0}, float32);
  const std::uint32_t version = x.version();
  const GradientReport report = check_gradients(
      [](const Arguments& in) {
        CHECK(in[0].dtype() == float64);
        CHECK(default_dtype() == float64);
        return sum(exp(in[0]) * tensor({1.0, 3.0}));
      },
      {x});
  CHECK(report.ok());
  CHECK(default_dtype() == float32);
  CHECK(x.version() == version);
  CHECK(x.dtype() == float32);
  CHECK_FALSE(x.is_leaf());
  const Tensor captured = tensor({1.0, 3.0}, float32);
  CHECK(expect::contains(
      expect::error_of([&] { check_gradients([&](const Arguments& in) { return sum(in[0] * captured); }, {x}); }),
      "pass it as an argument"));
  // A tape of the caller records nothing of it; its tensors can be checked.
  Tensor w = expect::leaf(tensor({1.0}));
  Tape tape;
  const Tensor recorded = w * 2.0;
  const std::size_t before = tape.size();
  CHECK(check_gradients([](const Arguments& in) { return sum(square(in[0])); }, {recorded}).ok());
  CHECK(tape.size() == before);
}

TEST_CASE("a cotangent makes one number of many, and a function may hand out its input or a buffer") {
  const Tensor cotangent = tensor({2.0, -1.0, 0.5});
  const GradientReport report =
      check_gradients([](const Arguments& in) { return in[0]; }, {a}, {.cotangent = cotangent});
  CHECK(report.ok());
  CHECK(check_gradients([](const Arguments& in) { return reshape(in[0], {3}); }, {a}, {.cotangent = cotangent}).ok());
  CHECK(check_gradients([](const Arguments& in) { return square(in[0]); }, {a}, {.cotangent = cotangent}).ok());
  CHECK(check_gradients([](const Arguments& in) { return sum(in[0], {}, true); }, {a}).ok());
  // A function that is not on the tape and writes its result into the same memory each time.
  Tensor buffer = zeros({3}, float64);
  const GradientRow row = check_gradients(
                              [&](const Arguments& in) {
                                buffer.modify([&](std::span<double> values) {
                                  for (std::size_t i = 0; i < 3; ++i) values[i] = 2 * in[0].values<double>()[i];
                                });
                                return buffer;
                              },
                              {a}, {.cotangent = cotangent})
                              .rows[0];
  CHECK(row.verdict == Verdict::unreachable);
  CHECK(row.largest == doctest::Approx(4));
}

TEST_CASE("bad input is an error that says so, with the tensors put back") {
  const auto error = [](const std::function<Tensor(const Arguments&)>& f, const Arguments& tensors,
                        const GradientCheckOptions& options = {}) {
    return expect::error_of([&] { check_gradients(f, tensors, options); });
  };
  const auto square_sum = [](const Arguments& in) { return sum(square(in[0])); };
  CHECK(error(square_sum, {arange(3)}) ==
        "TypeError: check_gradients: input 0 is int64 and has no gradient; let the function capture it");
  CHECK(expect::contains(
      error([](const Arguments& in) { return square(in[0]); }, {a}),
      "ShapeError: check_gradients: the function returned shape (3,), not one number; give a cotangent"));
  CHECK(expect::contains(error([](const Arguments& in) { return square(in[0]); }, {a}, {.cotangent = ones({2})}),
                         "the function returned shape (3,), the cotangent is (2,)"));
  CHECK(expect::contains(error([](const Arguments& in) { return sum(in[0]).to(float32); }, {a}),
                         "TypeError: check_gradients: the function returned float32"));
  CHECK(expect::contains(error(square_sum, {a}, {.order = 0}), "ValueError: check_gradients: order 0"));
  CHECK(expect::contains(error(square_sum, {a}, {.tolerance = 0}), "ValueError: check_gradients: tolerance"));
  CHECK(expect::contains(error(square_sum, {}), "no tensors"));
  CHECK(expect::contains(error(nullptr, {a}), "the function is empty"));
  CHECK(expect::contains(error([](const Arguments&) { return Tensor(); }, {a}), "empty handle"));

  int calls = 0;
  CHECK(expect::contains(error([&](const Arguments& in) { return ++calls > 1 ? in[0] : sum(in[0]); }, {a}),
                         "ShapeError: check_gradients: the function returned shape () at first, then (3,)"));
  CHECK(expect::contains(error(
                             [](const Arguments& in) {
                               Tensor handle = in[0];
                               handle.modify([](std::span<double> v) { v[0] += 1; });
                               return sum(handle);
                             },
                             {a}),
                         "the function changed the values of input 0"));
  // What it throws for the tensors as they are passes through.
  CHECK(expect::contains(error(
                             [](const Arguments& in) {
                               return matmul(in[0], ones({2, 2}));
                             },
                             {a}),
                         "ShapeError: matmul"));

  calls = 0;
  Tensor x = tensor({1.0, 2.0}, float64);
  try {
    check_gradients_in_place({[&]() -> Tensor {
                                if (++calls == 9) throw std::runtime_error("out of paper");
                                return sum(square(x));
                              },
                              {{"x", x}}});
    FAIL("nothing was thrown");
  } catch (const GradientError& thrown) {
    CHECK(expect::contains(thrown.what(), "the function broke off while entry (0,) of x was moved"));
    CHECK(expect::contains(thrown.what(), "out of paper"));
    CHECK_THROWS_AS(std::rethrow_if_nested(thrown), std::runtime_error);
  }
  CHECK(expect::values(x) == std::vector<double>{1, 2});
  CHECK_FALSE(x.is_leaf());
  CHECK(default_dtype() == float32);
  CHECK(expect::contains(expect::error_of([&] {
                           check_gradients_in_place({[&] { return sum(x); }, {{"a", a}}});
                         }),
                         "a is float32; need float64"));
  CHECK(expect::contains(expect::error_of([&] {
                           check_gradients_in_place({[&] { return sum(x); }, {{"x", x}, {"y", x}}});
                         }),
                         "x and y are one tensor"));
  Tape tape;
  const Tensor leaf = expect::leaf(x);
  CHECK(expect::contains(expect::error_of([&] {
                           check_gradients_in_place({[&] { return sum(x); }, {{"x", x}, {"y", leaf * 2.0}}});
                         }),
                         "y is the result of a recorded operation"));
}

TEST_CASE("values that a function refuses are out of its domain") {
  const auto entropy = [](const Arguments& in) {
    for (const double p : in[0].values<double>())
      if (!(p >= 0 && p <= 1)) throw ValueError("entropy: a probability outside [0, 1]");
    return sum(in[0] * log(in[0] + 1e-3));
  };
  const GradientReport report = check_gradients(entropy, {tensor({0.002, 0.5, 0.999})});
  CHECK(report.ok());
  CHECK(expect::contains(report.rows[0].note, "the function refused moved values"));
  CHECK(check_gradients(entropy, {tensor({0.0, 1.0})}).ok());  // one-sided
  const auto picky = [](const Arguments& in) {
    if (in[0].item() != 0.5) throw ValueError("picky: not one half");
    return sum(square(in[0]));
  };
  const GradientReport refused = check_gradients(picky, {tensor({0.5})});
  CHECK(refused.rows[0].verdict == Verdict::non_finite);
  CHECK(expect::contains(refused.text(), "picky: not one half"));
}

TEST_CASE("large tensors are sampled, with the largest gradient among the sample") {
  const Tensor x = tensor(expect::numbers(2000, 5), Shape{40, 50}, float64);
  std::size_t largest = 0;
  for (std::size_t i = 0; i < 2000; ++i)
    if (std::abs(x.values<double>()[i]) > std::abs(x.values<double>()[largest])) largest = i;
  const auto wrong_at = [&](std::size_t where, std::size_t sample, std::uint64_t seed = 0) {
    return check_handmade([](double v) { return v * v; },
                          [&](double v, std::size_t i) { return i == where ? 2.1 * v : 2 * v; }, x,
                          {.sample = sample, .seed = seed});
  };
  CHECK(wrong_at(2000, 30).entries == 30);
  CHECK(wrong_at(2000, 30).verdict == Verdict::ok);
  for (std::uint64_t seed = 0; seed < 5; ++seed) CHECK(wrong_at(largest, 30, seed).verdict == Verdict::wrong);
  CHECK(wrong_at(1234, 2000).verdict == Verdict::wrong);
  CHECK(to_string(wrong_at(1234, 2000).index) == "(24, 34)");
  CHECK(wrong_at(0, 2000).entries == 2000);
  CHECK(expect::contains(check_gradients([](const Arguments& in) { return sum(square(in[0])); }, {x}).text(),
                         "64 of 2000"));
}

TEST_CASE("a function of one tensor is checked, and a long check tells how far it is") {
  std::vector<std::size_t> told;
  const Tensor x = tensor({0.5, -1.0, 2.0});
  const GradientReport report = check_gradients([](const Tensor& t) { return sum(sin(t)); }, x,
                                                {.progress = [&](std::size_t done, std::size_t all) {
                                                  told.push_back(done);
                                                  CHECK(all == 3);
                                                }});
  CHECK(report.ok());
  CHECK(told == std::vector<std::size_t>{1, 2, 3});
  CHECK(expect::error_of([&] { check_gradients(std::function<Tensor(const Tensor&)>(), x); }) ==
        "ValueError: check_gradients: the function is empty");
}
