#include <autograd/tensor/error.hpp>
#include <nn/training/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>

namespace xgrad::nn {

namespace {

/// Whether the first largest score stands at the label; false beside a NaN.
template <class T>
bool is_largest(std::span<const T> scores, std::size_t label) {
  const T score = scores[label];
  return std::all_of(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(label),
                     [score](T other) { return other < score; }) &&
         std::all_of(scores.begin() + static_cast<std::ptrdiff_t>(label), scores.end(),
                     [score](T other) { return other <= score; });
}

/// The place of the first largest score of a row.
template <class T>
std::int64_t first_largest(std::span<const T> scores, std::size_t row) {
  for (const T score : scores)
    if (std::isnan(score))
      throw ValueError("ConfusionMatrix: a NaN among the scores in row " + std::to_string(row) +
                       "; no class is predicted");
  return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

}  // namespace

double accuracy(const Tensor& predictions, const Tensor& labels) {
  const Shape& shape = predictions.shape();
  if (shape.rank() != 2 || labels.shape() != Shape{shape[0]} || shape[0] == 0 || shape[1] == 0)
    throw ShapeError("accuracy: predictions are " + to_string(shape) + ", labels are " + to_string(labels.shape()) +
                     "; need (n, classes) and (n,), neither of them 0");
  if (!is_floating(predictions.dtype()) || labels.dtype() != int64)
    throw TypeError("accuracy: predictions are " + std::string(name_of(predictions.dtype())) + ", labels are " +
                    std::string(name_of(labels.dtype())) + "; need floating predictions and int64 labels");

  const std::span<const std::int64_t> label = labels.values<std::int64_t>();
  std::size_t correct = 0;
  visit_floating(predictions.dtype(), [&]<class T>(T) {
    const std::span<const T> scores = predictions.values<T>();
    const std::size_t classes = scores.size() / label.size();
    for (std::size_t row = 0; row < label.size(); ++row) {
      if (label[row] < 0 || label[row] >= shape[1])
        throw ValueError("accuracy: label " + std::to_string(label[row]) + " in row " + std::to_string(row) +
                         "; need 0 <= label < " + std::to_string(shape[1]));
      correct += is_largest(scores.subspan(row * classes, classes), static_cast<std::size_t>(label[row]));
    }
  });
  return static_cast<double>(correct) / static_cast<double>(label.size());
}

ConfusionMatrix::ConfusionMatrix(std::int64_t classes) : classes_(classes) {
  if (classes < 2) throw ValueError("ConfusionMatrix: " + std::to_string(classes) + " classes; need two or more");
  counts_.assign(static_cast<std::size_t>(classes * classes), 0);
}

ConfusionMatrix::ConfusionMatrix(const Tensor& scores, const Tensor& labels)
    : ConfusionMatrix(scores.rank() == 2 ? scores.shape(1)
                                         : throw ShapeError("ConfusionMatrix: the scores are " +
                                                            to_string(scores.shape()) + "; need (n, classes)")) {
  add(scores, labels);
}

void ConfusionMatrix::add(const Tensor& predictions, const Tensor& labels) {
  const bool scored = predictions.rank() == 2;
  const std::int64_t rows = predictions.rank() == 0 ? 0 : predictions.shape(0);
  if (predictions.shape() != (scored ? Shape{rows, classes_} : Shape{rows}) || labels.shape() != Shape{rows})
    throw ShapeError("ConfusionMatrix: predictions are " + to_string(predictions.shape()) + ", labels are " +
                     to_string(labels.shape()) + "; need (n, " + std::to_string(classes_) + ") or (n,), and (n,)");
  if (is_floating(predictions.dtype()) != scored || labels.dtype() != int64)
    throw TypeError("ConfusionMatrix: predictions are " + std::string(name_of(predictions.dtype())) + " " +
                    to_string(predictions.shape()) + ", labels are " + std::string(name_of(labels.dtype())) +
                    "; need floating scores or int64 classes, and int64 labels");
  std::vector<std::int64_t> predicted(static_cast<std::size_t>(rows));
  if (scored) {
    visit_floating(predictions.dtype(), [&]<class T>(T) {
      for (std::size_t row = 0; row < predicted.size(); ++row)
        predicted[row] = first_largest(predictions.values<T>().subspan(row * static_cast<std::size_t>(classes_),
                                                                       static_cast<std::size_t>(classes_)),
                                       row);
    });
  } else {
    const std::span<const std::int64_t> values = predictions.values<std::int64_t>();
    predicted.assign(values.begin(), values.end());
  }
  const std::span<const std::int64_t> label = labels.values<std::int64_t>();
  for (std::size_t row = 0; row < predicted.size(); ++row)
    for (const auto& [what, value] : {std::pair{"label", label[row]}, std::pair{"predicted class", predicted[row]}})
      if (value < 0 || value >= classes_)
        throw ValueError(std::string("ConfusionMatrix: ") + what + " " + std::to_string(value) + " in row " +
                         std::to_string(row) + "; need 0 <= class < " + std::to_string(classes_));
  for (std::size_t row = 0; row < predicted.size(); ++row)
    ++counts_[static_cast<std::size_t>(label[row] * classes_ + predicted[row])];
}

std::int64_t ConfusionMatrix::total() const { return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0}); }

