#pragma once

#include <autograd/kernels/gemm/gemm.hpp>
#include <cstddef>

namespace xgrad::kernels {

// How a product is cut: into blocks that run in parallel, and each block into tiles, one call of a kernel each. The cut
// is a pure function of the shape: that, and adding the parts of a cut k in order, is what makes products reproducible
// for any number of threads.

/// What computes a tile.
enum class TileKernel {
  registers,  ///< our own (registers.hpp)
  packing,    ///< BLAS's matrix product, which copies its operands: for matrices that outgrow the caches
  vector,     ///< BLAS's matrix-vector product: m or n is 1
};

/// The largest extents of a block and of a tile, and the number of blocks along each extent.
struct GemmCut {
  std::size_t block_rows, block_columns, block_depth;  // of m, n, k
  std::size_t tile_columns, tile_depth;                // of a block's columns and depth; a tile has all its rows
  std::size_t row_blocks, column_blocks, depth_blocks;
  bool copies_b;  // op(B) is copied into scratch, and transposed where it must be, a tile at a time
  TileKernel kernel;

  std::size_t blocks() const { return row_blocks * column_blocks * depth_blocks; }
};

/// The last block or tile may be this much wider than the others, rather than leave one of few columns.
inline constexpr std::size_t column_slack = 32;

/// Multiply-adds below which a second thread costs more than it brings; the same for matrix-vector products, which wait
/// for memory; and for one so small that calling BLAS takes longest.
inline constexpr std::size_t serial_work = 400'000, serial_vector_work = 100'000, tiny_vector_work = 256;
/// Writing an element of C takes the time of so many more multiply-adds.
inline constexpr std::size_t write_work = 4;

/// Whether one thread computes the product in one call of run_in_registers.
inline bool runs_in_registers(Transpose tb, std::size_t m, std::size_t n, std::size_t k) {
  if ((m | n | k) >= serial_work) return false;  // their product might not be a number
  const std::size_t work = m * n * (k + write_work);
  if (m > 1 && n > 1) return work < serial_work;
  // A few columns of W are faster as a small product than as a matrix-vector product.
  return n > 1 && n <= 64 && tb == Transpose::no ? work < serial_vector_work : work <= tiny_vector_work;
}

/// Whether C = Aᵀ·B has so few columns that vectors along them would be mostly empty, and Cᵀ = Bᵀ·A has many.
inline bool better_transposed(Transpose ta, Transpose tb, std::size_t m, std::size_t n) {
  return ta == Transpose::yes && tb == Transpose::no && n > 1 && n <= 12 && m >= 64;
}

/// The cut of any other op(A) (m, k) · op(B) (k, n); m, n, k > 0.
GemmCut cut_product(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k);

}  // namespace xgrad::kernels
