#include <autograd/kernels/gemm_blocks.hpp>

#include <algorithm>
#include <bit>

// The constants are measured: OpenBLAS 0.3.21, Zen 4 with AVX-512, float32, GFLOP/s of one core with a peak of 118.
// Tiles of 24 x 64 x 512 reach 105 to 117 from 0.4e6 to 1e9 multiply-adds, the packed kernel 96 to 104.

namespace xgrad::kernels {

namespace {

constexpr double serial_work = 0.4e6;         // multiply-adds below which a second thread costs more than it brings
constexpr double serial_vector_work = 0.1e6;  // the same for matrix-vector products, which wait for memory
constexpr double write_work = 4;              // an element of C takes the time of so many more multiply-adds
constexpr double unpacked_work = 1e6;         // OpenBLAS's bound for its unpacked kernels
constexpr double packing_work = 2e9;          // above it the matrices are outside the caches, and packing wins again
constexpr std::size_t most_blocks = 32;
constexpr std::size_t cached_weights = 1u << 18;  // elements; with gradient and velocity 3 MiB of floats

std::size_t divide_up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }
std::size_t round_up(std::size_t a, std::size_t multiple) { return divide_up(a, multiple) * multiple; }

/// A power of two: even shares for two and four threads.
std::size_t blocks_for(double work, double block_work, std::size_t most) {
  const double blocks = std::clamp(work / block_work, 1.0, static_cast<double>(most));
  return std::bit_floor(static_cast<std::size_t>(blocks));
}

GemmCut whole(std::size_t m, std::size_t n, std::size_t k) {
  return {m, n, k, m, n, k, 1, 1, 1, false, TileKernel::matrix};
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
  const std::size_t blocks = blocks_for(work, serial_vector_work / 2, most_blocks);
  const std::size_t parts = std::bit_floor(std::clamp<std::size_t>(std::max(m, n) / (adds_rows ? 512 : 64), 1, blocks));
  if (n > 1) {
    cut_columns(cut, n, round_up(divide_up(n, parts), 64));
  } else {
    cut_rows(cut, m, parts, 64);
  }
  cut_depth(cut, k, std::min(blocks / parts, std::max<std::size_t>(1, k / 128)), 8);
  cut.tile_rows = cut.block_rows;
  cut.tile_columns = cut.block_columns;
  cut.tile_depth = cut.block_depth;
  return cut;
}

/// For the packing kernel: one call a block, and few, since each copies its operands. An op(A) = Aᵀ is cheaper to cut
/// along m; otherwise the longer extent is.
GemmCut cut_packing(Transpose ta, std::size_t m, std::size_t n, std::size_t k, double work) {
  GemmCut cut = whole(m, n, k);
  const std::size_t blocks = work < 4e6 ? 2 : std::max<std::size_t>(4, blocks_for(work, 512e6, 16));
  const std::size_t most_rows = std::max<std::size_t>(1, m / 48), most_columns = std::max<std::size_t>(1, n / 48);
  const bool prefers_rows = ta == Transpose::yes || m >= n;
  if (most_rows == 1 && most_columns == 1) {
    cut_depth(cut, k, std::min(blocks, divide_up(k, 256)), 16);
  } else if (prefers_rows ? most_rows >= std::min(blocks, most_columns) : most_columns < std::min(blocks, most_rows)) {
    cut_rows(cut, m, std::min(blocks, most_rows), 16);
  } else {
    cut_columns(cut, n, round_up(divide_up(n, std::min(blocks, most_columns)), 16));
  }
  cut.tile_rows = cut.block_rows;
  cut.tile_columns = cut.block_columns;
  cut.tile_depth = cut.block_depth;
  return cut;
}

/// For the unpacked kernels: tiles below their bound, 64 columns wide, which are four vectors of floats.
GemmCut cut_tiles(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k, double work) {
  GemmCut cut = whole(m, n, k);
  cut.transposes_b = tb == Transpose::yes;

  // With op(A) = Aᵀ and columns that do not fill a vector, rows that are no multiple of 64 run 2 to 7 times slower.
  const std::size_t row_step = ta == Transpose::yes && n % 16 != 0 ? 64 : 24;
  // For a short k the time goes into writing C, best in whole rows.
  const bool flat = k < 32 && m >= 4 * row_step && tb == Transpose::no &&
                    static_cast<double>(row_step * k) * static_cast<double>(n) <= unpacked_work;
  const std::size_t panel = flat ? n : 64;
  const std::size_t widest = n <= panel + column_slack ? n : n % panel == 0 ? panel : panel + column_slack;
  const auto step_area = static_cast<double>(row_step * widest);
  if (!flat) {
    const auto deepest = static_cast<std::size_t>(std::min(512.0, unpacked_work / step_area)) / 8 * 8;
    cut.tile_depth = std::min(k, round_up(divide_up(k, divide_up(k, deepest)), 8));
  }
  const auto steps = static_cast<std::size_t>(unpacked_work / (step_area * static_cast<double>(cut.tile_depth)));
  cut.tile_rows = row_step * std::clamp<std::size_t>(steps, 1, std::max<std::size_t>(1, 96 / row_step));
  cut.tile_columns = std::min(n, panel);

  const std::size_t blocks = blocks_for(work, serial_work / 2, most_blocks);
  const std::size_t panels = n <= panel + column_slack ? 1 : divide_up(n - column_slack, panel);
  cut_columns(cut, n, panel * divide_up(panels, blocks));
  // A block that transposes its columns of B should use them for many rows.
  const std::size_t fewest_rows = !cut.transposes_b ? row_step : cut.column_blocks >= 4 ? 128 : 48;
  std::size_t row_blocks = std::min(blocks / cut.column_blocks, m / std::min(m, fewest_rows));
  if (cut.column_blocks % 2 == 1) row_blocks = std::bit_floor(std::max<std::size_t>(1, row_blocks));
  cut_rows(cut, m, row_blocks, row_step == 64 ? 64 : 8);
  // Weights that the cores' caches hold are halved along k, as their gradient and their update are: a column of W would
  // fetch every other line from the core that has just updated it.
  if (ta == Transpose::no && tb == Transpose::no && cut.column_blocks >= 2 && k >= 256 && k * n <= cached_weights &&
      m * n <= cached_weights / 8) {
    cut_depth(cut, k, 2, 8);
    cut_columns(cut, n, 2 * cut.block_columns);
  }
  const std::size_t areas = cut.row_blocks * cut.column_blocks * cut.depth_blocks;
  if (areas < 4) cut_depth(cut, k, std::min(blocks / areas, divide_up(k, 128)), 8);
  cut.tile_depth = std::min(cut.tile_depth, cut.block_depth);
  const double block_volume = static_cast<double>(cut.block_rows * widest) * static_cast<double>(cut.tile_depth);
  if (block_volume <= unpacked_work || cut.block_rows < cut.tile_rows) cut.tile_rows = cut.block_rows;
  return cut;
}

}  // namespace

