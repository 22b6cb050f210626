#pragma once

#include <autograd/kernels/layout.hpp>
#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace xgrad {

// Entries at int64 indices (TypeError), which lie in [0, extent) (ValueError with the place and the value).

/// The entries of x along an axis at indices of any shape, which takes the axis' place. Gradients of entries that are
/// taken twice add up.
Tensor take(const Tensor& x, const Tensor& indices, std::int64_t axis = 0);
/// Zeros with the given extent along an axis, where entry indices[i] has got entry i of x added: the adjoint of take.
Tensor scatter_add(const Tensor& x, const Tensor& indices, std::int64_t extent, std::int64_t axis = 0);
/// Rows of zeros with a 1 at each index: (...,) int64 -> (..., classes).
Tensor one_hot(const Tensor& indices, std::int64_t classes, DType dtype = default_dtype());

/// What every function checks whose indices a user gives: TypeError unless they are int64, ValueError unless all are in
/// [0, extent). The message names who asks and what an index is: `cross_entropy: label 7 in row 3; need 0 <= label <
/// 5`.
void check_indices(std::string_view operation, std::string_view what, const Tensor& indices, std::int64_t extent);
/// The same of a list: `select: index 4 at position 0; need 0 <= index < 4`.
void check_indices(std::string_view operation, std::string_view what, std::span<const std::int64_t> indices,
                   std::int64_t extent);

// Rows of data, which has no gradient: nothing is recorded, and the caller has checked the indices.
using kernels::copy_rows;

}  // namespace xgrad
