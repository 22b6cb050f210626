#pragma once

#include <autograd/kernels/sparse.hpp>

namespace xgrad {

// Sums over the edges of a graph, for operations that are written with them, such as nn's network of single nodes:
// arithmetic on memory, unrecorded.

using kernels::add_row_sums;
using kernels::sparse_product;
using kernels::sparse_product_vjp;
using kernels::SparseRows;

}  // namespace xgrad
