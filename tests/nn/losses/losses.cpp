#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/losses/losses.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/expect.hpp"

using namespace xgrad;

namespace {

constexpr std::int64_t rows = 7;
constexpr std::int64_t classes = 4;

Tensor net_inputs() {
  return expect::leaf(tensor(expect::numbers(rows * classes, 1, -6, 6), {rows, classes}, float64));
}

/// One-hot targets of labels that name every class.
Tensor labels() { return tensor({0, 3, 1, 2, 2, 0, 1}, int64); }

double plain_sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

/// ∂loss/∂z of a sum of losses.
template <class F>
Tensor delta(const Tensor& z, const F& loss) {
  Tape tape;
  return tape.backward(loss(z))[z];
}

constexpr nn::LossOptions summed = {.reduction = nn::Reduction::sum};

}  // namespace

// The canonical pairs of output activation and loss (Bishop 2006, 4.3.6): activations a of net inputs z have
// ∂loss/∂z = a - y.

TEST_CASE("linear outputs with half the squared error have delta a - y") {
  const Tensor z = net_inputs();
  const std::vector<double> y = expect::numbers(z.size(), 2);
  const Tensor target = tensor(y, z.shape(), float64);
  std::vector<double> expected = expect::values(z);
  for (std::size_t i = 0; i < y.size(); ++i) expected[i] -= y[i];
  CHECK(expect::difference(delta(z, [&](const Tensor& a) { return nn::sse(a, target); }), expected) < 1e-12);
}

TEST_CASE("sigmoid outputs with binary cross-entropy have delta a - y, from logits and from probabilities") {
  const Tensor z = net_inputs();
  const std::vector<double> y = expect::numbers(z.size(), 3, 0, 1);
  const Tensor target = tensor(y, z.shape(), float64);
  std::vector<double> expected = expect::values(z);
  for (std::size_t i = 0; i < y.size(); ++i) expected[i] = plain_sigmoid(expected[i]) - y[i];
  const auto from_logits = [&](const Tensor& x) { return nn::binary_cross_entropy_with_logits(x, target, summed); };
  const auto from_probabilities = [&](const Tensor& x) { return nn::binary_cross_entropy(sigmoid(x), target, summed); };
  CHECK(expect::difference(delta(z, from_logits), expected) < 1e-12);
  CHECK(expect::difference(delta(z, from_probabilities), expected) < 1e-12);
}

TEST_CASE("softmax outputs with cross-entropy have delta a - y, for labels and one-hot targets, smoothed or not") {
  const Tensor z = net_inputs();
  const std::vector<double> logits = expect::values(z);
  const Tensor one_hots = one_hot(labels(), classes, float64);
  for (const double smoothing : {0.0, 0.1, 1.0}) {
    std::vector<double> expected(logits.size());
    for (std::size_t row = 0; row < rows; ++row) {
      double total = 0;
      for (std::size_t c = 0; c < classes; ++c) total += std::exp(logits[row * classes + c]);
      for (std::size_t c = 0; c < classes; ++c) {
        const double y =
            (1 - smoothing) * one_hots.item({static_cast<std::int64_t>(row), static_cast<std::int64_t>(c)});
        expected[row * classes + c] = std::exp(logits[row * classes + c]) / total - y - smoothing / classes;
      }
    }
    const nn::CrossEntropyOptions options = {.reduction = nn::Reduction::sum, .label_smoothing = smoothing};
    for (const Tensor& target : {labels(), one_hots}) {
      CAPTURE(smoothing);
      CHECK(expect::difference(delta(z, [&](const Tensor& x) { return nn::cross_entropy(x, target, options); }),
                               expected) < 1e-12);
    }
  }
}

TEST_CASE("sae is the number of elements times mae, and sse half of it times mse") {
  const Tensor p = tensor(expect::numbers(12, 4), {3, 4}, float64);
  const Tensor t = tensor(expect::numbers(12, 5), {3, 4}, float64);
  CHECK(nn::sae(p, t).item() == doctest::Approx(12 * nn::mae(p, t).item()).epsilon(1e-14));
  CHECK(nn::sse(p, t).item() == doctest::Approx(6 * nn::mse(p, t).item()).epsilon(1e-14));
  double squares = 0;  // the lectures' 1/(2N) Σ (p - t)² of N rows is sse / N
  for (std::size_t i = 0; i < 12; ++i) squares += std::pow(expect::values(p)[i] - expect::values(t)[i], 2);
  CHECK(nn::sse(p, t).item() / 3 == doctest::Approx(squares / (2 * 3)).epsilon(1e-14));
}

