#include "tests/support/table_loop.hpp"

#include <doctest/doctest.h>
#include <autograd/pointwise.hpp>
#include <autograd/tensor/creation.hpp>

#include <map>

using namespace table_loop;

namespace {

/// Gradients (order 1), or the gradients of those below, of a sample against differences in float64. An input that a
/// sample ignores (the smaller one of a maximum) proves nothing; `proved` has the answers of the samples by name.
Findings check_differences(const OpRow& row, const OpSample& sample, int order,
                           std::map<std::string, std::vector<bool>>& proved) {
  const GradientSubject subject = op_subject(row, sample);
  if (subject.tensors.empty() || subject.f().size() == 0) return {};
  const GradientReport checked = check_table_gradients(subject, order, {.mode = compared, .allow_zero = true});
  for (const GradientRow& tensor : checked.rows) proved[tensor.name].push_back(tensor.verdict == GradientVerdict::ok);
  if (passes_as_smooth(checked)) return {};
  return {text(row.name, ", order ", order, "\n", checked)};
}

/// All samples of a row. At least a third of them must say something about each input.
Findings check_differences(const OpRow& row, int order) {
  std::map<std::string, std::vector<bool>> proved;
  Findings findings;
  for (const OpSample& sample : row.samples)
    for (const std::string& finding : check_differences(row, sample, order, proved)) findings.push_back(finding);
  for (const auto& [name, answers] : proved) {
    const auto count = std::count(answers.begin(), answers.end(), true);
    if (row.order > 0 && 3 * count < static_cast<std::ptrdiff_t>(answers.size()))
      findings.push_back(text(row.name, ", order ", order, ": only ", count, " of ", answers.size(),
                              " samples show a gradient of ", name));
  }
  return findings;
}

/// vjp(2·g1 - g2/2) against 2·vjp(g1) - vjp(g2)/2: the factors are exact, so that only sums round.
Findings check_linear_in_cotangent(const OpRow& row, const OpSample& sample) {
  const OpInputs inputs = make_inputs(sample, float64);
  const auto vjp = [&](const MakeCotangent& g) { return evaluate(row, sample.call, inputs, g).gradients; };
  const OpInputs first = vjp([](const Tensor& y) { return cotangent_like(y, 0); });
  const OpInputs second = vjp([](const Tensor& y) { return cotangent_like(y, 1); });
  const OpInputs both = vjp([](const Tensor& y) { return cotangent_like(y, 0) * 2.0 - cotangent_like(y, 1) * 0.5; });
  Findings findings;
  std::size_t terms = 1;
  for (const Tensor& x : inputs) terms += x.size();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!both[i].defined()) continue;
    double largest = 0;
    for (std::size_t k = 0; k < both[i].size(); ++k)
      largest = std::max({largest, std::abs(2 * at(first[i], k)), std::abs(at(second[i], k) / 2)});
    // Each side adds at most `terms` products, each rounded a few times.
    const double bound = 4 * static_cast<double>(terms) * epsilon(float64) * largest;
    for (std::size_t k = 0; k < both[i].size(); ++k) {
      const double expected = 2 * at(first[i], k) - at(second[i], k) / 2;
      if (!(std::abs(at(both[i], k) - expected) <= bound))
        findings.push_back(text(row.name, " of ", shapes_of(inputs), ", gradient ", i, " element ", k, ": ",
                                at(both[i], k), ", not ", expected));
    }
  }
  return findings;
}

/// The gradients of sum(f(x)), whose cotangent reaches the rule as one number that stands for all, against those of f
/// for a cotangent of ones.
Findings check_unbroadcast_cotangents(const OpRow& row, const OpSample& sample) {
  const OpInputs inputs = make_inputs(sample, float64);
  const std::vector<std::pair<std::string, std::function<Tensor(const Tensor&)>>> reductions = {
      {"sum", [](const Tensor& y) { return sum(y); }},
      {"sum of sums", [](const Tensor& y) { return y.rank() == 0 ? y : sum(sum(y, {0})); }},
      {"sum of means", [](const Tensor& y) {
         return y.rank() == 0 ? y : sum(mean(y, {-1}, true)) * static_cast<double>(y.shape(-1));
       }}};
  const Outcome expected = evaluate(row, sample.call, inputs, ones_like);
  Findings findings;
  if (!is_floating(expected.value.dtype()) || expected.value.size() == 0) return findings;
  for (const auto& [name, reduction] : reductions) {
    const auto call = [&row_call = sample.call, &reduce = reduction](const OpInputs& in) {
      return reduce(row_call(in));
    };
    const OpInputs found = evaluate(row, call, inputs, ones_like).gradients;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!expected.gradients[i].defined()) continue;
      double largest = 0;
      for (std::size_t k = 0; k < found[i].size(); ++k) largest = std::max(largest, std::abs(at(found[i], k)));
      for (std::size_t k = 0; k < found[i].size(); ++k)
        if (!(std::abs(at(found[i], k) - at(expected.gradients[i], k)) <= 1e-12 * largest))
          findings.push_back(text(row.name, " of ", shapes_of(inputs), " through a ", name, ", gradient ", i,
                                  " element ", k, ": ", at(found[i], k), ", not ", at(expected.gradients[i], k)));
    }
  }
  return findings;
}

