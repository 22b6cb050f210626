#include <algorithm>
#include <autograd/blas.hpp>
#include <autograd/error.hpp>
#include <autograd/kernels/gemm.hpp>
#include <autograd/kernels/gemm_blocks.hpp>
#include <autograd/kernels/parallel.hpp>
#include <autograd/memory.hpp>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <xtensor-blas/xblas.hpp>

namespace xgrad::kernels {

namespace {

using blas_size = xt::blas_index_t;

cxxblas::Transpose blas(Transpose transpose) { return transpose == Transpose::yes ? cxxblas::Trans : cxxblas::NoTrans; }

/// Memory for one block or call, from the cache.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::size_t count)
      : bytes_(count * sizeof(T)), data_(count == 0 ? nullptr : static_cast<T*>(allocate(bytes_))) {}
  ~Scratch() {
    if (data_ != nullptr) deallocate(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

/// Transposes a square of 32 bytes a side in registers: log2(width) times, zip the first half of the rows with the
/// second half.
template <class T>
struct Square {
  static constexpr std::size_t width = 32 / sizeof(T);
  typedef T Row [[gnu::vector_size(32)]];

  template <std::size_t first, std::size_t... lane>
  static void zip(const Row& a, const Row& b, Row& out, std::index_sequence<lane...>) {
    out = __builtin_shufflevector(a, b, (static_cast<int>(lane % 2 * width + lane / 2 + first))...);
  }

  static void transpose(const T* in, std::size_t in_row, T* out, std::size_t out_row) {
    constexpr auto lanes = std::make_index_sequence<width>();
    Row rows[width], zipped[width];
    for (std::size_t i = 0; i < width; ++i) std::memcpy(&rows[i], in + i * in_row, sizeof(Row));
    for (std::size_t round = 1; round < width; round *= 2) {
      for (std::size_t i = 0; i < width / 2; ++i) {
        zip<0>(rows[i], rows[i + width / 2], zipped[2 * i], lanes);
        zip<width / 2>(rows[i], rows[i + width / 2], zipped[2 * i + 1], lanes);
      }
      std::copy(zipped, zipped + width, rows);
    }
    for (std::size_t i = 0; i < width; ++i) std::memcpy(out + i * out_row, &rows[i], sizeof(Row));
  }
};

/// out (columns, rows), contiguous = the transpose of in (rows, columns) with rows in_row apart.
template <class T>
void transpose_panel(const T* in, std::size_t in_row, std::size_t rows, std::size_t columns, T* out) {
  constexpr std::size_t width = Square<T>::width;
  const std::size_t square_rows = rows / width * width, square_columns = columns / width * width;
  for (std::size_t i = 0; i < square_rows; i += width) {
    for (std::size_t j = 0; j < square_columns; j += width) {
      Square<T>::transpose(in + i * in_row + j, in_row, out + j * rows + i, rows);
    }
  }
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = i < square_rows ? square_columns : 0; j < columns; ++j) out[j * rows + i] = in[i * in_row + j];
  }
}

template <class T>
struct Product {
  Transpose ta, tb;
  std::size_t m, n, k;
  const T* a;
  const T* b;
  const T* bias;  // (n), added to each row of C; null for none
  T beta;         // 0 or 1; not looked at when there is a bias
  T* c;

