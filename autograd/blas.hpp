#pragma once

namespace xgrad {

/// Which kernels BLAS has.
enum class BlasKind {
  packing,   ///< one kernel, which copies its operands into panels first: prefers few large calls
  unpacked,  ///< also one for at most 10^6 multiply-adds that copies nothing (OpenBLAS >= 0.3.17 on AVX-512)
};

/// Makes BLAS single-threaded, since xgrad's blocks are the parallel ones, and tells which kernels it has; warns on
/// standard error about a build of OpenBLAS that does not go with that. Products call it by themselves: call it before
/// the first use of BLAS or LAPACK of your own, such as xtensor-blas's factorisations.
BlasKind prepare_blas();

}  // namespace xgrad
