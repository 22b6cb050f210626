#pragma once

#include <autograd/tape/broadcasting.hpp>
#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <vector>

namespace xgrad {

// Changes of shape and order; any dtype. Values move unchanged, and so do gradients on their way back. Axes may be
// negative and count from the end; ShapeError for what does not fit.

/// The same values in row-major order under another shape of as many elements; one extent may be -1, to be worked out.
Tensor reshape(const Tensor& x, const Shape& shape);
/// Axes from first_axis on become one.
Tensor flatten(const Tensor& x, std::int64_t first_axis = 0);
/// Without the given axes, or without all axes, of extent 1.
Tensor squeeze(const Tensor& x, const Axes& axes = {});
/// With a new axis of extent 1 at a position in the result.
Tensor unsqueeze(const Tensor& x, std::int64_t axis);
/// Axis i of the result is axis axes[i] of x.
Tensor permute(const Tensor& x, const Axes& axes);
/// Two axes swapped; the last two of a matrix by default.
Tensor transpose(const Tensor& x, std::int64_t axis0 = -2, std::int64_t axis1 = -1);
/// x[start:stop:step] along an axis, as in Python: negative positions count from the end, positions beyond it are cut
/// off, a negative step reverses. ValueError for step 0.
Tensor slice(const Tensor& x, std::int64_t axis, std::int64_t start, std::int64_t stop, std::int64_t step = 1);
/// Tensors one after another along an axis; their other extents and dtypes agree.
Tensor concatenate(const std::vector<Tensor>& tensors, std::int64_t axis = 0);
/// Tensors of one shape along a new axis.
Tensor stack(const std::vector<Tensor>& tensors, std::int64_t axis = 0);

// std has a slice and a stack, too: these are the same functions, for programs that say `using namespace std`.
inline Tensor slice_axis(const Tensor& x, std::int64_t axis, std::int64_t start, std::int64_t stop,
                         std::int64_t step = 1) {
  return slice(x, axis, start, stop, step);
}
inline Tensor stack_axis(const std::vector<Tensor>& tensors, std::int64_t axis = 0) { return stack(tensors, axis); }

}  // namespace xgrad
