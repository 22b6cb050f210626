#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/losses.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include "expect.hpp"

using namespace xgrad;
using nn::Reduction;

namespace {

const double infinity = std::numeric_limits<double>::infinity();
const double log_2 = std::log(2.0);

/// Value and gradient with respect to the prediction of a loss that gives one number.
struct Result {
  double value;
  std::vector<double> gradient;
};
template <class Loss, class... Options>
Result run(const Loss& loss, const Tensor& prediction, const Tensor& target, const Options&... options) {
  const Tensor p = expect::leaf(prediction);
  Tape tape;
  const Tensor value = loss(p, target, options...);
  return {value.item(), expect::values(tape.backward(value)[p])};
}

/// d²loss/dp² of a loss of one element.
template <class Loss>
double curvature(const Loss& loss, double prediction, double target) {
  const DefaultDType scope(float64);
  const Tensor p = expect::leaf(tensor({prediction}));
  Tape tape;
  const Gradients first = tape.backward(loss(p, tensor({target})), {.differentiable = true});
  return tape.backward(sum(first[p]))[p].item();
}

void check(const Result& result, double value, const std::vector<double>& gradient, double tolerance = 1e-6) {
  CHECK(std::abs(result.value - value) <= tolerance * std::max(1.0, std::abs(value)));
  REQUIRE(result.gradient.size() == gradient.size());
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(result.gradient[i] - gradient[i]) <= tolerance * std::max(1.0, std::abs(gradient[i])));
  }
}

const Tensor p3 = tensor({1, 2, 3});
const Tensor t3 = tensor({1, 0, 6});  // p - t = 0, 2, -3

}  // namespace

TEST_CASE("mse is the mean of the squared errors") {
  check(run(nn::mse, p3, t3), 13.0 / 3, {0, 4.0 / 3, -2});
  check(run(nn::mse, p3, t3, nn::LossOptions{Reduction::sum}), 13, {0, 4, -6});
  CHECK(expect::values(nn::mse(p3, t3, {.reduction = Reduction::none})) == std::vector<double>{0, 4, 9});
  CHECK(curvature(nn::mse, 2, 5) == doctest::Approx(2));
}

TEST_CASE("mae is the mean of the absolute errors, with gradient 0 at 0") {
  check(run(nn::mae, p3, t3), 5.0 / 3, {0, 1.0 / 3, -1.0 / 3});
  check(run(nn::mae, p3, t3, nn::LossOptions{Reduction::sum}), 5, {0, 1, -1});
  CHECK(expect::values(nn::mae(p3, t3, {.reduction = Reduction::none})) == std::vector<double>{0, 2, 3});
}

TEST_CASE("huber is quadratic below delta and linear above, with gradient ±delta where they meet") {
  check(run(nn::huber, tensor({0, 2, -3, 0.5}), zeros({4}), nn::LossOptions{Reduction::sum}), 0 + 1.5 + 2.5 + 0.125,
        {0, 1, -1, 0.5});
  check(run(nn::huber, tensor({1, -1}), zeros({2})), 0.5, {0.5, -0.5});
  check(run(nn::Huber{.delta = 2}, tensor({3, 2, -2, 1}), zeros({4}), nn::LossOptions{Reduction::sum}),
        2 * (3 - 1) + 2 + 2 + 0.5, {2, 2, -2, 1});
  const Result infinite = run(nn::huber, tensor({infinity}), zeros({1}));
  CHECK(infinite.value == infinity);
  CHECK(infinite.gradient == std::vector<double>{1});
  CHECK(curvature(nn::huber, 0.5, 0) == doctest::Approx(1));
  CHECK(curvature(nn::huber, 5, 0) == 0);
  CHECK(expect::error_of([] { nn::Huber{.delta = 0}(p3, t3); }) == "ValueError: huber: delta 0.000000; need delta > 0");
}

TEST_CASE("sse is half the sum of the squared errors: n/2 times mse") {
  check(run(nn::sse, p3, t3), 6.5, {0, 2, -3});
  CHECK(expect::values(nn::sse(p3, t3, {.reduction = Reduction::none})) == std::vector<double>{0, 2, 4.5});
  check(run(nn::sse, p3, t3, nn::LossOptions{Reduction::mean}), 6.5 / 3, {0, 2.0 / 3, -1});
}

