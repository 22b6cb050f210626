#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/tensor/scopes.hpp>
#include <nn/training/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <utility>

namespace xgrad::nn {

namespace {

/// Of each row of scores (n, classes) the place of the first largest; -1 beside a NaN.
Tensor predicted_classes(const Tensor& scores) {
  const Pause pause;
  Tensor predicted = argmax(scores, 1);
  const Tensor largest = max(scores, {1}).to(float64);
  predicted.modify([&](std::span<std::int64_t> classes) {
    for (std::size_t row = 0; row < classes.size(); ++row)
      if (std::isnan(largest.values<double>()[row])) classes[row] = -1;
  });
  return predicted;
}

/// classes, with 0 in the rows whose label is ignored: whatever stands there is no error.
Tensor zero_where_ignored(const Tensor& classes, const Tensor& labels, std::optional<std::int64_t> ignored) {
  const auto label = labels.values<std::int64_t>();
  if (!ignored || std::find(label.begin(), label.end(), *ignored) == label.end()) return classes;
  Tensor result = classes.clone();
  result.modify([&](std::span<std::int64_t> values) {
    for (std::size_t row = 0; row < values.size(); ++row)
      if (label[row] == *ignored) values[row] = 0;
  });
  return result;
}

}  // namespace

double Accuracy::operator()(const Tensor& predictions, const Tensor& labels) const {
  check_defined("accuracy", "predictions", predictions);
  check_defined("accuracy", "labels", labels);
  const Shape& shape = predictions.shape();
  if (shape.rank() == 2 && shape[1] == 1)
    throw_as<ShapeError>(
        "accuracy: predictions are {}, one column for two classes; need binary_accuracy, for logits "
        "binary_accuracy.from_logits()",
        shape);
  if (shape.rank() != 2 || labels.shape() != Shape{shape[0]} || shape[0] == 0 || shape[1] == 0)
    throw_as<ShapeError>("accuracy: predictions are {}, labels are {}; need (n, classes) and (n,), neither of them 0",
                         shape, labels.shape());
  if (!is_floating(predictions.dtype()) || labels.dtype() != int64)
    throw_as<TypeError>("accuracy: predictions are {}, labels are {}; need floating predictions and int64 labels",
                        predictions.dtype(), labels.dtype());
  check_indices("accuracy", "label", zero_where_ignored(labels, labels, ignore_index), shape[1]);
  const Tensor classes = predicted_classes(predictions);
  const auto label = labels.values<std::int64_t>(), predicted = classes.values<std::int64_t>();
  std::size_t correct = 0, counted = 0;
  for (std::size_t row = 0; row < label.size(); ++row) {
    if (label[row] == ignore_index) continue;
    ++counted;
    correct += label[row] == predicted[row];
  }
  return static_cast<double>(correct) / static_cast<double>(counted);
}

ConfusionMatrix::ConfusionMatrix(std::int64_t classes, std::optional<std::int64_t> ignore_index)
    : classes_(classes), ignore_index_(ignore_index) {
  if (classes < 2) throw_as<ValueError>("ConfusionMatrix: {} classes; need two or more", classes);
}

ConfusionMatrix::ConfusionMatrix(const Tensor& scores, const Tensor& labels, std::optional<std::int64_t> ignore_index)
    : ConfusionMatrix((check_defined("ConfusionMatrix", "scores", scores), scores.rank() == 2) && scores.shape(1) != 1
                          ? scores.shape(1)
                          : throw ShapeError(fmt::format("ConfusionMatrix: the scores are {}; need (n, classes), or "
                                                         "ConfusionMatrix::binary for one column",
                                                         scores.shape())),
                      ignore_index) {
  add(scores, labels);
}

namespace {

/// 0, 1 or what is ignored for every label, int64 (n,).
Tensor binary_labels(const Tensor& labels, std::optional<std::int64_t> ignored) {
  Tensor classes = Tensor::uninitialized({static_cast<std::int64_t>(labels.size())}, int64);
  visit(labels.dtype(), [&](auto zero) {
    const auto values = labels.values<decltype(zero)>();
    std::int64_t* const target = classes.fresh_data<std::int64_t>();
    for (std::size_t row = 0; row < values.size(); ++row) {
      if (ignored && values[row] == static_cast<decltype(zero)>(*ignored)) {
        target[row] = *ignored;
        continue;
      }
      if (values[row] != 0 && values[row] != 1)
        throw_as<ValueError>("ConfusionMatrix: label {} in row {}; need 0 or 1", values[row], row);
      target[row] = values[row] == 1;
    }
  });
  return classes;
}

/// Whether every score is above the threshold, int64 (n,); -1 for NaN.
Tensor binary_predictions(const Tensor& scores, double threshold) {
  Tensor classes = Tensor::uninitialized({static_cast<std::int64_t>(scores.size())}, int64);
  visit_floating(scores.dtype(), [&](auto zero) {
    std::int64_t* target = classes.fresh_data<std::int64_t>();
    for (const auto score : scores.values<decltype(zero)>())
      *target++ = std::isnan(score) ? -1 : static_cast<double>(score) > threshold;
  });
  return classes;
}

}  // namespace

ConfusionMatrix ConfusionMatrix::binary(const Tensor& scores, const Tensor& labels, double threshold,
                                        std::optional<std::int64_t> ignore_index) {
  check_defined("ConfusionMatrix", "scores", scores);
  check_defined("ConfusionMatrix", "labels", labels);
  const Shape& shape = scores.shape();
  const bool column = shape.rank() == 1 || (shape.rank() == 2 && shape[1] == 1);
  if (!column || (labels.shape() != shape && (labels.dtype() != int64 || labels.shape() != Shape{shape[0]})))
    throw_as<ShapeError>(
        "ConfusionMatrix: scores are {}, labels are {} {}; need scores (n,) or (n, 1), and labels of "
        "the same shape or int64 (n,)",
        shape, labels.dtype(), labels.shape());
  if (!is_floating(scores.dtype())) throw TypeError("ConfusionMatrix: the scores are int64; need a floating dtype");
  if (std::isnan(threshold)) throw ValueError("ConfusionMatrix: the threshold is NaN; need a number");
  ConfusionMatrix matrix(2, ignore_index);
  const Tensor classes = binary_predictions(scores, threshold);
  matrix.count_rows(classes, binary_labels(labels, ignore_index), true);
  return matrix;
}

double BinaryMetric::operator()(const Tensor& predictions, const Tensor& labels) const {
  const ConfusionMatrix matrix = ConfusionMatrix::binary(predictions, labels, threshold, ignore_index);
  return ignore_index && matrix.total() == 0 ? std::numeric_limits<double>::quiet_NaN() : score(matrix);
}

void ConfusionMatrix::add(const Tensor& predictions, const Tensor& labels) {
  check_defined("ConfusionMatrix", "predictions", predictions);
  check_defined("ConfusionMatrix", "labels", labels);
  const bool scored = predictions.rank() == 2;
  const std::int64_t rows = predictions.rank() == 0 ? 0 : predictions.shape(0);
  if (predictions.shape() != (scored ? Shape{rows, classes_} : Shape{rows}) || labels.shape() != Shape{rows})
    throw_as<ShapeError>("ConfusionMatrix: predictions are {}, labels are {}; need (n, {}) or (n,), and (n,)",
                         predictions.shape(), labels.shape(), classes_);
  if (is_floating(predictions.dtype()) != scored || labels.dtype() != int64)
    throw_as<TypeError>(
        "ConfusionMatrix: predictions are {} {}, labels are {}; need floating scores or int64 classes, "
        "and int64 labels",
        predictions.dtype(), predictions.shape(), labels.dtype());
  count_rows(scored ? predicted_classes(predictions) : predictions, labels, scored);
}

void ConfusionMatrix::count_rows(const Tensor& classes, const Tensor& labels, bool scored) {
  const Tensor counted = zero_where_ignored(classes, labels, ignore_index_);
  const auto label = labels.values<std::int64_t>(), predicted = counted.values<std::int64_t>();
  if (const auto nan = std::find(predicted.begin(), predicted.end(), -1); scored && nan != predicted.end())
    throw_as<ValueError>("ConfusionMatrix: a NaN among the scores in row {}; no class is predicted",
                         nan - predicted.begin());
  check_indices("ConfusionMatrix", "label", zero_where_ignored(labels, labels, ignore_index_), classes_);
  check_indices("ConfusionMatrix", "predicted class", counted, classes_);
  for (std::size_t row = 0; row < label.size(); ++row)
    if (label[row] != ignore_index_) ++counts_[{label[row], predicted[row]}];
}

std::int64_t ConfusionMatrix::total() const {
  std::int64_t total = 0;
  for (const auto& [pair, count] : counts_) total += count;
  return total;
}

void ConfusionMatrix::check_class(std::int64_t label, std::int64_t predicted) const {
  if (label < 0 || label >= classes_ || predicted < 0 || predicted >= classes_)
    throw_as<ValueError>("ConfusionMatrix: label {}, predicted {}; need 0 <= class < {}", label, predicted, classes_);
}

std::int64_t ConfusionMatrix::count(std::int64_t label, std::int64_t predicted) const {
  check_class(label, predicted);
  const auto found = counts_.find({label, predicted});
  return found == counts_.end() ? 0 : found->second;
}

Tensor ConfusionMatrix::counts() const {
  constexpr std::int64_t most = 32768;
  if (classes_ > most)
    throw_as<ValueError>(
        "ConfusionMatrix: counts of {} classes as a table; need at most {}, or count() of those that "
        "matter",
        classes_, most);
  Tensor table = zeros({classes_, classes_}, int64);
  table.modify([&](std::span<std::int64_t> cells) {
    for (const auto& [pair, count] : counts_)
      cells[static_cast<std::size_t>(pair.first * classes_ + pair.second)] = count;
  });
  return table;
}

std::map<std::int64_t, ConfusionMatrix::Decisions> ConfusionMatrix::decisions() const {
  std::map<std::int64_t, Decisions> found;
  for (const auto& [pair, count] : counts_) {
    const auto& [label, predicted] = pair;
    if (label == predicted) found[label].right += count;
    found[label].actual += count;
    found[predicted].predicted += count;
  }
  return found;
}

ConfusionMatrix::Decisions ConfusionMatrix::decisions(std::int64_t label) const {
  check_class(label, label);
  return decisions()[label];
}

namespace {

/// 0 for 0/0.
double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

constexpr auto precision_of = [](const auto& d) { return ratio(d.right, d.predicted); };
constexpr auto recall_of = [](const auto& d) { return ratio(d.right, d.actual); };
constexpr auto f1_of = [](const auto& d) { return ratio(2 * d.right, d.predicted + d.actual); };

}  // namespace

template <class Score>
double ConfusionMatrix::average(Average how, const Score& score) const {
  Decisions all;
  double sum = 0;  // a class that does not occur has 0
  for (const auto& [label, of_class] : decisions()) {
    sum += score(of_class);
    all.right += of_class.right;
    all.predicted += of_class.predicted;
    all.actual += of_class.actual;
  }
  return how == Average::micro ? score(all) : sum / static_cast<double>(classes_);
}

double ConfusionMatrix::accuracy() const { return recall(Average::micro); }
double ConfusionMatrix::precision(std::int64_t label) const { return precision_of(decisions(label)); }
double ConfusionMatrix::recall(std::int64_t label) const { return recall_of(decisions(label)); }
double ConfusionMatrix::f1(std::int64_t label) const { return f1_of(decisions(label)); }
double ConfusionMatrix::precision(Average how) const { return average(how, precision_of); }
double ConfusionMatrix::recall(Average how) const { return average(how, recall_of); }
double ConfusionMatrix::f1(Average how) const { return average(how, f1_of); }

namespace {

void check_regression(const char* operation, const Tensor& predictions, const Tensor& targets) {
  check_defined(operation, "predictions", predictions);
  check_defined(operation, "targets", targets);
  if (predictions.shape() != targets.shape() || predictions.rank() == 0 || predictions.size() == 0)
    throw_as<ShapeError>("{}: predictions are {}, targets are {}; need equal shapes (n, ...) with elements", operation,
                         predictions.shape(), targets.shape());
  if (predictions.dtype() != targets.dtype() || !is_floating(targets.dtype()))
    throw_as<TypeError>("{}: predictions are {}, targets are {}; need one floating dtype", operation,
                        predictions.dtype(), targets.dtype());
}

}  // namespace

double mean_absolute_error(const Tensor& predictions, const Tensor& targets) {
  check_regression("mean_absolute_error", predictions, targets);
  const Pause pause;
  return mean(abs(predictions.to(float64) - targets.to(float64))).item();
}

double r2_score(const Tensor& predictions, const Tensor& targets) {
  check_regression("r2_score", predictions, targets);
  const Pause pause;
  const Shape table = {targets.shape(0), -1};
  const Tensor t = reshape(targets.to(float64), table), p = reshape(predictions.to(float64), table);
  const Tensor from_first = t - slice(t, 0, 0, 1);  // so that a large mean costs no digits
  const Tensor residual = sum(square(t - p), {0});
  const Tensor spread = sum(square(from_first - mean(from_first, {0})), {0});
  const Tensor range = max(t, {0}) - min(t, {0});
  double total = 0;
  for (std::size_t c = 0; c < range.size(); ++c) {
    const double r = residual.values<double>()[c];
    if (range.values<double>()[c] != 0)
      total += 1 - r / spread.values<double>()[c];
    else
      total += r == 0 ? 1 : std::isnan(r) ? r : 0;
  }
  return total / static_cast<double>(range.size());
}

}  // namespace xgrad::nn