/// A row with the smallest sample that shows whether its rule is right.
OpRow planted(const std::string& name, OpCall call) {
  OpRow row(name, "a planted rule", std::move(call));
  row.sample({{{2, 3}, {0.5, 2}}});
  return row;
}

/// √x with a vjp that is wrong by a factor, or not linear in the cotangent.
class WrongRoot final : public Operation {
 public:
  WrongRoot(double factor, bool linear) : factor_(factor), linear_(linear) {}
  std::string_view name() const override { return "wrong_root"; }
  OperationTraits traits() const override { return {Which::none(), Which::all(), Contribution::exact, true}; }
  Tensors forward(const Inputs& inputs) override { return sqrt(inputs[0]); }
  Tensors vjp(const Call& call) const override {
    const Tensor g = linear_ ? call.cotangent() : square(call.cotangent());
    return g * factor_ / (call.output() * 2.0);
  }

 private:
  double factor_;
  bool linear_;
};

OpRow root_row(double factor, bool linear = true) {
  return planted("wrong_root", [=](const OpInputs& x) { return apply_operation(WrongRoot(factor, linear), x[0]); });
}

/// exp with a slope of its own, and a slope of that slope.
OpRow exponential_row(double slope_factor, double curvature_factor) {
  return planted("wrong_exp", [=](const OpInputs& x) {
    return pointwise(
        "wrong_exp",
        [=](auto a) {
          const auto value = [](auto b) { return exp(b); };
          const auto curvature = [=](auto b) { return slope_factor * curvature_factor * exp(b); };
          const auto slope = [=](auto b) {
            return with_derivative([=](auto c) { return slope_factor * exp(c); }, curvature, b);
          };
          return with_derivative(value, slope, a);
        },
        x[0]);
  });
}

/// d²/dx² of f at x, one number.
double second_derivative(const std::function<Tensor(const Tensor&)>& f, double at_x, DType dtype = float64) {
  Tensor x = tensor(at_x, dtype).requires_gradient();
  Tape tape;
  const Tensor slope = tape.backward(f(x), {.differentiable = true})[x];
  const Gradients second = tape.backward(slope);
  return second.contains(x) ? second[x].item() : 0.0;
}

}  // namespace

TEST_CASE("first-order gradients agree with differences") {
  for (const OpRow& row : op_table())
    if (!row.integer_result) report(check_differences(row, 1));
}

TEST_CASE("second-order gradients agree with differences of the first") {
  for (const OpRow& row : op_table())
    if (row.order >= 2) report(check_differences(row, 2));
}

TEST_CASE("third-order gradients agree with differences of the second") {
  for (const OpRow& row : op_table())
    if (row.order >= 3) report(check_differences(row, 3));
}

TEST_CASE("numerical gradients of smooth operations are good to 1e-8 of the larger of entry and rms") {
  double worst = 0;
  for (const OpRow& row : op_table())
    for (const OpSample& sample : row.samples) {
      const GradientSubject subject = op_subject(row, sample);
      if (row.integer_result || subject.tensors.empty() || subject.f().size() == 0) continue;
      for (const GradientRow& tensor : check_table_gradients(subject, 1).rows) {
        if (tensor.verdict != GradientVerdict::ok) continue;  // zero or not reached: nothing to be relative to
        INFO(row.name, ": ", tensor.name, " of shape ", to_string(tensor.shape));
        CHECK(tensor.relative_error <= 1e-8);
        worst = std::max(worst, tensor.relative_error);
      }
    }
  MESSAGE("largest relative error of a numerical gradient: ", worst);
}

TEST_CASE("a rule that is wrong by 0.05 percent is found") {
  CHECK(check_differences(root_row(1), 1).empty());
  CHECK(check_differences(root_row(1), 2).empty());
  CHECK(!check_differences(root_row(1.0005), 1).empty());
  CHECK(check_differences(exponential_row(1, 1), 1).empty());
  CHECK(check_differences(exponential_row(1, 1), 2).empty());
  CHECK(!check_differences(exponential_row(1.0005, 1), 1).empty());
  CHECK(check_differences(exponential_row(1, 1.0005), 1).empty());
  CHECK(!check_differences(exponential_row(1, 1.0005), 2).empty());
  CHECK(check_differences(exponential_row(1, 1), 3).empty());
}

