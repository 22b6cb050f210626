#include <autograd/kernels/gemm/blas.hpp>
#include <autograd/kernels/gemm/blocks.hpp>
#include <autograd/kernels/gemm/gemm.hpp>
#include <autograd/kernels/gemm/registers.hpp>
#include <autograd/kernels/simd/lanes.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <mutex>
#include <vector>
#include <xtensor-blas/xblas.hpp>

namespace xgrad::kernels {

namespace {

using blas_size = xt::blas_index_t;

constexpr std::size_t uncached_bytes = std::size_t{64} << 20;
constexpr std::size_t outer_columns = 32;  // from here on, a row of an outer product is worth a loop of its own

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

/// out (columns, rows), contiguous = the transpose of in (rows, columns) with rows in_row apart, read along its rows.
template <class T>
void transpose_panel(const T* in, std::size_t in_row, std::size_t rows, std::size_t columns, T* out) {
  constexpr std::size_t width = Vec<T>::width;
  for (std::size_t i = 0; i < rows; i += width)
    for (std::size_t j = 0; j < columns; j += width)
      transpose_square(std::min(width, rows - i), std::min(width, columns - j), in + i * in_row + j,
                       static_cast<std::ptrdiff_t>(in_row), out + j * rows + i, static_cast<std::ptrdiff_t>(rows));
}

template <class T>
struct Product {
  Transpose ta, tb;
  std::size_t m, n, k;
  const T* a;
  const T* b;
  const T* bias;  // what is added to each row, or null
  T* c;
  bool is_large = m * n * sizeof(T) >= uncached_bytes;  // with its neighbours in a batch: no cache will hold C

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

/// Where a block's sum begins and where it goes: C, or the scratch (m, n) of a later part of a cut k.
template <class T>
struct Target {
  const T* start;
  std::size_t start_row;
  T* c;
};

/// Writes what BLAS adds to and returns its beta. A vector product begins with zeros and beta = 1: the kernels of some
/// versions keep a NaN of C under beta = 0.
template <class T>
T begin_sum(const Product<T>& p, const Target<T>& target, TileKernel kernel, Range rows, Range columns) {
  if (target.start == target.c) return T(1);
  if (target.start == nullptr && kernel == TileKernel::packing) return T(0);
  for (std::size_t i = rows.begin; i < rows.end; ++i) {
    T* const row = target.c + i * p.n;
    if (target.start == nullptr) {
      std::fill(row + columns.begin, row + columns.end, T(0));
    } else {
      const T* const start = target.start + i * target.start_row;
      std::copy(start + columns.begin, start + columns.end, row + columns.begin);
    }
  }
  return T(1);
}

/// One call of a kernel: target (rows, columns) = start + op(A) (rows, depth) · op(B) (depth, columns).
template <class T>
void run_tile(const Product<T>& p, TileKernel kernel, Range rows, Range columns, Range depth, Transpose tb, const T* b,
              std::size_t b_row, const Target<T>& target) {
  const T* const a = p.a_at(rows.begin, depth.begin);
  T* const c = target.c + rows.begin * p.n + columns.begin;
  if (kernel == TileKernel::registers) {
    const T* const start =
        target.start == nullptr ? nullptr : target.start + rows.begin * target.start_row + columns.begin;
    run_in_registers<T>(
        {p.ta, rows.size(), columns.size(), depth.size(), a, p.a_row(), b, b_row, start, target.start_row, c, p.n});
    return;
  }
  const T beta = begin_sum(p, target, kernel, rows, columns);
  const auto m = static_cast<blas_size>(rows.size()), n = static_cast<blas_size>(columns.size()),
             k = static_cast<blas_size>(depth.size());
  const auto row_of_a = static_cast<blas_size>(p.a_row());
  const auto row_of_b = static_cast<blas_size>(b_row);
  if (kernel == TileKernel::packing) {
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

/// Elements of the panel into which a block copies B, piece by piece.
template <class T>
std::size_t panel_size(const Product<T>& p, const GemmCut& cut) {
  return cut.copies_b ? std::min(p.n, cut.tile_columns + column_slack) * std::min(p.k, cut.tile_depth) : 0;
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
      if (cut.copies_b) {
        const std::size_t columns_of_panel = tile_columns.size();
        if (tb == Transpose::yes)
          transpose_panel(b, b_row, columns_of_panel, tile_depth.size(), panel);
        else
          for (std::size_t l = 0; l < tile_depth.size(); ++l)
            std::copy_n(b + l * b_row, columns_of_panel, panel + l * columns_of_panel);
        tb = Transpose::no;
        b = panel;
        b_row = columns_of_panel;
      }
      const bool first = tile_depth.begin == depth.begin;
      run_tile(p, cut.kernel, rows, tile_columns, tile_depth, tb, b, b_row,
               first ? target : Target<T>{target.c, p.n, target.c});
    }
  }
}

using RowsDone = std::function<void(std::size_t rows)>;

/// Tells of the rows of C as their blocks end, in order.
class FinishedRows {
 public:
  /// done: null for nobody.
  FinishedRows(const GemmCut& cut, std::size_t rows, const RowsDone* done)
      : rows_(rows), block_rows_(cut.block_rows), done_(cut.depth_blocks == 1 ? done : nullptr) {
    if (done_ != nullptr) open_.assign(cut.row_blocks, cut.column_blocks);
  }
  bool wanted() const { return done_ != nullptr; }
  /// A block of these rows has ended.
  void end(std::size_t row_block) {
    if (done_ == nullptr) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    --open_[row_block];
    const std::size_t before = next_;
    while (next_ < open_.size() && open_[next_] == 0) ++next_;
    if (next_ > before && next_ < open_.size()) (*done_)(std::min(rows_, next_ * block_rows_));
  }

