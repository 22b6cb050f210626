#pragma once

#include <cstddef>
#include <functional>

namespace xgrad::kernels {

// Matrix products on raw memory, T = float or double: blocks of a kernel of our own (registers.hpp), or of a
// single-threaded BLAS for vectors and for matrices that outgrow the caches, cut by shape alone (blocks.hpp), so that
// the bits do not depend on the threads. Matrices are row-major and contiguous, C overlaps no other operand. Sizes of 0
// are valid; one above 2^31 - 1 is a ValueError. NaN and infinity propagate as IEEE 754 has it: 0 · inf = NaN.

/// Whether op(X) of a stored matrix X is X or its transpose.
enum class Transpose : bool { no, yes };

/// C (m, n) = op(A) (m, k) · op(B) (k, n). With k = 0 the product is 0. A is stored as (m, k), or (k, m) when
/// transposed; B as (k, n) or (n, k).
template <class T>
void gemm(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k, const T* a, const T* b, T* c);

/// The same; where C is made in blocks of rows, done(rows) tells that the first `rows` of them are there, as they grow,
/// on any thread, one at a time. The whole is told by the return.
template <class T>
void gemm(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k, const T* a, const T* b, T* c,
          const std::function<void(std::size_t rows)>& done);

/// Y (m, n) = X (m, k) · W (k, n) + bias (n), the bias added to each row; null for none.
template <class T>
void linear(std::size_t m, std::size_t n, std::size_t k, const T* x, const T* w, const T* bias, T* y);

/// C[i] = op(A[i]) · op(B[i]) for i in [0, count), where A[i] and B[i] begin at a + a_offsets[i] and b + b_offsets[i],
/// the C[i] (m, n) one after another. Has the bits of `count` calls of gemm.
template <class T>
void batched_gemm(Transpose ta, Transpose tb, std::size_t count, std::size_t m, std::size_t n, std::size_t k,
                  const T* a, const std::size_t* a_offsets, const T* b, const std::size_t* b_offsets, T* c);

}  // namespace xgrad::kernels
