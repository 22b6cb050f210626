#pragma once

#include <autograd/tensor/tensor.hpp>

#include <span>

namespace xgrad::kernels {

/// Numbers for few rows of a tensor (n, ...), a row being an entry of axis 0; the others are zero.
struct RowGradient {
  Tensor rows;    ///< int64 (k,), rising, each once
  Tensor values;  ///< (k, ...)
};

/// What is to be added to rows of a tensor: values (rows..., ...) times the factor, for indices of any shape, in any
/// order and as often as they come.
struct RowTerm {
  Tensor rows;
  Tensor values;
  double factor = 1;
};

// Shapes, dtypes and rows have been checked. Parallel in blocks fixed by shape.

/// The sum for a tensor of this shape: each row is that of its terms in their order. At least one term; floating.
RowGradient sum_rows(std::span<const RowTerm> terms, const Shape& shape);
/// target += the sum of the terms, added to each element in their order.
void add_rows(Tensor& target, std::span<const RowTerm> terms);

}  // namespace xgrad::kernels
