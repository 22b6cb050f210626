#pragma once

#include <autograd/tape/gradients.hpp>
#include <autograd/tensor/tensor.hpp>
#include <nn/losses/losses.hpp>

#include <cstdint>
#include <memory>
#include <type_traits>

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

template <class F>
concept BatchLoss = std::is_invocable_r_v<Tensor, const F&, const Tensor&, const Tensor&>;

/// A reference to a function of inputs and targets that gives a loss. The function must outlive it.
class LossFunction {
 public:
  template <BatchLoss F>
  explicit LossFunction(const F& function)
      : function_(std::addressof(function)), call_([](const void* f, const Tensor& x, const Tensor& y) -> Tensor {
          return (*static_cast<const F*>(f))(x, y);
        }) {}
  Tensor operator()(const Tensor& x, const Tensor& y) const { return call_(function_, x, y); }

 private:
  const void* function_;
  Tensor (*call_)(const void*, const Tensor&, const Tensor&);
};

BatchGradients batch_gradients_of(LossFunction function, const Tensor& x, const Tensor& y,
                                  const BatchGradientsOptions& options);

/// The loss and the gradients of function(x, y), with the batch cut along axis 0 into parts that run in parallel, each
/// on a tape of its own:
///
///     auto [loss, gradients] = nn::batch_gradients(
///         [&](const Tensor& x, const Tensor& y) { return nn::cross_entropy(net(x), y); }, x, y);
///
/// It equals the whole batch's gradient to rounding, except for losses that couple rows (batch norm, class weights).
/// How the batch is cut, and hence every bit, depends on the options and the number of rows only. The function is
/// called from several threads at once and returns one number. It sees the caller's default dtype. Layers that
/// remember their calls (nn/layers/batch_part.hpp) count the batch once: dropout as one call, batch norm with the
/// statistics of all rows.
///
/// ShapeError for x and y that do not have the same number of rows, or none; ValueError for negative parts or
/// Reduction::none. When parts throw, the error of the lowest one is thrown.
template <BatchLoss F>
BatchGradients batch_gradients(const F& function, const Tensor& x, const Tensor& y,
                               const BatchGradientsOptions& options = {}) {
  return batch_gradients_of(LossFunction(function), x, y, options);
}

}  // namespace xgrad::nn