 private:
  const std::size_t rows_, block_rows_;
  const RowsDone* const done_;
  std::mutex mutex_;
  std::vector<std::size_t> open_;  // blocks of each block of rows
  std::size_t next_ = 0;
};

template <class T>
void run_blocks(const Product<T>& p, const GemmCut& cut, const RowsDone* done) {
  const std::size_t size = p.m * p.n, areas = cut.row_blocks * cut.column_blocks;
  const Scratch<T> parts((cut.depth_blocks - 1) * size);  // of all parts of k but the first
  // A panel for each block, so that what is allocated does not depend on how many blocks run at once.
  const Scratch<T> panels(cut.blocks() * panel_size(p, cut));
  FinishedRows finished(cut, p.m, done);
  const bool rows_outside = p.m > p.n || finished.wanted();  // else neighbouring blocks share the larger operand
  parallel_blocks(cut.blocks(), [&](std::size_t block) {
    const std::size_t part = block / areas, area = block % areas;
    const std::size_t i = rows_outside ? area / cut.column_blocks : area % cut.row_blocks;
    const std::size_t j = rows_outside ? area % cut.column_blocks : area / cut.row_blocks;
    const Target<T> target =
        part == 0 ? Target<T>{p.bias, 0, p.c} : Target<T>{nullptr, 0, parts.data() + (part - 1) * size};
    run_block(p, cut, target, next_part({0, p.m}, i * cut.block_rows, cut.block_rows),
              next_part({0, p.n}, j * cut.block_columns, cut.block_columns, column_slack),
              next_part({0, p.k}, part * cut.block_depth, cut.block_depth), panels.data() + block * panel_size(p, cut));
    finished.end(i);
  });
  if (cut.depth_blocks == 1) return;
  for_units(p.m, p.n, 16384, [&](std::size_t i) {
    T* const row = p.c + i * p.n;
    for (std::size_t part = 1; part < cut.depth_blocks; ++part) {
      const T* const sum = parts.data() + (part - 1) * size + i * p.n;
      for (std::size_t j = 0; j < p.n; ++j) row[j] += sum[j];
    }
  });
}

template <class T>
void run_small(const Product<T>& p) {
  RegisterProduct<T> product{p.ta, p.m, p.n, p.k, p.a, p.a_row(), p.b, p.n, p.bias, 0, p.c, p.n};
  if (p.tb == Transpose::no) return run_in_registers(product);
  const Scratch<T> panel(p.k * p.n);
  transpose_panel(p.b, p.k, p.n, p.k, panel.data());
  product.b = panel.data();
  run_in_registers(product);
}

/// C (m, n) = a (m) · bᵀ (n), in the bits of the other kernels: 0 + a·b, so that no sum is -0.
template <class T>
void run_outer(const Product<T>& p) {
  constexpr std::size_t width = Vec<T>::width;
  const std::size_t whole = p.n / width * width, tail = p.n - whole;
  const bool streams =
      p.is_large && p.n * sizeof(T) % memory_line == 0 && reinterpret_cast<std::uintptr_t>(p.c) % memory_line == 0;
  constexpr std::size_t block_elements = 32768;
  const std::size_t rows_of_block = std::max<std::size_t>(1, block_elements / p.n);
  parallel_blocks(divide_up(p.m, rows_of_block), [&](std::size_t block) {
    for (std::size_t i = block * rows_of_block; i < std::min(p.m, (block + 1) * rows_of_block); ++i) {
      const Vec<T> a(p.a[i]);
      T* const row = p.c + i * p.n;
      for (std::size_t j = 0; j < whole; j += width) {
        const Vec<T> product = fma(a, Vec<T>::load(p.b + j), Vec<T>(0));
        streams ? product.stream(row + j) : product.store(row + j);
      }
      if (tail != 0) fma(a, Vec<T>::load_part(p.b + whole, tail), Vec<T>(0)).store_part(row + whole, tail);
    }
    if (streams) finish_streaming();
  });
}

template <class T>
void run_product(const Product<T>& p, const RowsDone* done = nullptr);

/// Cᵀ (n, m) = Bᵀ (n, k) · A (k, m) for C = Aᵀ·B: vectors along the longer extent.
template <class T>
void run_transposed(const Product<T>& p) {
  const Scratch<T> result(p.m * p.n);
  run_product(Product<T>{Transpose::yes, Transpose::no, p.n, p.m, p.k, p.b, p.a, nullptr, result.data()});
  transpose_panel(result.data(), p.m, p.n, p.m, p.c);
}

template <class T>
void run_product(const Product<T>& p, const RowsDone* done) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 1 && p.bias == nullptr && p.m > 1 && p.n >= outer_columns) return run_outer(p);
  if (better_transposed(p.ta, p.tb, p.m, p.n)) return run_transposed(p);
  if (p.k == 0 || runs_in_registers(p.tb, p.m, p.n, p.k)) return run_small(p);
  const GemmCut cut = cut_product(p.ta, p.tb, p.m, p.n, p.k);
  if (cut.kernel != TileKernel::registers) prepare_blas();
  if (cut.blocks() > 1) return run_blocks(p, cut, done);
  const Scratch<T> panel(panel_size(p, cut));
  run_block(p, cut, Target<T>{p.bias, 0, p.c}, {0, p.m}, {0, p.n}, {0, p.k}, panel.data());
}

void check_sizes(const char* operation, std::size_t m, std::size_t n, std::size_t k) {
  constexpr auto max_extent = static_cast<std::size_t>(std::numeric_limits<blas_size>::max());
  if (std::max({m, n, k}) <= max_extent) return;
  throw_as<ValueError>("{}: a product of ({}, {}) and ({}, {}); need extents of at most {}, BLAS's largest", operation,
                       m, k, k, n, max_extent);
}

}  // namespace

