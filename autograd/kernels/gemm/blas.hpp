#pragma once

#include <cstddef>

namespace xgrad::kernels {

/// Makes BLAS single-threaded, since xgrad's blocks are the parallel ones; warns on standard error about a build of
/// OpenBLAS that does not go with that. For code to call before it first uses BLAS or LAPACK.
void prepare_blas();

/// q (rows, columns), rows >= columns > 0, of a = q · r with qᵀ q = I and an upper triangular r whose diagonal is not
/// negative: LAPACK's Householder factorisation with the signs of r's diagonal moved to q.
void orthonormal_factor(std::size_t rows, std::size_t columns, const double* a, double* q);

}  // namespace xgrad::kernels
