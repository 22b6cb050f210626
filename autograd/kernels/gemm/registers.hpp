#pragma once

#include <autograd/kernels/gemm/gemm.hpp>
#include <cstddef>

namespace xgrad::kernels {

/// Columns of floats of its widest tile: with few registers B is read in strips so narrow that they had better lie
/// close together.
#if defined(__AVX512F__)
inline constexpr std::size_t register_columns = 64;
#elif defined(__AVX__)
inline constexpr std::size_t register_columns = 16;
#else
inline constexpr std::size_t register_columns = 8;
#endif

/// C (m, n) = start + op(A) (m, k) · B (k, n), for T = float and double. Each matrix has its rows so many elements
/// apart; A is stored as (m, k), or (k, m) when transposed.
template <class T>
struct RegisterProduct {
  Transpose ta;
  std::size_t m, n, k;
  const T* a;
  std::size_t a_row;
  const T* b;
  std::size_t b_row;
  const T* start;         ///< may be C; null: zeros
  std::size_t start_row;  ///< 0: each row is the same, a bias
  T* c;
  std::size_t c_row;
};

/// Tiles of C are summed in registers, from start over l = 0, 1, ..., rounded once a step where the machine can: an
/// element's bits do not depend on m, n or its place. Nothing is copied, so that a product costs little to begin; one
/// core reaches 95 to 99 % of its peak while k <= 512 and B stays in its caches.
template <class T>
void run_in_registers(const RegisterProduct<T>& product);

}  // namespace xgrad::kernels
