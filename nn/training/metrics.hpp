#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace xgrad::nn {

// How good a model's predictions are. Nothing is recorded.

/// The fraction of rows whose largest entry stands at the label. predictions (n, c) are scores of any scale: logits or
/// probabilities; labels (n,) int64. Of equal entries the first counts as the largest; a row with a NaN has none and
/// counts as wrong. ShapeError for other shapes, fewer than 2 columns (see binary_accuracy) or no rows, TypeError for
/// other dtypes, ValueError for a label outside [0, c). Not recorded.
struct Accuracy {
  /// Rows with this label, any integer, are left out, as cross_entropy does with its own: `{"accuracy",
  /// nn::Accuracy{.ignore_index = -100}}`; NaN if there are no others.
  std::optional<std::int64_t> ignore_index = std::nullopt;

  double operator()(const Tensor& predictions, const Tensor& labels) const;
};
inline constexpr Accuracy accuracy;

/// How the scores of the classes become one number.
enum class Average : std::uint8_t {
  macro,  ///< their mean: every class counts alike, also one without rows
  micro,  ///< the score of all decisions together: every row counts alike
};

/// How often each class was taken for each other one, and the scores that follow. With the rows of class c that were
/// predicted to be c (tp), the others that were predicted to be c (fp), and those of c predicted to be another (fn):
///
///     precision = tp / (tp + fp)    recall = tp / (tp + fn)    F1 = 2 tp / (2 tp + fp + fn)
///
/// (van Rijsbergen 1979). A score whose denominator is 0, since the class was never predicted or never occurs, is 0, as
/// in scikit-learn. Where every row has one class, all micro averages are the accuracy. Memory and time are those of
/// the pairs that occur, however many classes there are.
class ConfusionMatrix {
 public:
  /// Of no rows yet. Rows whose label is ignore_index will be left out. ValueError for fewer than 2 classes.
  explicit ConfusionMatrix(std::int64_t classes, std::optional<std::int64_t> ignore_index = std::nullopt);
  /// Of these rows; classes are the columns of predictions.
  ConfusionMatrix(const Tensor& scores, const Tensor& labels, std::optional<std::int64_t> ignore_index = std::nullopt);
  /// Of classes 0 and 1, of which one column of scores, (n,) or (n, 1), decides: 1 above the threshold. 0.5 is for
  /// probabilities; logits want 0. Labels are 0 or 1, int64 (n,) or of the scores' shape in any dtype; rows whose label
  /// is ignore_index are left out. ShapeError, TypeError for others, ValueError for a label that is neither and for a
  /// score that is NaN.
  static ConfusionMatrix binary(const Tensor& scores, const Tensor& labels, double threshold = 0.5,
                                std::optional<std::int64_t> ignore_index = std::nullopt);

  /// Counts rows. predictions are scores (n, classes), of which the first largest decides, or classes int64 (n,);
  /// labels int64 (n,). ShapeError, TypeError for others, ValueError for a class outside [0, classes) or a row with a
  /// NaN; then nothing is counted.
  void add(const Tensor& predictions, const Tensor& labels);

  std::int64_t classes() const { return classes_; }
  /// Rows in all.
  std::int64_t total() const;
  /// Rows of class `label` that were predicted to be `predicted`. ValueError outside [0, classes).
  std::int64_t count(std::int64_t label, std::int64_t predicted) const;
  /// All counts, int64 (classes, classes): a row for each label. ValueError for more than 32768 classes (8 GiB).
  Tensor counts() const;

  /// The fraction of rows that were predicted right; 0 of no rows.
  double accuracy() const;
  double precision(std::int64_t label) const;
  double recall(std::int64_t label) const;
  double f1(std::int64_t label) const;
  double precision(Average average) const;
  double recall(Average average) const;
  /// Macro: the mean of the classes' F1, not the F1 of the means.
  double f1(Average average) const;

 private:
  struct Decisions {
    std::int64_t right = 0;
    std::int64_t predicted = 0;
    std::int64_t actual = 0;
  };
  std::map<std::int64_t, Decisions> decisions() const;  // of the classes that occur
  Decisions decisions(std::int64_t label) const;
  void count_rows(const Tensor& classes, const Tensor& labels, bool scored);
  void check_class(std::int64_t label, std::int64_t predicted) const;
  template <class Score>
  double average(Average how, const Score& score) const;

  std::int64_t classes_;
  std::optional<std::int64_t> ignore_index_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> counts_;  // of label and prediction, where not 0
};

/// A score of the decisions between two classes that one column of predictions makes; see ConfusionMatrix::binary for
/// what it takes. For a model that gives probabilities `{"accuracy", nn::binary_accuracy}`, for logits
/// `{"accuracy", nn::binary_accuracy.from_logits()}`. Precision, recall and F1 are those of class 1.
struct BinaryMetric {
  double (*score)(const ConfusionMatrix& matrix);
  double threshold = 0.5;
  std::optional<std::int64_t> ignore_index = std::nullopt;

  double operator()(const Tensor& predictions, const Tensor& labels) const;
  constexpr BinaryMetric from_logits() const { return {score, 0.0, ignore_index}; }
  /// The same without rows of this label, any integer; NaN if there are no others.
  constexpr BinaryMetric ignoring(std::int64_t label) const { return {score, threshold, label}; }
};

inline constexpr BinaryMetric binary_accuracy = {[](const ConfusionMatrix& matrix) { return matrix.accuracy(); }};
inline constexpr BinaryMetric binary_precision = {[](const ConfusionMatrix& matrix) { return matrix.precision(1); }};
inline constexpr BinaryMetric binary_recall = {[](const ConfusionMatrix& matrix) { return matrix.recall(1); }};
inline constexpr BinaryMetric binary_f1 = {[](const ConfusionMatrix& matrix) { return matrix.f1(1); }};

/// Σ |p - t| / elements of predictions and targets of one floating dtype and shape, (n, ...). ShapeError, TypeError for
/// others, ShapeError for no elements. The mean over columns, too.
double mean_absolute_error(const Tensor& predictions, const Tensor& targets);

/// The coefficient of determination R² = 1 - Σ (t - p)² / Σ (t - mean t)², of each column of (n, ...), averaged over
/// columns. 1 is perfect, 0 as good as the mean, negative worse. A column with a constant target has 1 if it is
/// predicted exactly and 0 otherwise, as in scikit-learn. Errors as above.
double r2_score(const Tensor& predictions, const Tensor& targets);

}  // namespace xgrad::nn
