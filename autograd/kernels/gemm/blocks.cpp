#include <autograd/kernels/gemm/blocks.hpp>
#include <autograd/kernels/gemm/registers.hpp>
#include <autograd/parallel/parallel.hpp>

#include <algorithm>
#include <bit>

// The constants are measured: Zen 4 with AVX-512, float32, GFLOP/s of one core with a peak of 118. The register kernel
// reaches 107 to 117 from 0.1e6 to 1e9 multiply-adds, OpenBLAS 0.3.21's packing one 93 to 106.

namespace xgrad::kernels {

namespace {

constexpr double packing_work = 2e9;  // multiply-adds of matrices outside the caches
constexpr std::size_t panel = 64;     // columns of a tile whose op(B) is copied, and what columns are cut in
constexpr std::size_t max_depth = 512;
constexpr std::size_t max_blocks = 32;
constexpr std::size_t cached_weights = 1u << 19;  // elements; with gradient and velocity 6 MiB of floats

std::size_t round_up(std::size_t a, std::size_t multiple) { return divide_up(a, multiple) * multiple; }

/// A power of two: even shares for two and four threads.
std::size_t blocks_for(double work, double block_work, std::size_t limit) {
  const double blocks = std::clamp(work / block_work, 1.0, static_cast<double>(limit));
  return std::bit_floor(static_cast<std::size_t>(blocks));
}

GemmCut whole(std::size_t m, std::size_t n, std::size_t k) {
  return {m, n, k, n, k, 1, 1, 1, false, TileKernel::registers};
}

void cut_rows(GemmCut& cut, std::size_t m, std::size_t blocks, std::size_t multiple) {
  cut.block_rows = std::min(m, round_up(divide_up(m, std::max<std::size_t>(1, blocks)), multiple));
  cut.row_blocks = divide_up(m, cut.block_rows);
}

void cut_columns(GemmCut& cut, std::size_t n, std::size_t columns) {
  cut.block_columns = std::min(n, columns);
  cut.column_blocks = n <= columns + column_slack ? 1 : divide_up(n - column_slack, columns);
}

void cut_depth(GemmCut& cut, std::size_t k, std::size_t blocks, std::size_t multiple) {
  cut.block_depth = std::min(k, round_up(divide_up(k, std::max<std::size_t>(1, blocks)), multiple));
  cut.depth_blocks = divide_up(k, cut.block_depth);
}

/// y = op(M) · x, M read once: parts of y, or of k where they would be too short for the kernel, which for a transposed
/// M adds a row at a time.
GemmCut cut_vector(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k) {
  GemmCut cut = whole(m, n, k);
  cut.kernel = TileKernel::vector;
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (work < serial_vector_work) return cut;
  const bool adds_rows = n > 1 ? tb == Transpose::no : ta == Transpose::yes;
  const std::size_t blocks = blocks_for(work, serial_vector_work / 2, max_blocks);
  const std::size_t parts = std::bit_floor(std::clamp<std::size_t>(std::max(m, n) / (adds_rows ? 512 : 64), 1, blocks));
  if (n > 1) {
    cut_columns(cut, n, round_up(divide_up(n, parts), 64));
  } else {
    cut_rows(cut, m, parts, 64);
  }
  cut_depth(cut, k, std::min(blocks / parts, std::max<std::size_t>(1, k / 128)), 8);
  cut.tile_columns = cut.block_columns;
  cut.tile_depth = cut.block_depth;
  return cut;
}

/// For the packing kernel: one call a block, and few, since each copies its operands. An op(A) = Aᵀ is cheaper to cut
/// along m; otherwise the longer extent is.
GemmCut cut_packing(Transpose ta, std::size_t m, std::size_t n, std::size_t k, double work) {
  GemmCut cut = whole(m, n, k);
  cut.kernel = TileKernel::packing;
  const std::size_t blocks = blocks_for(work, 512e6, 16);
  const std::size_t max_rows = std::max<std::size_t>(1, m / 48), max_columns = std::max<std::size_t>(1, n / 48);
  const bool prefers_rows = ta == Transpose::yes || m >= n;
  if (max_rows == 1 && max_columns == 1) {
    cut_depth(cut, k, std::min(blocks, divide_up(k, 256)), 16);
  } else if (prefers_rows ? max_rows >= std::min(blocks, max_columns) : max_columns < std::min(blocks, max_rows)) {
    cut_rows(cut, m, std::min(blocks, max_rows), 16);
  } else {
    cut_columns(cut, n, round_up(divide_up(n, std::min(blocks, max_columns)), 16));
  }
  cut.tile_columns = cut.block_columns;
  cut.tile_depth = cut.block_depth;
  return cut;
}

/// For the register kernel.
GemmCut cut_tiles(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k, double work) {
  GemmCut cut = whole(m, n, k);
  const bool transposes = tb == Transpose::yes;
  cut.copies_b = transposes || (register_columns < panel && n > register_columns && m >= 48);
  const std::size_t blocks = blocks_for(work, serial_work / 2, max_blocks);
  const std::size_t panels = n <= panel + column_slack ? 1 : divide_up(n - column_slack, panel);
  cut_columns(cut, n, panel * divide_up(panels, blocks));
  // A block that copies its columns of B should use them for many rows.
  const std::size_t fewest_rows = cut.copies_b && cut.column_blocks >= 8   ? 256
                                  : cut.copies_b && cut.column_blocks >= 4 ? 128
                                  : transposes                             ? 48
                                                                           : 24;
  std::size_t row_blocks = std::min(blocks / cut.column_blocks, m / std::min(m, fewest_rows));
  if (cut.column_blocks % 2 == 1) row_blocks = std::bit_floor(std::max<std::size_t>(1, row_blocks));
  cut_rows(cut, m, row_blocks, 8);
  // Weights that the cores' caches hold are halved along k, as their gradient and their update are: a column of W would
  // fetch every other line from the core that has just updated it.
  if (ta == Transpose::no && tb == Transpose::no && cut.column_blocks >= 2 && k >= 256 && k * n <= cached_weights &&
      m * n <= cached_weights / 8) {
    cut_depth(cut, k, 2, 8);
    cut_columns(cut, n, 2 * cut.block_columns);
  }
  const std::size_t areas = cut.row_blocks * cut.column_blocks * cut.depth_blocks;
  if (areas < 4) cut_depth(cut, k, std::min(blocks / areas, divide_up(k, 128)), 8);
  cut.tile_columns = cut.copies_b ? std::min(n, panel) : cut.block_columns;
  cut.tile_depth = round_up(divide_up(cut.block_depth, divide_up(cut.block_depth, max_depth)), 8);
  cut.tile_depth = std::min(cut.tile_depth, cut.block_depth);
  return cut;
}

}  // namespace

GemmCut cut_product(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k) {
  if (m == 1 || n == 1) return cut_vector(ta, tb, m, n, k);
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k + write_work);
  return work > packing_work ? cut_packing(ta, m, n, k, work) : cut_tiles(ta, tb, m, n, k, work);
}

}  // namespace xgrad::kernels
