#include <autograd/autograd.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/losses/losses.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace xgrad::nn {

namespace {

void check_pair(const char* loss, const Tensor& prediction, const Tensor& target) {
  check_defined(loss, "the prediction", prediction);
  check_defined(loss, "the target", target);
  if (prediction.shape() != target.shape())
    throw_as<ShapeError>("{}: prediction is {}, target is {}; need equal shapes, losses do not broadcast", loss,
                         prediction.shape(), target.shape());
  common_floating_dtype(loss, prediction, target);
}

Tensor reduce(const Tensor& losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  return reduction == Reduction::mean ? mean(losses) : sum(losses);
}

/// f(p, t) of every element.
template <class F>
Tensor elementwise(const char* loss, const F& f, const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_pair(loss, prediction, target);
  return reduce(pointwise(loss, f, prediction, target), reduction);
}

constexpr auto absolute_error = [](auto p, auto t) { return abs(p - t); };

Tensor reduced_cross_entropy(const Tensor& logits, const Tensor& targets, Reduction reduction) {
  if (reduction == Reduction::mean) return mean_softmax_cross_entropy(logits, targets, "cross_entropy");
  return reduce(softmax_cross_entropy(logits, targets, "cross_entropy"), reduction);
}

/// NaN passes, to come out as NaN.
void check_probabilities(const char* loss, const char* what, const Tensor& x, const char* advice = "") {
  visit_floating(x.dtype(), [&](auto zero) {
    const auto values = x.values<decltype(zero)>();
    bool inside = true;
    for (const auto value : values) inside &= !((value < 0) | (value > 1));
    if (inside) return;
    std::size_t at = 0;
    while (!(values[at] < 0 || values[at] > 1)) ++at;
    throw_as<ValueError>("{}: element {} of the {} is {}; need 0 <= value <= 1{}", loss, at, what, values[at], advice);
  });
}

void check_weights(const Tensor& weights, const Tensor& logits) {
  if (!weights.defined()) return;
  if (weights.shape() != Shape{logits.shape()[1]})
    throw_as<ShapeError>("cross_entropy: logits are {}, class weights are {}; need logits (n, c) and weights (c,)",
                         logits.shape(), weights.shape());
  common_floating_dtype("cross_entropy", logits, weights);
  visit_floating(weights.dtype(), [&](auto zero) {
    const auto values = weights.values<decltype(zero)>();
    for (std::size_t c = 0; c < values.size(); ++c)
      if (!(values[c] >= 0 && std::isfinite(values[c])))
        throw_as<ValueError>("cross_entropy: class {} has the weight {}; need a finite number >= 0", c, values[c]);
  });
}

/// ValueError unless every row is a distribution. NaN passes, to come out as NaN.
void check_distributions(const Tensor& targets) {
  constexpr double largest_error = 1e-3;
  visit_floating(targets.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const std::size_t classes = targets.extent(1);
    for (std::size_t row = 0; row < targets.extent(0); ++row) {
      const std::span<const T> of_row = targets.values<T>().subspan(row * classes, classes);
      double sum = 0;
      T least = 0;
      for (const T value : of_row) {
        sum += static_cast<double>(value);
        least = value < least ? value : least;
      }
      if (!(least < 0) && !(std::abs(sum - 1) > largest_error)) continue;
      throw_as<ValueError>(
          "cross_entropy: {} in row {} of the soft targets; need numbers >= 0 whose sum is 1 (the logits come first, "
          "then the targets)",
          least < 0 ? fmt::format("{}", least) : fmt::format("a sum of {}", sum), row);
    }
  });
}

/// The rows whose label counts, int64 (m,); nothing if all do.
std::optional<Tensor> labelled_rows(const Tensor& logits, const Tensor& labels, std::int64_t ignored) {
  if (labels.dtype() != int64)
    throw_as<ValueError>("cross_entropy: ignore_index {} with soft targets; need class indices", ignored);
  std::vector<std::int64_t> rows;
  Tensor others = labels.clone();
  others.modify([&](std::span<std::int64_t> values) {
    for (std::size_t row = 0; row < values.size(); ++row)
      if (values[row] == ignored)
        values[row] = 0;
      else
        rows.push_back(static_cast<std::int64_t>(row));
  });
  check_cross_entropy("cross_entropy", logits, others);
  if (rows.size() == labels.size()) return std::nullopt;
  Tensor kept = Tensor::uninitialized({static_cast<std::int64_t>(rows.size())}, int64);
  std::copy(rows.begin(), rows.end(), kept.fresh_data<std::int64_t>());
  return kept;
}

/// t' = (1 - ε)·t + ε/c for targets (n, c).
Tensor smooth(const Tensor& targets, double smoothing) {
  if (smoothing == 0) return targets;
  const double share = smoothing / static_cast<double>(targets.shape()[1]);
  return pointwise(
      "label_smoothing", [=](auto t) { return (1 - smoothing) * t + share; }, targets);
}

/// Σ_j w_j·t'_j·(log Σ e^x - x_j) of each row; w = 1 without weights.
Tensor losses_of_labels(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  const Tensor& weights = options.weights;
  if (options.label_smoothing == 0) return softmax_cross_entropy(logits, labels) * take(weights, labels);
  const Tensor soft = smooth(one_hot(labels, logits.shape()[1], logits.dtype()), options.label_smoothing);
  return softmax_cross_entropy(logits, weights.defined() ? soft * weights : soft);
}

}  // namespace

