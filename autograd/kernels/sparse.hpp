#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace xgrad::kernels {

// A sparse matrix times a dense one of 8 or 16 columns, T = float and double: what a network of single nodes computes
// for so many examples side by side, an edge being an entry. Dense matrices are row-major. Serial.

/// Where the entries of a sparse matrix are: those of row r, in order, are begin[r], ..., begin[r + 1] - 1.
struct SparseRows {
  std::span<const std::uint32_t> begin;
  std::span<const std::uint32_t> column;  ///< of each entry
};

/// y (end - first, width) = start + A x over the rows [first, end) of A, whose entries have these values; start[r] goes
/// to the whole row r.
template <class T>
void sparse_product(const SparseRows& a, std::size_t first, std::size_t end, std::size_t width, const T* value,
                    const T* start, const T* x, T* y);

/// The same with a start (end - first, width), which may be y, or null for zeros; and the gradient of the values:
/// dvalue[entry in row r, column c] += Σ z[r]·x[c], with z (end - first, width). y may be a part of x that these rows
/// do not read.
template <class T>
void sparse_product_vjp(const SparseRows& a, std::size_t first, std::size_t end, std::size_t width, const T* value,
                        const T* start, const T* x, T* y, const T* z, T* dvalue);

/// sums (rows) += Σ x over each row of x (rows, width), by halves.
template <class T>
void add_row_sums(std::size_t rows, std::size_t width, const T* x, T* sums);

}  // namespace xgrad::kernels
