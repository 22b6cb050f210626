#pragma once

#include <autograd/kernels/pointwise/rule.hpp>
#include <autograd/tensor/shape.hpp>

#include <cstddef>
#include <span>

namespace xgrad::kernels {

struct PointwiseOperand {
  const void* data;
  const Shape* shape;
};

/// Runs a kernel over operands that broadcast to `shape`, whose output is contiguous, in memory of allocate(): axes
/// along which all operands move alike are merged, the innermost run goes to the kernel, and blocks that the shape
/// fixes go to the threads.
void run_pointwise(PointwiseKernel kernel, const void* closure, std::span<const PointwiseOperand> operands,
                   const Shape& shape, void* output, std::size_t element_bytes);

/// The same over operands of the output's shape.
void run_pointwise(PointwiseKernel kernel, const void* closure, std::span<const void* const> operands,
                   std::size_t elements, void* output, std::size_t element_bytes);

}  // namespace xgrad::kernels