std::int64_t ConfusionMatrix::count(std::int64_t label, std::int64_t predicted) const {
  if (label < 0 || label >= classes_ || predicted < 0 || predicted >= classes_)
    throw ValueError("ConfusionMatrix: label " + std::to_string(label) + ", predicted " + std::to_string(predicted) +
                     "; need 0 <= class < " + std::to_string(classes_));
  return counts_[static_cast<std::size_t>(label * classes_ + predicted)];
}

Tensor ConfusionMatrix::counts() const {
  const Tensor counts = Tensor::uninitialized({classes_, classes_}, int64);
  std::copy(counts_.begin(), counts_.end(), static_cast<std::int64_t*>(counts.mutable_data()));
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
    throw ShapeError(std::string(operation) + ": predictions are " + to_string(predictions.shape()) + ", targets are " +
                     to_string(targets.shape()) + "; need equal shapes (n, ...) with elements");
  if (predictions.dtype() != targets.dtype() || !is_floating(targets.dtype()))
    throw TypeError(std::string(operation) + ": predictions are " + std::string(name_of(predictions.dtype())) +
                    ", targets are " + std::string(name_of(targets.dtype())) + "; need one floating dtype");
}

/// R² of column c of `columns`.
template <class T>
double r2_of_column(std::span<const T> predictions, std::span<const T> targets, std::size_t c, std::size_t columns) {
  const auto rows = static_cast<double>(targets.size() / columns);
  const auto first = static_cast<double>(targets[c]);
  double mean = 0;  // of the differences from the first target, so that a large mean costs no digits
  for (std::size_t i = c; i < targets.size(); i += columns) mean += (static_cast<double>(targets[i]) - first) / rows;
  double residual = 0, spread = 0;
  bool constant = true;
  for (std::size_t i = c; i < targets.size(); i += columns) {
    const double error = static_cast<double>(targets[i]) - static_cast<double>(predictions[i]);
    const double deviation = (static_cast<double>(targets[i]) - first) - mean;
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
  visit_floating(targets.dtype(), [&]<class T>(T) {
    const std::span<const T> p = predictions.values<T>(), t = targets.values<T>();
    for (std::size_t i = 0; i < t.size(); ++i) sum += std::abs(static_cast<double>(p[i]) - static_cast<double>(t[i]));
  });
  return sum / static_cast<double>(targets.size());
}

double r2_score(const Tensor& predictions, const Tensor& targets) {
  check_regression("r2_score", predictions, targets);
  const std::size_t columns = targets.size() / static_cast<std::size_t>(targets.shape(0));
  double sum = 0;
  visit_floating(targets.dtype(), [&]<class T>(T) {
    for (std::size_t c = 0; c < columns; ++c)
      sum += r2_of_column(predictions.values<T>(), targets.values<T>(), c, columns);
  });
  return sum / static_cast<double>(columns);
}

}  // namespace xgrad::nn