TEST_CASE("vjps are linear in the cotangent") {
  for (const OpRow& row : op_table())
    for (const OpSample& sample : row.samples)
      if (!row.integer_result) report(check_linear_in_cotangent(row, sample));
}

TEST_CASE("a cotangent that is one number for all gives the gradients of a cotangent of ones") {
  for (const OpRow& row : op_table())
    for (const OpSample& sample : row.samples) report(check_unbroadcast_cotangents(row, sample));
}

TEST_CASE("a vjp that is not linear in the cotangent is found") {
  CHECK(check_linear_in_cotangent(root_row(1), root_row(1).samples[0]).empty());
  CHECK(!check_linear_in_cotangent(root_row(1, false), root_row(1, false).samples[0]).empty());
}

TEST_CASE("rows that are called linear are: f(2x) = 2·f(x), and the gradient does not depend on x") {
  for (const OpRow& row : op_table()) {
    if (!row.linear) continue;
    for (const OpSample& sample : row.samples) {
      const OpInputs inputs = make_inputs(sample, float64);
      OpInputs doubled;
      for (const Tensor& x : inputs) doubled.push_back(is_floating(x.dtype()) ? x * 2.0 : x);
      const Outcome once = evaluate(row, sample.call, inputs);
      const Outcome twice = evaluate(row, sample.call, doubled);
      INFO(row.name, " of ", shapes_of(inputs));
      CHECK(same_bits(twice.value, once.value * 2.0));
      for (std::size_t i = 0; i < inputs.size(); ++i) CHECK(same_bits(twice.gradients[i], once.gradients[i]));
    }
  }
}

TEST_CASE("a zero cotangent gives a zero gradient at every point, infinite slopes included") {
  for (const OpRow& row : op_table())
    for (const OpPoint* point : all_points(row))
      for (const DType dtype : {float64, float32}) {
        if (!row.elementwise && !all_finite(point->inputs)) continue;
        const Outcome outcome = evaluate(row, point->call, converted(point->inputs, dtype),
                                         [](const Tensor& y) { return zeros(y.shape(), y.dtype()); });
        for (std::size_t i = 0; i < outcome.gradients.size(); ++i)
          for (std::size_t k = 0; outcome.gradients[i].defined() && k < outcome.gradients[i].size(); ++k) {
            INFO(row.name, " in ", name_of(dtype), " [", point->source, "], gradient ", i, " element ", k);
            CHECK(at(outcome.gradients[i], k) == 0);
          }
      }
}

TEST_CASE("masked branches with infinite slopes contribute nothing") {
  Tensor x = tensor({0.0, 4.0}, float64).requires_gradient();
  const Tensor condition = tensor({0.0, 1.0}, float64);
  const auto masked = [&](const std::function<Tensor(const Tensor&)>& f) {
    Tape tape;
    return tape.backward(sum(where(condition, f(x), 0.0)))[x].clone();
  };
  const auto expect = [](const Tensor& gradient, double second) {
    CHECK(gradient.item({0}) == 0.0);
    CHECK(gradient.item({1}) == doctest::Approx(second).epsilon(1e-14));
  };
  expect(masked([](const Tensor& a) { return sqrt(a); }), 0.25);
  expect(masked([](const Tensor& a) { return log(a); }), 0.25);
  expect(masked([](const Tensor& a) { return 1.0 / a; }), -0.0625);
  expect(masked([](const Tensor& a) { return pow(a, -1.0); }), -0.0625);
  expect(masked([](const Tensor& a) { return pow(a, 0.5); }), 0.25);
  expect(masked([](const Tensor& a) { return a / a; }), 0.0);
}

TEST_CASE("second derivatives through masks: zero where the branch was not taken, s'(x)² where s(x) is zero") {
  for (const DType dtype : {float64, float32}) {
    // d²/dx² where(c, √x, 0) at 0 for c = 0: the branch was not taken.
    CHECK(second_derivative([&](const Tensor& x) { return where(zeros({}, dtype), sqrt(x), 0.0); }, 0, dtype) == 0);
    CHECK(second_derivative([&](const Tensor& x) { return where(zeros({}, dtype), log(x), 0.0); }, 0, dtype) == 0);
    // d²/dx² s(x)²/2 = s'² + s·s'' = s'² where s(x) = 0.
    CHECK(second_derivative([](const Tensor& x) { return square(sin(x)) * 0.5; }, 0, dtype) == 1);
    CHECK(second_derivative([](const Tensor& x) { return square(expm1(x * 3.0)) * 0.5; }, 0, dtype) == 9);
    CHECK(second_derivative([](const Tensor& x) { return square(log(x)) * 0.5; }, 1, dtype) == 1);
    CHECK(second_derivative([](const Tensor& x) { return mul(tanh(x), tanh(x)) * 0.5; }, 0, dtype) == 1);
  }
}