TEST_CASE("cross-entropy with smoothing and weights is PyTorch's combination of two losses") {
  // loss = (1 - ε)·Σ w_y·nll / Σ w_y + ε/c·Σ_rows Σ_j w_j·(-log p_j) / Σ w_y: at::cross_entropy_loss, 1.13.
  const std::vector<double> logits = expect::values(net_inputs());
  const std::vector<double> y = expect::values(labels());
  const std::vector<double> w = {0.5, 1, 2, 3};
  const double smoothing = 0.3;
  double likely = 0, uniform = 0, total_weight = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const double* const x = &logits[row * classes];
    double total = 0;
    for (std::size_t c = 0; c < classes; ++c) total += std::exp(x[c]);
    const auto label = static_cast<std::size_t>(y[row]);
    likely += w[label] * (std::log(total) - x[label]);
    total_weight += w[label];
    for (std::size_t c = 0; c < classes; ++c) uniform += w[c] * (std::log(total) - x[c]);
  }
  const double sum = (1 - smoothing) * likely + smoothing / classes * uniform;
  const Tensor weights = tensor(w, {classes}, float64);
  const auto loss = [&](const Tensor& target, nn::Reduction reduction) {
    return nn::cross_entropy(net_inputs(), target,
                             {.reduction = reduction, .weights = weights, .label_smoothing = smoothing})
        .item();
  };
  CHECK(loss(labels(), nn::Reduction::sum) == doctest::Approx(sum).epsilon(1e-12));
  CHECK(loss(labels(), nn::Reduction::mean) == doctest::Approx(sum / total_weight).epsilon(1e-12));
  // For probabilities the mean is over rows.
  const Tensor one_hots = one_hot(labels(), classes, float64);
  CHECK(loss(one_hots, nn::Reduction::sum) == doctest::Approx(sum).epsilon(1e-12));
  CHECK(loss(one_hots, nn::Reduction::mean) == doctest::Approx(sum / rows).epsilon(1e-12));
}

TEST_CASE("smoothing 0 leaves every bit of cross-entropy as it is") {
  const Tensor x = net_inputs();
  for (const Tensor& target : {labels(), one_hot(labels(), classes, float64)})
    CHECK(nn::cross_entropy(x, target, {.label_smoothing = 0}).item() == nn::cross_entropy(x, target).item());
}

TEST_CASE("smoothed cross-entropy stays finite for extreme logits") {
  // log Σ e^x - x = 0 and 1000; t' = (0.1, 0.9) and (0.9, 0.1)
  const Tensor x = expect::leaf(tensor({{1000, 0}, {1000, 0}}));
  const auto loss = [&](const Tensor& logits) {
    return nn::cross_entropy(logits, tensor({1, 0}, int64), {.reduction = nn::Reduction::sum, .label_smoothing = 0.2});
  };
  CHECK(loss(x).item() == doctest::Approx(1000));
  CHECK(expect::difference(delta(x, loss), std::vector<double>{0.9, -0.9, 0.1, -0.1}) < 1e-6);
}

TEST_CASE("every message of cross-entropy begins with its name") {
  const Tensor x = zeros({2, 3});
  const Tensor fitting = tensor({0, 2}, int64);
  const auto error = [&](const Tensor& logits, const Tensor& target, const nn::CrossEntropyOptions& options = {}) {
    return expect::error_of([&] { nn::cross_entropy(logits, target, options); });
  };
  const std::vector<std::string> errors = {error(x, tensor({0, 3}, int64)),
                                           error(x, tensor({0, 3}, int64), {.weights = ones({3})}),
                                           error(x, tensor({0, 3}, int64), {.label_smoothing = 0.1}),
                                           error(x, zeros({3}, int64)),
                                           error(x, zeros({2})),
                                           error(zeros({6}), fitting),
                                           error(zeros({2, 0}), fitting),
                                           error(zeros({2, 3}, int64), fitting),
                                           error(x, zeros({2, 3}, float64)),
                                           error(x, fitting, {.weights = ones({4})}),
                                           error(x, fitting, {.weights = ones({3}, float64)}),
                                           error(x, fitting, {.label_smoothing = 1.5}),
                                           error(x, fitting, {.label_smoothing = std::nan("")})};
  for (const std::string& text : errors) {
    CAPTURE(text);
    CHECK(text.find("Error: cross_entropy: ") < 10);
  }
  CHECK(errors[0] == "ValueError: cross_entropy: label 3 in row 1; need 0 <= label < 3");
  CHECK(errors[2] == errors[0]);
}