TEST_CASE("binary_cross_entropy of probabilities has the gradient (p - t) / max(p (1 - p), 1e-12)") {
  const auto of = [](double p, double t) { return run(nn::binary_cross_entropy, tensor({p}), tensor({t})); };
  check(of(0.25, 1), std::log(4.0), {-4});
  check(of(0.25, 0), -std::log(0.75), {4.0 / 3});
  check(of(0.5, 0.5), log_2, {0});
  check(of(0.25, 0.5), 0.5 * std::log(4.0) - 0.5 * std::log(0.75), {-0.25 / 0.1875});
  // Logarithms stop at -100.
  check(of(0, 1), 100, {-1e12});
  check(of(1, 0), 100, {1e12});
  check(of(0, 0), 0, {0});
  check(of(1, 1), 0, {0});
  check(of(0, 0.5), 50, {-0.5e12});
  check(run(nn::binary_cross_entropy, tensor({0.25, 0.5}), tensor({1, 0})), (std::log(4.0) + log_2) / 2, {-2, 1});
  CHECK(curvature(nn::binary_cross_entropy, 0.5, 1) == doctest::Approx(4));         // 1/p²
  CHECK(curvature(nn::binary_cross_entropy, 0.2, 0) == doctest::Approx(1 / 0.64));  // 1/(1 - p)²

  const Tensor t = expect::leaf(tensor({0.25}));
  Tape tape;
  const Gradients gradients = tape.backward(nn::binary_cross_entropy(tensor({0.25}), t));
  CHECK(gradients[t].item() == doctest::Approx(std::log(3.0)));  // log(1 - p) - log p
}

TEST_CASE("binary cross-entropies reject what is not a probability") {
  CHECK(expect::error_of([] {
          nn::binary_cross_entropy(tensor({{0.5, 1}, {0, 1.5}}), zeros({2, 2}));
        }) ==
        "ValueError: binary_cross_entropy: element 3 of the prediction is 1.500000; need 0 <= value <= 1 (for logits: "
        "binary_cross_entropy_with_logits)");
  CHECK(expect::contains(expect::error_of([] { nn::binary_cross_entropy(tensor({-1e-6}), zeros({1})); }),
                         "ValueError: binary_cross_entropy: element 0 of the prediction"));
  CHECK(expect::error_of([] { nn::binary_cross_entropy(tensor({0.5}), tensor({-1})); }) ==
        "ValueError: binary_cross_entropy: element 0 of the target is -1.000000; need 0 <= value <= 1");
  CHECK(expect::error_of([] {
          nn::binary_cross_entropy_with_logits(tensor({5, 5}), tensor({0, 2}));
        }) ==
        "ValueError: binary_cross_entropy_with_logits: element 1 of the target is 2.000000; need 0 <= value <= 1");
}

TEST_CASE("binary_cross_entropy_with_logits is exact for extreme logits") {
  const auto of = [](double x, double t) {
    return run(nn::binary_cross_entropy_with_logits, tensor({x}), tensor({t}));
  };
  check(of(0, 0), log_2, {0.5});
  check(of(0, 1), log_2, {-0.5});
  check(of(1000, 0), 1000, {1}, 0);
  check(of(1000, 1), 0, {0}, 0);
  check(of(-1000, 1), 1000, {-1}, 0);
  check(of(-1000, 0), 0, {0}, 0);
  check(of(1e4, 0.5), 5e3, {0.5}, 0);
  CHECK(curvature(nn::binary_cross_entropy_with_logits, 0, 1) == doctest::Approx(0.25));

  const DefaultDType scope(float64);
  const Tensor x = tensor({-3, -0.5, 0, 2, 7});
  const Tensor t = tensor({0, 1, 0.5, 1, 0.25});
  CHECK(nn::binary_cross_entropy_with_logits(x, t).item() ==
        doctest::Approx(nn::binary_cross_entropy(sigmoid(x), t).item()).epsilon(1e-12));
}

TEST_CASE("cross_entropy from logits takes class indices and one-hot or soft targets") {
  const Tensor extreme = tensor({{1000, 0}});
  check(run(nn::cross_entropy, extreme, tensor({1}, int64)), 1000, {1, -1}, 0);
  check(run(nn::cross_entropy, extreme, tensor({{0, 1}})), 1000, {1, -1}, 0);
  check(run(nn::cross_entropy, extreme, tensor({0}, int64)), 0, {0, 0}, 0);
  check(run(nn::cross_entropy, zeros({1, 2}), tensor({{0.5, 0.5}})), log_2, {0, 0});

  const double e = std::exp(1.0);
  const Tensor logits = tensor({{0, 0}, {1, 0}});
  const Tensor labels = tensor({0, 1}, int64);
  const double second = std::log(1 + e);  // log(e^1 + e^0) - 0
  check(run(nn::cross_entropy, logits, labels), (log_2 + second) / 2,
        {-0.25, 0.25, 0.5 * e / (1 + e), 0.5 * (1 / (1 + e) - 1)});
  check(run(nn::cross_entropy, logits, labels, nn::CrossEntropyOptions{.reduction = Reduction::sum}), log_2 + second,
        {-0.5, 0.5, e / (1 + e), -e / (1 + e)});
  const Tensor rows = nn::cross_entropy(logits, labels, {.reduction = Reduction::none});
  CHECK(expect::difference(rows, std::vector<double>{log_2, second}) < 1e-6);
}

