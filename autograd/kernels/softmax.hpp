#pragma once

#include <cstddef>
#include <cstdint>

namespace xgrad::kernels {

// Softmax and cross-entropy over the rows of row-major (rows, n), for T = float and double; out of place or in place.
//
// Every row is shifted by its largest element, so that finite input never overflows. Infinite logits give the limits: a
// single inf takes all the probability, k of them share it equally, -inf gets none. A row of -inf alone has no limit:
// softmax, log_softmax and cross_entropy give NaN, as in PyTorch. NaN in a row makes it NaN.
// Rows are processed in parallel in blocks fixed by shape; one row is not cut.

/// y = exp(x) / Σ exp(x).
template <class T>
void softmax(std::size_t rows, std::size_t n, const T* x, T* y);
/// dx = y · (g - Σ g·y), where a zero factor masks an infinite or NaN one as in masked_product.
template <class T>
void softmax_vjp(std::size_t rows, std::size_t n, const T* y, const T* g, T* dx);

/// y = x - log Σ exp(x).
template <class T>
void log_softmax(std::size_t rows, std::size_t n, const T* x, T* y);
/// dx = g - exp(y) · Σ g.
template <class T>
void log_softmax_vjp(std::size_t rows, std::size_t n, const T* y, const T* g, T* dx);

/// log Σ exp(x) of a row in two parts: their rounded sum would cost softmax its precision where logits are large.
template <class T>
struct LogNormalizer {
  T largest;  ///< max x; NaN where that is -inf
  T log_sum;  ///< log Σ exp(x - largest), in [0, log n]
};

/// loss (rows) = log Σ exp(x) - x[label], with labels (rows) in [0, n), which the caller has checked. Also fills
/// normalizers (rows), from which the gradient takes one pass.
template <class T>
void cross_entropy(std::size_t rows, std::size_t n, const T* logits, const std::int64_t* labels, T* loss,
                   LogNormalizer<T>* normalizers);
/// dlogits (rows, n) = g · (softmax(x) - [j = label]) with row r's g at g[r · g_step]; g_step is 0 or 1.
template <class T>
void cross_entropy_vjp(std::size_t rows, std::size_t n, const T* logits, const std::int64_t* labels,
                       const LogNormalizer<T>* normalizers, const T* g, std::size_t g_step, T* dlogits);

/// loss (rows) = Σ_j t_j · (log Σ exp(x) - x_j) for targets t (rows, n); t_j = 0 contributes 0 whatever x_j.
template <class T>
void cross_entropy_soft(std::size_t rows, std::size_t n, const T* logits, const T* targets, T* loss,
                        LogNormalizer<T>* normalizers);
/// dlogits (rows, n) = g · (softmax(x) · Σ t - t).
template <class T>
void cross_entropy_soft_vjp(std::size_t rows, std::size_t n, const T* logits, const T* targets,
                            const LogNormalizer<T>* normalizers, const T* g, std::size_t g_step, T* dlogits);

}  // namespace xgrad::kernels