TEST_CASE("cross-entropy refuses exchanged arguments, and soft targets below 0 or whose sum is not 1") {
  const Tensor logits = tensor({{2, -1, 0.5}, {0, 1, 0.25}}), labels = tensor({0, 2}, int64);
  const Tensor one_hot_labels = one_hot(labels, 3);
  const auto error = [](const Tensor& x, const Tensor& target, const nn::CrossEntropyOptions& options = {}) {
    return expect::error_of([&] { nn::cross_entropy(x, target, options); });
  };
  const std::vector<nn::CrossEntropyOptions> every = {
      {}, {.reduction = nn::Reduction::none}, {.weights = ones({3})}, {.label_smoothing = 0.1}};
  for (const nn::CrossEntropyOptions& options : every) {
    CHECK(
        error(one_hot_labels, logits, options) ==
        "ValueError: cross_entropy: -1 in row 0 of the soft targets; need numbers >= 0 whose sum is 1 (the logits come "
        "first, then the targets)");
    CHECK(error(one_hot_labels, abs(logits), options)
              .starts_with("ValueError: cross_entropy: a sum of 3.5 in row 0 of the soft targets; "));
    CHECK(expect::contains(error(labels, logits, options), "Error: cross_entropy: "));
    CHECK(error(logits, tensor({{1.5, -0.5, 0}, {0, 1, 0}}), options)
              .starts_with("ValueError: cross_entropy: -0.5 in row 0 of the soft targets; "));
    CHECK_NOTHROW(nn::cross_entropy(logits, one_hot_labels, options));
  }
}

// Exact by the definition, in 64 binary digits: log(1 + e^-|x|) is all that is left.
TEST_CASE("binary cross-entropy with logits keeps the digits of a confident answer") {
  const auto loss = [](double x, double t, DType dtype) {
    return nn::binary_cross_entropy_with_logits(tensor({x}, dtype), tensor({t}, dtype)).item();
  };
  const auto exact = [](double x) { return static_cast<double>(std::log1p(std::exp(-static_cast<long double>(x)))); };
  CHECK(loss(15, 1, float32) == doctest::Approx(exact(15)).epsilon(4e-7));  // 3.059e-7
  CHECK(loss(-15, 0, float32) == doctest::Approx(exact(15)).epsilon(4e-7));
  CHECK(loss(40, 1, float64) == doctest::Approx(exact(40)).epsilon(1e-15));  // 4.25e-18
  CHECK(loss(-15, 0.25, float64) == doctest::Approx(15 * 0.25 + exact(15)).epsilon(1e-15));
  const double inf = std::numeric_limits<double>::infinity();
  for (const DType dtype : {float32, float64}) {
    CHECK(loss(inf, 1, dtype) == 0);
    CHECK(loss(-inf, 0, dtype) == 0);
    CHECK(loss(inf, 0, dtype) == inf);
    CHECK(loss(-inf, 0.5, dtype) == inf);
    CHECK(std::isnan(loss(std::nan(""), 1, dtype)));
  }
}

TEST_CASE("the gradient of binary cross-entropy with logits keeps its digits, too") {
  const auto gradients = [](double x, double t) {
    const Tensor logits = expect::leaf(tensor({x}, float32)), target = expect::leaf(tensor({t}, float32));
    Tape tape;
    const Gradients g = tape.backward(nn::binary_cross_entropy_with_logits(logits, target));
    return std::pair(g[logits].item(), g[target].item());
  };
  const double p = 1 / (1 + std::exp(15.0));
  CHECK(gradients(15, 1).first == doctest::Approx(-p).epsilon(4e-7));
  CHECK(gradients(-15, 0).first == doctest::Approx(p).epsilon(4e-7));
  CHECK(gradients(15, 1).second == -15);
  CHECK(gradients(-15, 0).second == 15);
  CHECK(gradients(0, 0.25).first == 0.25);  // sigmoid(0) - t, where both branches meet
}
