#pragma once

#include <nn/layers/module.hpp>
#include <nn/layers/running_statistics.hpp>

#include <cstdint>

namespace xgrad::nn {

struct BatchNormOptions {
  double momentum = 0.1;  ///< share of a batch in the running statistics
  double epsilon = 1e-5;  ///< added to the variance
};

/// Normalises each feature of x (..., features) over all rows, then scales and shifts it (Ioffe and Szegedy 2015,
/// algorithm 1):
///
///     y = (x - mean) / √(variance + epsilon) · weight + bias
///
/// In training with the mean and the variance (dividing by n) of the batch, through which the gradient flows; in eval
/// mode with the running ones, as constants. A call in training updates these (RunningStatistics): at once, or, in
/// `batch_gradients`, when all parts are done; each part is normalised by its own rows, so that the gradient depends on
/// how the batch is cut. Weight begins with 1, bias with 0, the running mean and variance with 0 and 1.
class BatchNorm : public Module {
 public:
  /// ValueError unless features and epsilon are positive and 0 <= momentum <= 1.
  explicit BatchNorm(std::int64_t features, const BatchNormOptions& options = {});

  /// ShapeError and TypeError for an x that does not fit the weight; ShapeError for fewer than two rows in training.
  Tensor operator()(const Tensor& x) const;

  // Handles, all (features,): write new values by `modify` or `assign`.
  Registered weight;
  Registered bias;
  Registered running_mean;  ///< buffers
  Registered running_var;

 private:
  Tensor in_training(const Tensor& x) const;
  Tensor in_eval(const Tensor& x) const;

  Shared<RunningStatistics> statistics_;
  double epsilon_;
};

struct LayerNormOptions {
  double epsilon = 1e-5;  ///< added to the variance
};

/// Normalises each row of x (..., features) over its features, then scales and shifts each feature (Ba, Kiros and
/// Hinton 2016, eq. 4):
///
///     y = (x - mean) / √(variance + epsilon) · weight + bias
///
/// with the mean and the variance (dividing by the number of features) of the row, in training and in eval mode. Weight
/// begins with 1, bias with 0.
class LayerNorm : public Module {
 public:
  /// ValueError unless features and epsilon are positive.
  explicit LayerNorm(std::int64_t features, const LayerNormOptions& options = {});

  /// ShapeError and TypeError for an x that does not fit the weight.
  Tensor operator()(const Tensor& x) const;

  // Handles, both (features,): write new values by `modify` or `assign`.
  Registered weight;
  Registered bias;

 private:
  double epsilon_;
};

}  // namespace xgrad::nn
