#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace xgrad::kernels {

// Moves of elements of 4 or 8 bytes, whatever their type, and changes of type. Strides count elements and may be 0 or
// negative; shapes have at most 8 axes; source and target do not overlap. Parallel in blocks fixed by shape.

/// out (shape, contiguous) = x at Σ index · stride: permute, transpose, broadcast_to and slice are all this. x points
/// at the element of index 0.
void copy_strided(std::size_t element_size, std::span<const std::int64_t> shape, std::span<const std::int64_t> strides,
                  const void* x, void* out);

/// out at Σ index · stride = x (shape, contiguous): the adjoint of a slice, given zeros. out points at the element that
/// index 0 goes to; no two indices may go to one element. The elements between are left as they are.
void scatter_strided(std::size_t element_size, std::span<const std::int64_t> shape,
                     std::span<const std::int64_t> strides, const void* x, void* out);

/// Row-major strides in elements.
Extents strides_of(const Shape& shape);
/// A new tensor whose element at (i, j, ...) is x's at offset + i·strides[0] + j·strides[1] + ...
Tensor gather(const Tensor& x, const Shape& shape, std::int64_t offset, const Extents& strides);
/// The other way round: element (i, j, ...) of x goes to out's at offset + i·strides[0] + j·strides[1] + ...
void scatter(const Tensor& x, Tensor& out, std::int64_t offset, const Extents& strides);

/// A shape's extents before an axis, at it and behind it, as products.
struct Around {
  std::size_t outer = 1, count, inner = 1;
  Around(const Shape& shape, std::size_t axis) : count(shape.extent(axis)) {
    for (std::size_t a = 0; a < shape.rank(); ++a)
      if (a != axis) (a < axis ? outer : inner) *= shape.extent(a);
  }
};

/// out (outer, n_indices, inner) = x (outer, count, inner) at indices of the middle axis in [0, count), which the
/// caller has checked.
void take(std::size_t element_size, std::size_t outer, std::size_t count, std::size_t inner,
          const std::int64_t* indices, std::size_t n_indices, const void* x, void* out);
/// out (outer, count, inner) += g (outer, n_indices, inner) at indices of the middle axis in [0, count), in the order
/// of the indices. T = float and double.
template <class T>
void scatter_add(std::size_t outer, std::size_t count, std::size_t inner, const std::int64_t* indices,
                 std::size_t n_indices, const T* g, T* out);

/// to (rows, length) = these rows of from (..., length), at least one, one after another, converted; bytes are read as
/// offset + scale · byte. From float and double to both, from int64 to int64, from uint8 to float, double and, as they
/// are, uint8.
template <class From, class To>
void copy_rows(std::size_t length, std::span<const std::int64_t> rows, const From* from, To* to, double scale = 1,
               double offset = 0);

/// to = from, converted: to the nearest for floating types, towards zero for int64, whose lowest value stands for NaN
/// and for what does not fit. From float, double and int64 to each of them.
template <class From, class To>
void cast(std::size_t n, const From* from, To* to);

}  // namespace xgrad::kernels
