#include <autograd/kernels/layout.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tape/broadcasting.hpp>
#include <autograd/tape/custom.hpp>
#include <autograd/tensor/format.hpp>

namespace xgrad {

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  check_defined("broadcast_to", "x", x);
  static_cast<void>(shape.elements("broadcast_to"));  // they can be counted
  if (!broadcasts_to(x.shape(), shape))
    throw_as<ShapeError>(
        "broadcast_to: shape {} does not broadcast to {}; need equal extents or 1 on every axis, aligned at the right",
        x.shape(), shape);
  const auto repeat = [shape](const Tensor& from) {
    const Extents own = kernels::strides_of(from.shape());
    Extents strides = repeated(shape.rank(), 0);
    const std::size_t missing = shape.rank() - from.rank();
    for (std::size_t axis = missing; axis < shape.rank(); ++axis)
      if (from.shape()[axis - missing] != 1) strides[axis] = own[axis - missing];
    return kernels::gather(from, shape, 0, strides);
  };
  const auto back = [](const Call& call) { return call.unbroadcast_cotangent(); };
  return custom_with({Which::none(), Which::none(), Contribution::broadcast, true, OperationKind::arrangement},
                     "broadcast_to", repeat, back, x);
}

Tensor accumulate(const Tensor& a, const Tensor& b) { return add(a, b); }

Tensor sum_back(const Tensor& g, const Shape& from, const Shape& to) {
  // Axes of the result at which the input was broadcast: sum them, or multiply where g is itself unbroadcast.
  Axes summed;
  double factor = 1;
  const std::size_t missing = from.rank() - to.rank();
  const std::size_t absent = from.rank() - g.rank();
  for (std::size_t axis = 0; axis < from.rank(); ++axis) {
    const bool broadcast_here = axis < missing || (to[axis - missing] == 1 && from[axis] != 1);
    const std::int64_t extent = axis < absent ? 1 : g.shape()[axis - absent];
    if (!broadcast_here) continue;
    if (extent != 1 || from[axis] == 0) summed.push_back(static_cast<std::int64_t>(axis - absent));
    if (extent == 1) factor *= static_cast<double>(from[axis]);
  }
  Tensor result = summed.empty() ? g : sum(g, summed, true);
  if (factor != 1) result = result * factor;
  Shape shape;
  for (std::size_t axis = missing; axis < from.rank(); ++axis)
    shape.push_back(axis < absent ? 1 : result.shape()[axis - absent]);
  return result.shape() == shape ? result : reshape(result, shape);
}

}  // namespace xgrad