Tensor MeanSquaredError::operator()(const Tensor& prediction, const Tensor& target, const LossOptions& options) const {
  const auto squared_error = [](auto p, auto t) {
    const auto r = p - t;
    return r * r;
  };
  return elementwise("mse", squared_error, prediction, target, options.reduction);
}

Tensor MeanAbsoluteError::operator()(const Tensor& prediction, const Tensor& target, const LossOptions& options) const {
  return elementwise("mae", absolute_error, prediction, target, options.reduction);
}

Tensor SummedAbsoluteError::operator()(const Tensor& prediction, const Tensor& target,
                                       const LossOptions& options) const {
  return elementwise("sae", absolute_error, prediction, target, options.reduction);
}

Tensor Huber::operator()(const Tensor& prediction, const Tensor& target, const LossOptions& options) const {
  if (!(delta > 0)) throw_as<ValueError>("huber: delta {}; need delta > 0", delta);
  const auto loss = [d = delta](auto p, auto t) {
    const auto r = p - t;
    return where(abs(r) < d, 0.5 * r * r, d * (abs(r) - 0.5 * d));
  };
  return elementwise("huber", loss, prediction, target, options.reduction);
}

Tensor SummedSquaredError::operator()(const Tensor& prediction, const Tensor& target,
                                      const LossOptions& options) const {
  const auto half_squared_error = [](auto p, auto t) {
    const auto r = p - t;
    return 0.5 * r * r;
  };
  return elementwise("sse", half_squared_error, prediction, target, options.reduction);
}

Tensor BinaryCrossEntropy::operator()(const Tensor& prediction, const Tensor& target,
                                      const LossOptions& options) const {
  const char* const name = "binary_cross_entropy";
  check_pair(name, prediction, target);
  check_probabilities(name, "prediction", prediction, " (for logits: binary_cross_entropy_with_logits)");
  check_probabilities(name, "target", target);
  // The slopes share the denominator max(p(1 - p), 1e-12), so that t·d(-log p) + (1 - t)·d(-log(1 - p)) is (p - t) over
  // it.
  const auto loss = [](auto p, auto t) {
    const auto at_least = [](auto x, double bound) { return where(x < bound, bound, x); };
    const auto minus_log = with_derivative([=](auto q) { return -at_least(log(q), -100); },
                                           [=](auto q) { return (q - 1) / at_least(q * (1 - q), 1e-12); }, p);
    const auto minus_log_rest = with_derivative([=](auto q) { return -at_least(log1p(-q), -100); },
                                                [=](auto q) { return q / at_least(q * (1 - q), 1e-12); }, p);
    return t * minus_log + (1 - t) * minus_log_rest;
  };
  return reduce(pointwise(name, loss, prediction, target), options.reduction);
}

Tensor BinaryCrossEntropyWithLogits::operator()(const Tensor& logits, const Tensor& target,
                                                const LossOptions& options) const {
  const char* const name = "binary_cross_entropy_with_logits";
  check_pair(name, logits, target);
  check_probabilities(name, "target", target);
  // softplus(x) - x·t without what cancels: max(x, 0) - x·t is |x|·(1 - t) or |x|·t, where infinity times 0 is 0.
  const auto loss = [](auto x, auto t) {
    const auto size = where(x < 0, -x, x);  // the derivatives of both terms meet at 0
    const auto share = where(x < 0, t, 1 - t);
    const auto none = (size == std::numeric_limits<double>::infinity()) & (share == 0);
    return softplus(-size) + where(none, 0, size * share);
  };
  return reduce(pointwise_with({.kind = OperationKind::log_probabilities}, name, loss, logits, target),
                options.reduction);
}

Tensor CrossEntropy::operator()(const Tensor& logits, const Tensor& targets, const CrossEntropyOptions& options) const {
  const double smoothing = options.label_smoothing;
  if (!(smoothing >= 0 && smoothing <= 1))
    throw_as<ValueError>("cross_entropy: label smoothing {}; need 0 <= smoothing <= 1", smoothing);
  check_defined("cross_entropy", "the tensor of logits", logits);
  check_defined("cross_entropy", "the tensor of targets", targets);
  if (options.ignore_index)
    if (const auto rows = labelled_rows(logits, targets, *options.ignore_index)) {
      const CrossEntropyOptions of_labelled = {options.reduction, options.weights, smoothing};
      const Tensor losses = (*this)(take(logits, *rows), take(targets, *rows), of_labelled);
      return options.reduction == Reduction::none ? scatter_add(losses, *rows, logits.shape(0)) : losses;
    }
  const Tensor& weights = options.weights;
  const bool indexed = targets.dtype() == int64;
  if (!weights.defined() && smoothing == 0 && indexed) return reduced_cross_entropy(logits, targets, options.reduction);
  check_cross_entropy("cross_entropy", logits, targets);
  check_weights(weights, logits);
  if (!indexed) {
    check_distributions(targets);
    const Tensor smoothed = smooth(targets, smoothing);
    return reduced_cross_entropy(logits, weights.defined() ? smoothed * weights : smoothed, options.reduction);
  }
  const Tensor losses = losses_of_labels(logits, targets, options);
  if (!weights.defined() || options.reduction != Reduction::mean) return reduce(losses, options.reduction);
  return sum(losses) / sum(take(weights, targets));
}

}  // namespace xgrad::nn