GemmCut cut_product(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k, BlasKind blas) {
  if (n <= register_columns && m * n <= register_size && k * n <= register_size && m * k <= register_size) {
    GemmCut cut = whole(m, n, k);
    cut.kernel = TileKernel::registers;
    return cut;
  }
  const double area = static_cast<double>(m) * static_cast<double>(n);
  const double work = area * (static_cast<double>(k) + write_work);
  if (m == 1 || n == 1) {
    // A few columns of W are faster as a small product than as a matrix-vector product.
    const bool few = m == 1 && n > 1 && n <= 64 && tb == Transpose::no && work >= 4096 && work < serial_vector_work;
    if (!few || blas == BlasKind::packing) return cut_vector(ta, tb, m, n, k);
  }
  if (blas == BlasKind::packing || work > packing_work) {
    return work < serial_work ? whole(m, n, k) : cut_packing(ta, m, n, k, work);
  }
  if (work >= serial_work) return cut_tiles(ta, tb, m, n, k, work);
  GemmCut cut = whole(m, n, k);
  // OpenBLAS's unpacked kernel for x · Wᵀ takes only these shapes.
  cut.transposes_b = ta == Transpose::no && tb == Transpose::yes && (area > 1200 || k < 32);
  return cut;
}

}  // namespace xgrad::kernels
