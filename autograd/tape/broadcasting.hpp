#pragma once

#include <autograd/tensor/tensor.hpp>

namespace xgrad {

// The arithmetic that the sweep itself needs. It is recorded like every operation and defined with them, in
// ops/broadcasting.cpp and ops/indexing.cpp: the one place where a room calls into a higher one.

/// a + b for cotangents of one tensor: shapes may be unbroadcast.
Tensor accumulate(const Tensor& a, const Tensor& b);
/// The gradient of an input of shape `to` from the contribution g to a result of shape `from` to which it was
/// broadcast.
Tensor sum_back(const Tensor& g, const Shape& from, const Shape& to);
/// x with a shape to which it broadcasts by NumPy's rule (ShapeError); any dtype. The gradient is summed back.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// Zeros of a shape to whose rows of these numbers, int64 of any shape, values (rows..., ...) are added.
Tensor scatter_rows(const Tensor& values, const Tensor& rows, const Shape& shape);

}  // namespace xgrad