TEST_CASE("cross_entropy averages over the weights of the labels' classes") {
  const Tensor logits = tensor({{0, 0}, {1000, 0}});
  const Tensor weights = tensor({1, 3});
  check(run(nn::cross_entropy, logits, tensor({0, 1}, int64), nn::CrossEntropyOptions{.weights = weights}),
        (1 * log_2 + 3 * 1000) / 4, {-0.125, 0.125, 0.75, -0.75});
  check(run(nn::cross_entropy, logits, tensor({0, 1}, int64),
            nn::CrossEntropyOptions{.reduction = Reduction::sum, .weights = weights}),
        log_2 + 3000, {-0.5, 0.5, 3, -3});
  // Soft targets: Σ w_j t_j (log Σ e^x - x_j), over the rows.
  check(run(nn::cross_entropy, logits, tensor({{0.5, 0.5}, {0, 1}}), nn::CrossEntropyOptions{.weights = weights}),
        (0.5 * log_2 + 1.5 * log_2 + 3000) / 2, {0.25, -0.25, 1.5, -1.5});
  CHECK(expect::error_of([&] {
          nn::cross_entropy(logits, tensor({0, 1}, int64), {.weights = ones({3})});
        }) ==
        "ShapeError: cross_entropy: logits are (2, 2), class weights are (3,); need logits (n, c) and weights (c,)");
  CHECK(expect::error_of([&] {
          nn::cross_entropy(logits, tensor({0, 1}, int64), {.weights = ones({2}, float64)});
        }) == "TypeError: cross_entropy: logits are float32, class weights are float64; need equal dtypes");
}

TEST_CASE("losses do not broadcast, and check everything before they record") {
  const Tensor p = expect::leaf(ones({4, 1}));
  const Tensor t = ones({4});
  const Tape tape;
  const std::string rest = ": prediction is (4, 1), target is (4,); need equal shapes, losses do not broadcast";
  CHECK(expect::error_of([&] { nn::mse(p, t); }) == "ShapeError: mse" + rest);
  CHECK(expect::error_of([&] { nn::mae(p, t); }) == "ShapeError: mae" + rest);
  CHECK(expect::error_of([&] { nn::huber(p, t); }) == "ShapeError: huber" + rest);
  CHECK(expect::error_of([&] { nn::sse(p, t); }) == "ShapeError: sse" + rest);
  CHECK(expect::error_of([&] { nn::binary_cross_entropy(p, t); }) == "ShapeError: binary_cross_entropy" + rest);
  CHECK(expect::error_of([&] { nn::binary_cross_entropy_with_logits(p, t); }) ==
        "ShapeError: binary_cross_entropy_with_logits" + rest);
  CHECK(expect::contains(expect::error_of([&] { nn::mse(p, ones({4, 1}, float64)); }), "TypeError: mse: "));
  CHECK(expect::contains(expect::error_of([&] { nn::mse(p, ones({4, 1}, int64)); }), "TypeError: mse: "));

  const Tensor logits = expect::leaf(zeros({4, 3}));
  const auto error = [&](const Tensor& targets) {
    return expect::error_of([&] { nn::cross_entropy(logits, targets); });
  };
  CHECK(expect::contains(error(tensor({0, 1, 2, 3}, int64)), "ValueError"));
  CHECK(expect::contains(error(tensor({0, 1, 2, 3}, int64)), "row 3 is 3; need 0 <= label < 3"));
  CHECK(expect::contains(error(tensor({0, -1, 2, 3}, int64)), "row 1 is -1"));
  CHECK(expect::contains(error(tensor({0, 1}, int64)), "ShapeError"));
  CHECK(expect::contains(error(tensor({0, 1}, int64)), "(4, 3)"));
  CHECK(expect::contains(error(tensor({0, 1}, int64)), "(2,)"));
  CHECK(expect::contains(error(ones({4, 1}, int64)), "ShapeError"));
  CHECK(expect::contains(error(ones({4})), "ShapeError"));
  CHECK(expect::contains(error(ones({4, 3}, float64)), "TypeError"));
  CHECK(tape.size() == 0);
}

TEST_CASE("losses keep NaN, work in both dtypes and can be passed as objects") {
  const double nan = std::nan("");
  const auto all = [](const auto& visit) {
    visit(nn::mse);
    visit(nn::mae);
    visit(nn::huber);
    visit(nn::sse);
    visit(nn::binary_cross_entropy);
    visit(nn::binary_cross_entropy_with_logits);
  };
  all([&](const auto& loss) {
    CHECK(std::isnan(loss(tensor({0.5, nan}), tensor({0, 1})).item()));
    CHECK(std::isnan(loss(tensor({0.5, 0.5}), tensor({0, nan})).item()));
    const double single = loss(tensor({0.25, 0.5}), tensor({0, 1})).item();
    const double twice = loss(tensor({0.25, 0.5}, float64), tensor({0, 1}, float64)).item();
    CHECK(single == doctest::Approx(twice).epsilon(1e-6));
    CHECK(loss(tensor(0.5), tensor(1.0)).rank() == 0);
  });
  CHECK(std::isnan(nn::cross_entropy(tensor({{0, nan}}), tensor({0}, int64)).item()));
}