  std::size_t a_row() const { return ta == Transpose::yes ? m : k; }
  std::size_t b_row() const { return tb == Transpose::yes ? k : n; }
  const T* a_at(std::size_t i, std::size_t l) const { return a + (ta == Transpose::yes ? l * m + i : i * k + l); }
  const T* b_at(std::size_t l, std::size_t j) const { return b + (tb == Transpose::yes ? j * k + l : l * n + j); }
};

/// A range of indices of one extent.
struct Range {
  std::size_t begin, end;
  std::size_t size() const { return end - begin; }
};

/// The part of `all` that begins at `begin`, at most `size` + `slack` long.
Range next_part(Range all, std::size_t begin, std::size_t size, std::size_t slack = 0) {
  return {begin, all.end - begin <= size + slack ? all.end : begin + size};
}

/// Where a block's sum goes: C, or the scratch (m, n) of a later part of a cut k.
template <class T>
struct Target {
  T* c;
  const T* bias;
  T beta;
};

/// C (m, n) for n <= register_columns and k · n, m · n <= register_size. Rows are whole vectors: those of op(B) are
/// read, those of C written beyond their ends, in copies that leave room for it.
template <class T>
void run_in_registers(const Product<T>& p) {
  typedef T Row [[gnu::vector_size(register_columns * sizeof(T))]];
  T b[register_size + register_columns], c[register_size + register_columns];
  const std::size_t n = p.n, size_b = p.k * n, size_c = p.m * n;
  if (p.tb == Transpose::yes) {
    for (std::size_t l = 0; l < p.k; ++l) {
      for (std::size_t j = 0; j < n; ++j) b[l * n + j] = p.b[j * p.k + l];
    }
  } else {
    std::copy(p.b, p.b + size_b, b);
  }
  std::fill(b + size_b, b + size_b + register_columns, T(0));
  Row bias{};
  for (std::size_t j = 0; p.bias != nullptr && j < n; ++j) bias[j] = p.bias[j];
  const T* a = p.a;
  const std::size_t row = p.ta == Transpose::yes ? 1 : p.k, column = p.ta == Transpose::yes ? p.m : 1;
  for (std::size_t i = 0; i < p.m; ++i, a += row) {
    Row sum = bias;
    for (std::size_t l = 0; l < p.k; ++l) {
      Row b_row;
      std::memcpy(&b_row, b + l * n, sizeof(Row));
      sum += a[l * column] * b_row;
    }
    std::memcpy(c + i * n, &sum, sizeof(Row));
  }
  if (p.bias == nullptr && p.beta != T(0)) {
    for (std::size_t i = 0; i < size_c; ++i) p.c[i] += c[i];
  } else {
    std::copy(c, c + size_c, p.c);
  }
}

/// Writes what the product is added to (the bias, or for a vector product 0) and returns the beta that remains: the
/// matrix-vector kernels of some versions keep a NaN of C under beta = 0.
template <class T>
T begin_sum(const Product<T>& p, const Target<T>& target, TileKernel kernel, Range rows, Range columns) {
  if (target.bias == nullptr && (kernel == TileKernel::matrix || target.beta != T(0))) return target.beta;
  for (std::size_t i = rows.begin; i < rows.end; ++i) {
    T* row = target.c + i * p.n + columns.begin;
    if (target.bias != nullptr) {
      std::copy(target.bias + columns.begin, target.bias + columns.end, row);
    } else {
      std::fill(row, row + columns.size(), T(0));
    }
  }
  return T(1);
}

/// One call of BLAS: target (rows, columns) = op(A) (rows, depth) · op(B) (depth, columns) + beta·target.
template <class T>
void run_tile(const Product<T>& p, TileKernel kernel, Range rows, Range columns, Range depth, Transpose tb, const T* b,
              std::size_t b_row, T beta, T* c) {
  const auto m = static_cast<blas_size>(rows.size()), n = static_cast<blas_size>(columns.size()),
             k = static_cast<blas_size>(depth.size());
  const T* a = p.a_at(rows.begin, depth.begin);
  const auto row_of_a = static_cast<blas_size>(p.a_row());
  const auto row_of_b = static_cast<blas_size>(b_row);
  c += rows.begin * p.n + columns.begin;
  if (kernel == TileKernel::matrix) {
    cxxblas::gemm<blas_size>(cxxblas::RowMajor, blas(p.ta), blas(tb), m, n, k, T(1), a, row_of_a, b, row_of_b, beta, c,
                             static_cast<blas_size>(p.n));
  } else if (p.n > 1 || p.m == 1) {
    // y (n) = op(B)ᵀ (n, k) · x (k); of a (k, 1) matrix the transpose has the same memory, as one row.
    const bool stored = tb == Transpose::yes || p.n == 1;
    cxxblas::gemv<blas_size>(cxxblas::RowMajor, stored ? cxxblas::NoTrans : cxxblas::Trans, stored ? n : k,
                             stored ? k : n, T(1), b, p.n == 1 ? k : row_of_b, a, 1, beta, c, 1);
  } else {
    // y (m) = op(A) (m, k) · x (k)
    const bool stored = p.ta == Transpose::no;
    cxxblas::gemv<blas_size>(cxxblas::RowMajor, stored ? cxxblas::NoTrans : cxxblas::Trans, stored ? m : k,
                             stored ? k : m, T(1), a, row_of_a, b, 1, beta, c, 1);
  }
}

/// Elements of the panel into which a block transposes B, piece by piece.
template <class T>
std::size_t panel_size(const Product<T>& p, const GemmCut& cut) {
  return cut.transposes_b ? std::min(p.n, cut.tile_columns + column_slack) * std::min(p.k, cut.tile_depth) : 0;
}

template <class T>
void run_block(const Product<T>& p, const GemmCut& cut, const Target<T>& target, Range rows, Range columns, Range depth,
               T* panel) {
  for (Range tile_columns{columns.begin, columns.begin}; tile_columns.end < columns.end;) {
    tile_columns = next_part(columns, tile_columns.end, cut.tile_columns, column_slack);
    for (Range tile_depth{depth.begin, depth.begin}; tile_depth.end < depth.end;) {
      tile_depth = next_part(depth, tile_depth.end, cut.tile_depth);
      Transpose tb = p.tb;
      const T* b = p.b_at(tile_depth.begin, tile_columns.begin);
      std::size_t b_row = p.b_row();
      if (cut.transposes_b) {
        transpose_panel(b, b_row, tile_columns.size(), tile_depth.size(), panel);
        tb = Transpose::no;
        b = panel;
        b_row = tile_columns.size();
      }
      for (Range tile_rows{rows.begin, rows.begin}; tile_rows.end < rows.end;) {
        tile_rows = next_part(rows, tile_rows.end, cut.tile_rows);
        const bool first = tile_depth.begin == depth.begin;
        const T beta = first ? begin_sum(p, target, cut.kernel, tile_rows, tile_columns) : T(1);
        run_tile(p, cut.kernel, tile_rows, tile_columns, tile_depth, tb, b, b_row, beta, target.c);
      }
    }
  }
}

template <class T>
void run_blocks(const Product<T>& p, const GemmCut& cut) {
  const std::size_t size = p.m * p.n, areas = cut.row_blocks * cut.column_blocks;
  const Scratch<T> parts((cut.depth_blocks - 1) * size);  // of all parts of k but the first
  // A panel for each block, so that what is allocated does not depend on how many blocks run at once.
  const Scratch<T> panels(cut.blocks() * panel_size(p, cut));
  const bool rows_outside = p.m > p.n;  // neighbouring blocks share the larger operand
  parallel_blocks(cut.blocks(), [&](std::size_t block) {
    const std::size_t part = block / areas, area = block % areas;
    const std::size_t i = rows_outside ? area / cut.column_blocks : area % cut.row_blocks;
    const std::size_t j = rows_outside ? area % cut.column_blocks : area / cut.row_blocks;
    const Target<T> target =
        part == 0 ? Target<T>{p.c, p.bias, p.beta} : Target<T>{parts.data() + (part - 1) * size, nullptr, T(0)};
    run_block(p, cut, target, next_part({0, p.m}, i * cut.block_rows, cut.block_rows),
              next_part({0, p.n}, j * cut.block_columns, cut.block_columns, column_slack),
              next_part({0, p.k}, part * cut.block_depth, cut.block_depth), panels.data() + block * panel_size(p, cut));
  });
  for (std::size_t part = 1; part < cut.depth_blocks; ++part) {
    const T* sum = parts.data() + (part - 1) * size;
    for (std::size_t i = 0; i < size; ++i) p.c[i] += sum[i];
  }
}

template <class T>
void run_product(const Product<T>& p) {
  if (p.m == 0 || p.n == 0) return;
  const Target<T> target{p.c, p.bias, p.beta};
  const Range rows{0, p.m}, columns{0, p.n}, depth{0, p.k};
  if (p.k == 0) {
    begin_sum(p, target, TileKernel::vector, rows, columns);
    return;
  }
  const GemmCut cut = cut_product(p.ta, p.tb, p.m, p.n, p.k, prepare_blas());
  if (cut.kernel == TileKernel::registers) {
    run_in_registers(p);
  } else if (cut.blocks() > 1) {
    run_blocks(p, cut);
  } else if (cut.tile_rows == p.m && cut.tile_columns == p.n && cut.tile_depth == p.k && !cut.transposes_b) {
    const T beta = begin_sum(p, target, cut.kernel, rows, columns);
    run_tile(p, cut.kernel, rows, columns, depth, p.tb, p.b, p.b_row(), beta, p.c);
  } else {
    const Scratch<T> panel(panel_size(p, cut));
    run_block(p, cut, target, rows, columns, depth, panel.data());
  }
}

void check_sizes(const char* operation, std::size_t m, std::size_t n, std::size_t k) {
  constexpr auto most = static_cast<std::size_t>(std::numeric_limits<blas_size>::max());
  if (m <= most && n <= most && k <= most) return;
  throw ValueError(std::string(operation) + ": a product of (" + std::to_string(m) + ", " + std::to_string(k) +
                   ") and (" + std::to_string(k) + ", " + std::to_string(n) + "); need extents of at most " +
                   std::to_string(most) + ", BLAS's largest");
}

}  // namespace

template <class T>
void gemm(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k, const T* a, const T* b, T beta,
          T* c) {
  check_sizes("matmul", m, n, k);
  run_product(Product<T>{ta, tb, m, n, k, a, b, nullptr, beta, c});
}

template <class T>
void linear(std::size_t m, std::size_t n, std::size_t k, const T* x, const T* w, const T* bias, T* y) {
  check_sizes("linear", m, n, k);
  run_product(Product<T>{Transpose::no, Transpose::no, m, n, k, x, w, bias, T(0), y});
}

template <class T>
void batched_gemm(Transpose ta, Transpose tb, std::size_t count, std::size_t m, std::size_t n, std::size_t k,
                  const T* a, BatchOffsets a_offsets, const T* b, BatchOffsets b_offsets, T beta, T* c) {
  check_sizes("matmul", m, n, k);
  const auto product = [&](std::size_t i) {
    run_product(Product<T>{ta, tb, m, n, k, a + a_offsets[i], b + b_offsets[i], nullptr, beta, c + i * m * n});
  };
  // Many products: each runs serially, several small ones make a block. Few large ones: each is cut itself.
  constexpr double block_work = 0.2e6;
  const double work =
      static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(std::max<std::size_t>(k, 1));
  const double products_per_block =
      std::max(1.0, std::min(block_work / std::max(work, 1.0), static_cast<double>(count)));
  const auto step = static_cast<std::size_t>(products_per_block);
  const std::size_t blocks = (count + step - 1) / step;
  constexpr std::size_t many = 8;
  if (blocks < 2 || (count < many && work > block_work)) {
    for (std::size_t i = 0; i < count; ++i) product(i);
    return;
  }
  parallel_blocks(blocks, [&](std::size_t block) {
    const SerialScope serial;
    for (std::size_t i = block * step; i < std::min(count, (block + 1) * step); ++i) product(i);
  });
}

#define XGRAD_INSTANTIATE_PRODUCTS(T)                                                                            \
  template void gemm(Transpose, Transpose, std::size_t, std::size_t, std::size_t, const T*, const T*, T, T*);    \
  template void linear(std::size_t, std::size_t, std::size_t, const T*, const T*, const T*, T*);                 \
  template void batched_gemm(Transpose, Transpose, std::size_t, std::size_t, std::size_t, std::size_t, const T*, \
                             BatchOffsets, const T*, BatchOffsets, T, T*);
XGRAD_INSTANTIATE_PRODUCTS(float)
XGRAD_INSTANTIATE_PRODUCTS(double)
#undef XGRAD_INSTANTIATE_PRODUCTS

}  // namespace xgrad::kernels
