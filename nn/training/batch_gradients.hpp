#pragma once

#include <autograd/tape/gradients.hpp>
#include <autograd/tensor/tensor.hpp>
#include <nn/losses/losses.hpp>
#include <nn/training/model.hpp>

#include <cstdint>

namespace xgrad::nn {

struct BatchGradientsOptions {
  /// Into how many parts the batch is cut, at most one per row; 0: one for each 128 rows, at most 16. The sizes of the
  /// parts differ by one row at most.
  std::int64_t parts = 0;
  /// Of the parts' losses, to match the function: `mean` when it returns a mean over rows, `sum` when it returns a sum.
  Reduction reduction = Reduction::mean;
};

struct BatchGradients {
  double loss = 0;  ///< of the whole batch
  Gradients gradients;
};

BatchGradients batch_gradients_of(const AnyModel& model, TensorList inputs, TensorList targets,
                                  const BatchGradientsOptions& options);

/// The loss and the gradients of function(x, y), with the batch cut along axis 0 into parts that run in parallel, each
/// on a tape of its own:
///
///     auto [loss, gradients] = nn::batch_gradients(
///         [&](const Tensor& x, const Tensor& y) { return nn::cross_entropy(net(x), y); }, x, y);
///
/// It equals the whole batch's gradient to rounding, except for losses that couple rows (batch norm, class weights).
/// How the batch is cut and its parts are added up (nn/ranks/part_tree.hpp), and hence every bit, depends on the
/// options and the number of rows only. The function is called from several threads at once and returns one number. It
/// sees the caller's default dtype. Layers that remember their calls (nn/layers/batch_part.hpp) count the batch once:
/// dropout as one call, batch norm with the statistics of all rows.
///
/// Several inputs or targets are lists, of which the function takes a tensor each, or two std::vector<Tensor>.
///
/// ShapeError for x and y that do not have the same number of rows, or none; ValueError for negative parts or
/// Reduction::none. When parts throw, the error of the lowest one is thrown.
template <TrainingLoss F>
BatchGradients batch_gradients(const F& function, TensorList x, TensorList y,
                               const BatchGradientsOptions& options = {}) {
  return batch_gradients_of(AnyModel(function), x, y, options);
}

}  // namespace xgrad::nn
