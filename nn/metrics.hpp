#pragma once

#include <autograd/tensor.hpp>

namespace xgrad::nn {

/// The fraction of rows whose largest entry stands at the label. predictions (n, c) are scores of any scale: logits or
/// probabilities; labels (n,) int64. Of equal entries the first counts as the largest; a row with a NaN has none and
/// counts as wrong. ShapeError for other shapes or no rows, TypeError for other dtypes, ValueError for a label outside
/// [0, c). Not recorded.
double accuracy(const Tensor& predictions, const Tensor& labels);

}  // namespace xgrad::nn
