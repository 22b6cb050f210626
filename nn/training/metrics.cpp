#include <autograd/tensor/format.hpp>
#include <nn/training/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace xgrad::nn {

namespace {

/// Of each row of scores (n, classes) the place of the first largest; -1 beside a NaN.
std::vector<std::int64_t> predicted_classes(const Tensor& scores) {
  return visit_floating(scores.dtype(), [&](auto zero) {
    std::vector<std::int64_t> predicted;
    auto rest = scores.values<decltype(zero)>();
    for (const std::size_t classes = scores.extent(1); !rest.empty(); rest = rest.subspan(classes)) {
      const auto row = rest.first(classes);
      const bool nan = std::any_of(row.begin(), row.end(), [](auto score) { return std::isnan(score); });
      predicted.push_back(nan ? -1 : std::max_element(row.begin(), row.end()) - row.begin());
    }
    return predicted;
  });
}

}  // namespace

double accuracy(const Tensor& predictions, const Tensor& labels) {
  const Shape& shape = predictions.shape();
  if (shape.rank() != 2 || labels.shape() != Shape{shape[0]} || shape[0] == 0 || shape[1] == 0)
    throw_as<ShapeError>("accuracy: predictions are {}, labels are {}; need (n, classes) and (n,), neither of them 0",
                         shape, labels.shape());
  if (!is_floating(predictions.dtype()) || labels.dtype() != int64)
    throw_as<TypeError>("accuracy: predictions are {}, labels are {}; need floating predictions and int64 labels",
                        predictions.dtype(), labels.dtype());
  const std::span<const std::int64_t> label = labels.values<std::int64_t>();
  const std::vector<std::int64_t> predicted = predicted_classes(predictions);
  std::size_t correct = 0;
  for (std::size_t row = 0; row < label.size(); ++row) {
    if (label[row] < 0 || label[row] >= shape[1])
      throw_as<ValueError>("accuracy: label {} in row {}; need 0 <= label < {}", label[row], row, shape[1]);
    correct += label[row] == predicted[row];
  }
  return static_cast<double>(correct) / static_cast<double>(label.size());
}

ConfusionMatrix::ConfusionMatrix(std::int64_t classes) : classes_(classes) {
  if (classes < 2) throw_as<ValueError>("ConfusionMatrix: {} classes; need two or more", classes);
  counts_.assign(static_cast<std::size_t>(classes * classes), 0);
}

ConfusionMatrix::ConfusionMatrix(const Tensor& scores, const Tensor& labels)
    : ConfusionMatrix(scores.rank() == 2
                          ? scores.shape(1)
                          : throw ShapeError(
                                fmt::format("ConfusionMatrix: the scores are {}; need (n, classes)", scores.shape()))) {
  add(scores, labels);
}

void ConfusionMatrix::add(const Tensor& predictions, const Tensor& labels) {
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
  std::vector<std::int64_t> places;  // in counts_
  const std::vector<std::int64_t> predicted_by_score =
      scored ? predicted_classes(predictions) : std::vector<std::int64_t>();
  const std::span<const std::int64_t> label = labels.values<std::int64_t>();
  const std::span<const std::int64_t> predicted = scored ? predicted_by_score : predictions.values<std::int64_t>();
  for (std::size_t row = 0; row < label.size(); ++row) {
    if (scored && predicted[row] < 0)
      throw_as<ValueError>("ConfusionMatrix: a NaN among the scores in row {}; no class is predicted", row);
    for (const auto& [what, value] : {std::pair("label", label[row]), std::pair("predicted class", predicted[row])})
      if (value < 0 || value >= classes_)
        throw_as<ValueError>("ConfusionMatrix: {} {} in row {}; need 0 <= class < {}", what, value, row, classes_);
  }
  for (std::size_t row = 0; row < label.size(); ++row)
    ++counts_[static_cast<std::size_t>(label[row] * classes_ + predicted[row])];
}

std::int64_t ConfusionMatrix::total() const { return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0}); }

std::int64_t ConfusionMatrix::count(std::int64_t label, std::int64_t predicted) const {
  if (label < 0 || label >= classes_ || predicted < 0 || predicted >= classes_)
    throw_as<ValueError>("ConfusionMatrix: label {}, predicted {}; need 0 <= class < {}", label, predicted, classes_);
  return counts_[static_cast<std::size_t>(label * classes_ + predicted)];
}

Tensor ConfusionMatrix::counts() const {
  Tensor counts = Tensor::uninitialized({classes_, classes_}, int64);
  std::copy(counts_.begin(), counts_.end(), counts.fresh_data<std::int64_t>());
  return counts;
}

ConfusionMatrix::Decisions ConfusionMatrix::decisions(std::int64_t label) const {
  Decisions result{count(label, label), 0, 0};
  for (std::int64_t other = 0; other < classes_; ++other) {
    result.predicted += count(other, label);
    result.actual += count(label, other);
  }
  return result;
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
  double sum = 0;
  for (std::int64_t label = 0; label < classes_; ++label) {
    const Decisions of_class = decisions(label);
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
  if (predictions.shape() != targets.shape() || predictions.rank() == 0 || predictions.size() == 0)
    throw_as<ShapeError>("{}: predictions are {}, targets are {}; need equal shapes (n, ...) with elements", operation,
                         predictions.shape(), targets.shape());
  if (predictions.dtype() != targets.dtype() || !is_floating(targets.dtype()))
    throw_as<TypeError>("{}: predictions are {}, targets are {}; need one floating dtype", operation,
                        predictions.dtype(), targets.dtype());
}

/// R² of column c of `columns`.
template <class T>
double r2_of_column(std::span<const T> predictions, std::span<const T> targets, std::size_t c, std::size_t columns) {
  const double first = targets[c], rows = static_cast<double>(targets.size() / columns);
  double mean = 0;  // of the differences from the first target, so that a large mean costs no digits
  for (std::size_t i = c; i < targets.size(); i += columns) mean += (targets[i] - first) / rows;
  double residual = 0, spread = 0;
  bool constant = true;
  for (std::size_t i = c; i < targets.size(); i += columns) {
    const double error = double{targets[i]} - double{predictions[i]};
    const double deviation = (targets[i] - first) - mean;
    residual += error * error;
    spread += deviation * deviation;
    constant = constant && targets[i] == targets[c];
  }
  if (constant) return residual == 0 ? 1 : std::isnan(residual) ? residual : 0;
  return 1 - residual / spread;
}

}  // namespace

double mean_absolute_error(const Tensor& predictions, const Tensor& targets) {
  check_regression("mean_absolute_error", predictions, targets);
  double sum = 0;
  visit_floating(targets.dtype(), [&](auto zero) {
    const auto p = predictions.values<decltype(zero)>(), t = targets.values<decltype(zero)>();
    for (std::size_t i = 0; i < t.size(); ++i) sum += std::abs(double{p[i]} - double{t[i]});
  });
  return sum / static_cast<double>(targets.size());
}

double r2_score(const Tensor& predictions, const Tensor& targets) {
  check_regression("r2_score", predictions, targets);
  const std::size_t columns = targets.size() / targets.extent(0);
  double sum = 0;
  visit_floating(targets.dtype(), [&](auto zero) {
    for (std::size_t c = 0; c < columns; ++c)
      sum += r2_of_column(predictions.values<decltype(zero)>(), targets.values<decltype(zero)>(), c, columns);
  });
  return sum / static_cast<double>(columns);
}

}  // namespace xgrad::nn
