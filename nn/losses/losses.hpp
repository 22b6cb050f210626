#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <optional>

namespace xgrad::nn {

// Losses are function objects, so that they can be passed: `check_gradients(net, nn::cross_entropy, x, y)`. They never
// broadcast: prediction and target have equal shapes and one floating dtype (ShapeError, TypeError), checked before
// anything is recorded. p is the prediction, t the target, n the number of elements; gradients are with respect to p.

enum class Reduction : std::uint8_t {
  mean,  ///< over elements, for cross_entropy over rows
  sum,
  none,  ///< one loss per element, for cross_entropy per row
};

struct LossOptions {
  Reduction reduction = Reduction::mean;
};

/// (p - t)²; gradient 2(p - t).
struct MeanSquaredError {
  Tensor operator()(const Tensor& prediction, const Tensor& target, const LossOptions& options = {}) const;
};

/// |p - t|; gradient the sign of p - t, 0 at 0.
struct MeanAbsoluteError {
  Tensor operator()(const Tensor& prediction, const Tensor& target, const LossOptions& options = {}) const;
};

/// The sum of absolute errors, Σ |p - t|, summed unless told otherwise; gradient the sign of p - t, 0 at 0. Beside its
/// relative: sae = n · mae.
struct SummedAbsoluteError {
  Tensor operator()(const Tensor& prediction, const Tensor& target,
                    const LossOptions& options = {.reduction = Reduction::sum}) const;
};

/// r²/2 for |r| < delta, delta·(|r| - delta/2) elsewhere, r = p - t (Huber 1964); gradient r limited to ±delta.
/// `nn::Huber{.delta = 0.5}(p, t)`, or `nn::huber` with delta 1. ValueError unless delta > 0.
struct Huber {
  double delta = 1.0;
  Tensor operator()(const Tensor& prediction, const Tensor& target, const LossOptions& options = {}) const;
};

/// Half the summed squared error, ½ Σ (p - t)², summed unless told otherwise; gradient p - t. Beside its relatives:
/// sse = n/2 · mse, and the 1/(2N) Σ (p - t)² of many lectures, N rows, is sse / N.
struct SummedSquaredError {
  Tensor operator()(const Tensor& prediction, const Tensor& target,
                    const LossOptions& options = {.reduction = Reduction::sum}) const;
};

/// -t·log p - (1 - t)·log(1 - p) of probabilities, with logarithms no less than -100; gradient
/// (p - t) / max(p(1 - p), 1e-12). ValueError for a prediction or target outside [0, 1].
struct BinaryCrossEntropy {
  Tensor operator()(const Tensor& prediction, const Tensor& target, const LossOptions& options = {}) const;
};

/// The same of p = sigmoid(x), from the logits x: log(1 + e^x) - x·t, exact for extreme logits; gradient sigmoid(x) -
/// t.
struct BinaryCrossEntropyWithLogits {
  Tensor operator()(const Tensor& logits, const Tensor& target, const LossOptions& options = {}) const;
};

struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  /// One weight per class (c,), none below 0; the mean over labelled rows then is the sum over the sum of their
  /// weights.
  Tensor weights = {};
  /// ε in [0, 1]: targets are t' = (1 - ε)·t + ε/c (Szegedy et al. 2016, section 7, with the uniform distribution over
  /// the c classes), so that the loss has its minimum at finite logits.
  double label_smoothing = 0;
  /// Rows with this class index, any integer (PyTorch's is -100), are left out: their losses and gradients are 0, and
  /// the mean is over the others; NaN if there are none.
  std::optional<std::int64_t> ignore_index = std::nullopt;
};

/// log Σ_j e^{x_j} - x_label of each row of logits (n, c), for class indices, int64 (n,);
/// Σ_j t_j·(log Σ e^x - x_j) for one-hot or soft targets (n, c). Gradient softmax(x)·Σt - t. Averaged over rows.
///
/// With weights and smoothing, as PyTorch combines them: a row's loss is Σ_j w_j·t'_j·(log Σ e^x - x_j). The mean is
/// over rows for soft targets, and the sum over Σ w_label for class indices: also the smoothed part is divided by the
/// weights of the labels alone.
///
/// ValueError, with row and value, for an index outside [0, c) and for soft targets that are no distribution (below 0,
/// or a sum that is off 1 by more than 1e-3: so are logits in the place of targets); for a smoothing outside [0, 1], a
/// class weight that is negative or not finite, and ignore_index with soft targets; ShapeError and TypeError for
/// targets or weights that do not fit. All begin with `cross_entropy:`.
struct CrossEntropy {
  Tensor operator()(const Tensor& logits, const Tensor& targets, const CrossEntropyOptions& options = {}) const;
};

inline constexpr MeanSquaredError mse{};
inline constexpr MeanAbsoluteError mae{};
inline constexpr SummedAbsoluteError sae{};
inline constexpr Huber huber{};
inline constexpr SummedSquaredError sse{};
inline constexpr BinaryCrossEntropy binary_cross_entropy{};
inline constexpr BinaryCrossEntropyWithLogits binary_cross_entropy_with_logits{};
inline constexpr CrossEntropy cross_entropy{};

/// Whether a loss, called with prediction and target alone, is a mean over rows in which every row counts alike,
/// whatever the other rows are. fit and evaluate may then put the losses of several batches together by their numbers
/// of rows; others they ask about all rows at once. Specialise it for a loss of yours.
template <class Loss>
inline constexpr bool mean_over_rows = false;
template <>
inline constexpr bool mean_over_rows<MeanSquaredError> = true;
template <>
inline constexpr bool mean_over_rows<MeanAbsoluteError> = true;
template <>
inline constexpr bool mean_over_rows<Huber> = true;
template <>
inline constexpr bool mean_over_rows<BinaryCrossEntropy> = true;
template <>
inline constexpr bool mean_over_rows<BinaryCrossEntropyWithLogits> = true;
template <>
inline constexpr bool mean_over_rows<CrossEntropy> = true;

}  // namespace xgrad::nn
