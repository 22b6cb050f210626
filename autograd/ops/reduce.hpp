#pragma once

#include <autograd/tensor/tensor.hpp>

namespace xgrad {

// Reductions over any set of axes (none given: all of them; negative ones count from the end), which disappear from the
// shape, or stay with extent 1 (keepdims). Floating dtypes (TypeError); sum, max and
// min of int64, too, exactly and without gradients: ValueError for a sum that int64 does not hold; ShapeError for an
// axis out of range or named twice. g is the cotangent of the result, broadcast to x's shape.

/// Σ x, 0 for no elements. For each run of adjacent axes it is rounded once, and no sum on the way leaves the range:
/// float32 is added up in float64, float64 in two numbers, over leading axes after groups of up to 128 rows have been
/// added in pairs in the dtype itself. Gradient g.
Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// Σ x / n, in the same way; NaN for no elements. Gradient g/n.
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// The largest (smallest) element; NaN if one is. The gradient is shared equally by all that tie. ShapeError for no
/// elements.
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
Tensor min(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// Π x, which no product on the way takes out of range; 1 for no elements. The gradient g·Π(the others) is exact where
/// elements are 0.
Tensor prod(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// x - mean, in x's shape, with a mean of twice the digits of the dtype: elements next to a large mean keep theirs.
/// Gradient g - mean g.
Tensor centred(const Tensor& x, const Axes& axes = {});
/// Σ (x - mean)² / n of centred elements. Gradient 2·g·(x - mean)/n. (The standard deviation of all elements is
/// norm(centred(x) / √n), whose squares neither overflow nor vanish.)
Tensor var(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// log Σ e^x without overflow. Gradient g·softmax(x).
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// √(Σ x²) without overflow or underflow of squares. Gradient g·(x/norm), 0 for zeros; of k infinite elements, as if
/// they grew together, g·sign(x)/√k, and 0 beside them.
Tensor norm(const Tensor& x, const Axes& axes = {}, bool keepdims = false);

/// The int64 index of the largest (smallest) element along an axis: the first on a tie, the first NaN if there is one.
/// ShapeError for an axis without elements.
Tensor argmax(const Tensor& x, std::int64_t axis, bool keepdims = false);
Tensor argmin(const Tensor& x, std::int64_t axis, bool keepdims = false);

}  // namespace xgrad
