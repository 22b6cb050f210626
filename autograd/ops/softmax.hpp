#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <string_view>

namespace xgrad {

// Floating dtypes that agree (TypeError). g is the cotangent of the result.

/// e^x / Σ e^x along an axis, without overflow. Gradient y·(g - Σ g·y).
Tensor softmax(const Tensor& x, std::int64_t axis = -1);
/// x - log Σ e^x along an axis. Gradient g - e^y·Σ g.
Tensor log_softmax(const Tensor& x, std::int64_t axis = -1);

/// One loss per row of logits (n, c), fused with its gradient: log Σ e^x - x[label] for class indices, int64 of shape
/// (n,); Σ_j t_j·(log Σ e^x - x_j) for one-hot or soft targets of shape (n, c) and the logits' dtype. Gradient
/// g·(softmax(x)·Σ t - t). Errors, in the name of the function that asks, are those of check_cross_entropy.
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& targets,
                             std::string_view operation = "softmax_cross_entropy");
/// The same losses' mean over the rows, (), in one operation; NaN for no rows.
Tensor mean_softmax_cross_entropy(const Tensor& logits, const Tensor& targets,
                                  std::string_view operation = "mean_softmax_cross_entropy");
/// ShapeError or TypeError for logits and targets that are none of the above, ValueError, with row and value, for a
/// label outside [0, c).
void check_cross_entropy(std::string_view operation, const Tensor& logits, const Tensor& targets);

}  // namespace xgrad
