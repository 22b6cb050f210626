#pragma once

#include <autograd/kernels/pointwise/rule.hpp>
#include <autograd/tensor/tensor.hpp>

#include <span>

namespace xgrad::kernels {

/// A kernel over operands of one dtype that broadcast to each other: axes along which all operands move alike are
/// merged, the innermost run goes to the kernel, and blocks that the shape fixes go to the threads. ShapeError, in the
/// name of who asks, for shapes that do not fit.
Tensor run_pointwise(const char* name, const KernelByDType& kernels, const void* closure,
                     std::span<const TensorBody* const> operands);

}  // namespace xgrad::kernels