template <class T>
void gemm(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k, const T* a, const T* b, T* c) {
  check_sizes("matmul", m, n, k);
  run_product(Product<T>{ta, tb, m, n, k, a, b, nullptr, c});
}

template <class T>
void gemm(Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k, const T* a, const T* b, T* c,
          const RowsDone& done) {
  check_sizes("matmul", m, n, k);
  run_product(Product<T>{ta, tb, m, n, k, a, b, nullptr, c}, &done);
}

template <class T>
void linear(std::size_t m, std::size_t n, std::size_t k, const T* x, const T* w, const T* bias, T* y) {
  check_sizes("linear", m, n, k);
  run_product(Product<T>{Transpose::no, Transpose::no, m, n, k, x, w, bias, y});
}

template <class T>
void batched_gemm(Transpose ta, Transpose tb, std::size_t count, std::size_t m, std::size_t n, std::size_t k,
                  const T* a, const std::size_t* a_offsets, const T* b, const std::size_t* b_offsets, T* c) {
  check_sizes("matmul", m, n, k);
  const auto product = [&](std::size_t i) {
    run_product(Product<T>{ta, tb, m, n, k, a + a_offsets[i], b + b_offsets[i], nullptr, c + i * m * n,
                           count * m * n * sizeof(T) >= uncached_bytes});
  };
  // Many products: each runs serially, several small ones make a block. Few large ones: each is cut itself.
  constexpr double block_work = 0.2e6;
  const double work =
      static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(std::max<std::size_t>(k, 1));
  const double products_per_block =
      std::max(1.0, std::min(block_work / std::max(work, 1.0), static_cast<double>(count)));
  const auto step = static_cast<std::size_t>(products_per_block);
  const std::size_t blocks = divide_up(count, step);
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
  template void gemm(Transpose, Transpose, std::size_t, std::size_t, std::size_t, const T*, const T*, T*);       \
  template void gemm(Transpose, Transpose, std::size_t, std::size_t, std::size_t, const T*, const T*, T*,        \
                     const RowsDone&);                                                                           \
  template void linear(std::size_t, std::size_t, std::size_t, const T*, const T*, const T*, T*);                 \
  template void batched_gemm(Transpose, Transpose, std::size_t, std::size_t, std::size_t, std::size_t, const T*, \
                             const std::size_t*, const T*, const std::size_t*, T*);
XGRAD_INSTANTIATE_PRODUCTS(float)
XGRAD_INSTANTIATE_PRODUCTS(double)
#undef XGRAD_INSTANTIATE_PRODUCTS

}  // namespace xgrad::kernels
