#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace xgrad::kernels {

// Moves of elements, whatever their dtype, and changes of it. Source and target do not overlap, targets are tensors
// just made, indices have been checked. Parallel in blocks fixed by shape.

/// Row-major strides in elements.
Extents strides_of(const Shape& shape);
/// A new tensor whose element at (i, j, ...) is x's at offset + i·strides[0] + j·strides[1] + ...: permute, transpose,
/// broadcast_to and slice are all this. Strides may be 0 or negative.
Tensor gather(const Tensor& x, const Shape& shape, std::int64_t offset, const Extents& strides);
/// The other way round: element (i, j, ...) of x goes to out's at offset + i·strides[0] + j·strides[1] + ... No two may
/// go to one place; the elements between are left as they are.
void scatter(const Tensor& x, Tensor& out, std::int64_t offset, const Extents& strides);

/// A shape's extents before an axis, at it and behind it, as products.
struct Around {
  std::size_t outer = 1, count, inner = 1;
  Around(const Shape& shape, std::size_t axis) : count(shape.extent(axis)) {
    for (std::size_t a = 0; a < shape.rank(); ++a)
      if (a != axis) (a < axis ? outer : inner) *= shape.extent(a);
  }
};

/// out (outer, indices, inner) = x (outer, count, inner) at int64 indices of the middle axis.
void take(const Tensor& x, const Tensor& indices, const Around& around, Tensor& out);
/// out (outer, count, inner) += g (outer, indices, inner) at indices of the middle axis, in their order; floating.
void scatter_add(const Tensor& g, const Tensor& indices, const Around& around, Tensor& out);

/// Row i of target = row first + rows[i] of source, converted: from float32 and float64 to both, from int64 to itself.
void copy_rows(const Tensor& source, std::int64_t first, std::span<const std::int64_t> rows, Tensor& target);
/// The same of rows of bytes, read as offset + scale · byte in target's floating dtype.
void copy_rows(std::span<const std::uint8_t> source, std::span<const std::int64_t> rows, double scale, double offset,
               Tensor& target);
/// The same of rows of bytes as they are.
void copy_rows(std::span<const std::uint8_t> source, std::span<const std::int64_t> rows,
               std::span<std::uint8_t> target);

/// A new tensor with x's values in another dtype: the nearest ones for floating types, towards zero for int64, whose
/// lowest value stands for NaN and for what does not fit.
Tensor cast(const Tensor& x, DType dtype);

}  // namespace xgrad::kernels
