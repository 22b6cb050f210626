#pragma once

#include <autograd/tensor/tensor.hpp>

namespace xgrad {

// Products; floating dtypes that agree (TypeError), shapes as NumPy's matmul (ShapeError). Gradients: Giles
// 2008, 2.2.2.

/// x · y for (..., m, k) and (..., k, n), batch axes broadcast; a vector counts as a row on the left, as a column on
/// the right, and disappears from the result. dx = g · yᵀ, dy = xᵀ · g.
Tensor matmul(const Tensor& x, const Tensor& y);
/// The same with either factor transposed in its last two axes; rank 2 and above.
Tensor matmul(const Tensor& x, const Tensor& y, bool transpose_x, bool transpose_y);
/// x · W + b for x (..., in), W (in, out), b (out), fused. dx = g · Wᵀ, dW = xᵀ · g, db = Σ g.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);
Tensor linear(const Tensor& x, const Tensor& weight);
/// x_i · y_j of two vectors.
Tensor outer(const Tensor& x, const Tensor& y);
/// Σ x_i · y_i of two vectors.
Tensor dot(const Tensor& x, const Tensor& y);

/// Q of x = Q · R for a float64 matrix x (m, n), m >= n > 0: Qᵀ · Q = I, R is upper triangular with a diagonal that is
/// not negative. ShapeError for other shapes and dtypes. It has no gradient: TapeError for an x that needs one.
Tensor orthonormal_factor(const Tensor& x);

}  // namespace xgrad
