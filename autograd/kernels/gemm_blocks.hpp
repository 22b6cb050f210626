#pragma once

#include <autograd/blas.hpp>
#include <autograd/kernels/gemm.hpp>
#include <cstddef>

namespace xgrad::kernels {

// How a product is cut: into blocks that run in parallel, and each block into tiles, one call of BLAS each. OpenBLAS
// rounds differently in its small and its large kernels, so the cut must be a pure function of the shape: that, and
// adding the parts of a cut k in order, is what makes products reproducible for any number of threads.

/// What computes a tile.
enum class TileKernel {
  matrix,     ///< BLAS's matrix product
  vector,     ///< BLAS's matrix-vector product: m or n is 1
  registers,  ///< our own, for a product so small that calling BLAS takes longer than computing
};

/// The largest extents of a block and of a tile, and the number of blocks along each extent.
struct GemmCut {
  std::size_t block_rows, block_columns, block_depth;  // of m, n, k
  std::size_t tile_rows, tile_columns, tile_depth;
  std::size_t row_blocks, column_blocks, depth_blocks;
  bool transposes_b;  // op(B) is copied into scratch, a tile's columns at a time
  TileKernel kernel;

  std::size_t blocks() const { return row_blocks * column_blocks * depth_blocks; }
};

/// The last block or tile may be this much wider than the others, rather than leave one of few columns.
inline constexpr std::size_t column_slack = 32;

/// The register kernel's bounds: n, and the sizes of op(A), op(B) and C.
inline constexpr std::size_t register_columns = 8;
inline constexpr std::size_t register_size = 64;

/// The cut of op(A) (m, k) · op(B) (k, n); m, n, k > 0.
GemmCut cut_product(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k, BlasKind blas);

}  // namespace xgrad::kernels
