#pragma once

#include <autograd/kernels/pointwise/symbol.hpp>

#include <array>
#include <cstddef>

namespace xgrad::kernels {

inline constexpr std::size_t max_pointwise_arity = 4;

/// One contiguous run: output[k] from inputs[0][k], inputs[1][k], ...; a splat input is one element for the whole run.
/// room >= count elements of the output may be overwritten; those after the count mean nothing.
using PointwiseKernel = void (*)(const void* closure, const void* const* inputs, const bool* splat, void* output,
                                 std::size_t count, std::size_t room);

/// Kernels by dtype (float32, float64, int64); null where there is none.
using KernelByDType = std::array<PointwiseKernel, 3>;

/// Everything that the engine knows of a function f(x_0, ..., x_{n-1}), made from its lambda.
struct PointwiseRule {
  std::size_t arity = 0;
  /// f of symbols: its steps, for derivatives beyond the second.
  Symbol (*trace)(const void* closure, const Symbol* x) = nullptr;
  /// Inputs x...: f(x).
  KernelByDType value{};
  /// Inputs g, x...: g · ∂f/∂x_i, null where that is zero everywhere.
  std::array<KernelByDType, max_pointwise_arity> derivative{};
  /// Inputs h, g, x...: h · g · ∂²f/∂x_i∂x_j for i <= j, null where that is zero everywhere.
  std::array<std::array<KernelByDType, max_pointwise_arity>, max_pointwise_arity> second_derivative{};
};

}  // namespace xgrad::kernels
