#pragma once

namespace xgrad {

/// Makes BLAS single-threaded, since xgrad's blocks are the parallel ones; warns on standard error about a build of
/// OpenBLAS that does not go with that. Products that need BLAS call it by themselves: call it before the first use of
/// BLAS or LAPACK of your own, such as xtensor-blas's factorisations.
void prepare_blas();

}  // namespace xgrad
