#pragma once

#include <nn/layers/batch_part.hpp>

#include <mutex>

namespace xgrad::nn {

/// Running mean and variance of each feature of what a layer sees in training (Ioffe and Szegedy 2015, algorithm 2),
/// updated as PyTorch does, with the unbiased variance of the n rows of a call:
///
///     running_mean = (1 - momentum) · running_mean + momentum · mean
///     running_var = (1 - momentum) · running_var + momentum · n/(n - 1) · variance
///
/// The j-th calls in the parts of a batch count as one call with the rows of all of them, whose mean and variance
/// follow from the parts' (Chan, Golub and LeVeque 1983): they are the whole batch's, to rounding, in a layer that sees
/// the rows as they would be in the whole batch.
class RunningStatistics final : public LayerMemory {
 public:
  /// Handles to the tensors (features,) that are updated in place, buffers of the layer.
  RunningStatistics(Tensor mean, Tensor variance, double momentum);
  RunningStatistics(const RunningStatistics& other);
  RunningStatistics& operator=(const RunningStatistics&) = delete;

  /// Of at least two rows. Several threads take turns, in the order in which they come.
  void remember(const LayerNote& call) override;
  LayerNotes merge(const std::vector<LayerNotes>& parts) const override;

 private:
  std::mutex mutex_;
  Tensor mean_;
  Tensor variance_;
  double momentum_;
};

}  // namespace xgrad::nn
