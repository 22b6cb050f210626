#pragma once

#include <autograd/tensor/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace xgrad::kernels {

// Exact arithmetic of int64: a result that int64 does not hold is a ValueError that names the operation and the
// numbers.

/// Whether x is int64. An empty handle is not: whoever goes on refuses it by name.
inline bool holds_integers(const Tensor& x) { return x.defined() && x.dtype() == DType::int64; }

enum class IntegerOperation : std::uint8_t { add, subtract, multiply };
/// Elementwise, for tensors of one shape.
Tensor integer_arithmetic(const char* name, IntegerOperation operation, const Tensor& x, const Tensor& y);

enum class IntegerReduction : std::uint8_t { sum, max, min };
/// Over the flagged axes, into a tensor of their kept shape (extents of 1). Sums are exact however large they become on
/// the way. max and min need elements.
Tensor integer_reduction(const char* name, IntegerReduction reduction, const Tensor& x,
                         const std::array<bool, Extents::capacity>& reduced, const Shape& kept);

}  // namespace xgrad::kernels
