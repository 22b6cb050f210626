#include <autograd/kernels/reduce.hpp>
#include <autograd/kernels/simd/lanes.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace xgrad::kernels {

namespace {

/// What combines elements: the identity, the step on vectors, and the step between chunks in double.
struct Multiply {
  static constexpr double identity = 1;
  template <class V>
  V operator()(V a, V b) const {
    return a * b;
  }
};

/// The largest or the smallest; NaN wins.
template <bool largest>
struct Extreme {
  static constexpr double identity = (largest ? -1 : 1) * std::numeric_limits<double>::infinity();
  template <class V>
  static auto better(V a, V b) {
    return largest ? a > b : a < b;
  }
  double operator()(double a, double b) const { return better(a, b) || a != a ? a : b; }
  template <class T>
  Vec<T> operator()(Vec<T> a, Vec<T> b) const {
    return where(better(a, b) | isnan(a), a, b);
  }
};
using Largest = Extreme<true>;
using Smallest = Extreme<false>;

template <class T>
using Scratch = std::vector<T, CachedAllocator<T>>;

constexpr std::size_t block_elements = 32768;  // a thread's share at a time: TBB's break-even of an add is about 20K
constexpr std::size_t accumulators = 4;
constexpr std::size_t chain = 64;                 // additions into one accumulator within a chunk
constexpr std::size_t row_group = 8;              // rows that are combined before they meet the accumulator
constexpr std::size_t column_block_bytes = 8192;  // accumulators of a block of columns stay in the L1 cache

/// Elements of a contiguous chunk.
template <class T>
constexpr std::size_t chunk_elements = accumulators* chain* Vec<T>::width;

/// A chunk of n contiguous elements to one.
template <class T, class Op>
T reduce_chunk(const T* x, std::size_t n, const Op& op) {
  using V = Vec<T>;
  constexpr std::size_t width = V::width;
  constexpr T identity = static_cast<T>(Op::identity);
  if (n < width) return fold(V::load_part(x, n, identity), op);
  std::size_t i = width;
  V a = V::load(x);
  if (n >= accumulators * width) {
    V b = V::load(x + width);
    V c = V::load(x + 2 * width);
    V d = V::load(x + 3 * width);
    for (i = accumulators * width; i + accumulators * width <= n; i += accumulators * width) {
      a = op(a, V::load(x + i));
      b = op(b, V::load(x + i + width));
      c = op(c, V::load(x + i + 2 * width));
      d = op(d, V::load(x + i + 3 * width));
    }
    a = op(op(a, b), op(c, d));
  }
  for (; i + width <= n; i += width) a = op(a, V::load(x + i));
  if (i < n) a = op(a, V::load_part(x + i, n - i, identity));
  return fold(a, op);
}

/// Rows of count contiguous elements to one element each.
template <class T, class Op>
void reduce_rows(std::size_t rows, std::size_t count, const T* x, T* out, const Op& op) {
  constexpr std::size_t chunk = chunk_elements<T>;
  if (count <= chunk) {
    for_units(rows, count, block_elements,
              [&](std::size_t row) { out[row] = reduce_chunk(x + row * count, count, op); });
    return;
  }
  const std::size_t chunks = divide_up(count, chunk);
  Scratch<T> partial(rows * chunks);
  for_units(partial.size(), chunk, block_elements, [&](std::size_t unit) {
    const std::size_t first = unit % chunks * chunk;
    partial[unit] = reduce_chunk(x + unit / chunks * count + first, std::min(chunk, count - first), op);
  });
  for (std::size_t row = 0; row < rows; ++row) {
    double value = Op::identity;
    for (std::size_t c = 0; c < chunks; ++c) value = op(value, static_cast<double>(partial[row * chunks + c]));
    out[row] = static_cast<T>(value);
  }
}

/// The row_group rows at x, combined in pairs, by load(row).
template <class Load, class Op>
auto reduce_group(const Load& load, const Op& op) {
  static_assert(row_group == 8);
  return op(op(op(load(0), load(1)), op(load(2), load(3))), op(op(load(4), load(5)), op(load(6), load(7))));
}

/// One vector of columns, its accumulator in a register; load(row) gives the vector of a row.
template <class Load, class Op>
auto reduce_column(std::size_t rows, const Load& load, const Op& op) {
  std::size_t row = 1;
  auto a = load(0);
  if (rows >= row_group) {
    a = reduce_group(load, op);
    for (row = row_group; row + row_group <= rows; row += row_group)
      a = op(a, reduce_group([&](std::size_t i) { return load(row + i); }, op));
  }
  for (; row < rows; ++row) a = op(a, load(row));
  return a;
}

/// (rows, columns) with the given distance between rows to (columns): a column's operations in the order of
/// reduce_column, whole rows at a time where they are wide, so that memory is read in long runs.
template <class T, class Op>
void reduce_columns(std::size_t rows, std::size_t columns, std::size_t stride, const T* x, T* out, const Op& op) {
  using V = Vec<T>;
  constexpr std::size_t width = V::width;
  std::size_t j = 0;
  if (columns >= 8 * width && rows >= 2 * row_group) {
    const std::size_t end = columns - columns % width;
    const auto group = [&](std::size_t row, std::size_t column) {
      const T* const first = x + row * stride + column;
      return reduce_group([&](std::size_t i) { return V::load(first + i * stride); }, op);
    };
    for (j = 0; j < end; j += width) group(0, j).store(out + j);
    std::size_t row = row_group;
    for (; row + row_group <= rows; row += row_group)
      for (j = 0; j < end; j += width) op(V::load(out + j), group(row, j)).store(out + j);
    for (; row < rows; ++row)
      for (j = 0; j < end; j += width) op(V::load(out + j), V::load(x + row * stride + j)).store(out + j);
    j = end;
  }
  for (; j + width <= columns; j += width)
    reduce_column(
        rows, [&](std::size_t row) { return V::load(x + row * stride + j); }, op)
        .store(out + j);
  if (const std::size_t tail = columns - j; tail != 0)
    reduce_column(
        rows, [&](std::size_t row) { return V::load_part(x + row * stride + j, tail); }, op)
        .store_part(out + j, tail);
}

/// (outer, chunks, inner) partial results to (outer, inner), in order.
template <class T, class Op>
void combine_chunks(std::size_t outer, std::size_t chunks, std::size_t inner, const T* partial, T* out, const Op& op) {
  constexpr std::size_t max_columns = 256;
  const std::size_t pieces = divide_up(inner, max_columns);
  for_units(outer * pieces, chunks * std::min(inner, max_columns), block_elements, [&](std::size_t unit) {
    const std::size_t first = unit % pieces * max_columns;
    const std::size_t columns = std::min(max_columns, inner - first);
    const std::size_t o = unit / pieces;
    const T* source = partial + o * chunks * inner + first;
    std::array<double, max_columns> value;
    value.fill(Op::identity);
    for (std::size_t c = 0; c < chunks; ++c, source += inner)
      for (std::size_t j = 0; j < columns; ++j) value[j] = op(value[j], static_cast<double>(source[j]));
    for (std::size_t j = 0; j < columns; ++j) out[o * inner + first + j] = static_cast<T>(value[j]);
  });
}

template <class T, class Op>
void reduce(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out, const Op& op) {
  if (count == 0) {
    std::fill_n(out, outer * inner, static_cast<T>(Op::identity));
    return;
  }
  if (inner == 0) return;
  if (inner == 1) return reduce_rows(outer, count, x, out, op);
  constexpr std::size_t max_columns = column_block_bytes / sizeof(T);
  constexpr std::size_t fewest_rows = 4 * row_group;
  if (outer == 1 && count <= fewest_rows && inner <= max_columns)  // one unit, without the divisions
    return reduce_columns(count, inner, inner, x, out, op);
  const std::size_t columns = std::min(inner, max_columns);
  const std::size_t rows = std::clamp(block_elements / columns, fewest_rows, chain * row_group);
  const std::size_t pieces = divide_up(inner, max_columns);
  const std::size_t chunks = divide_up(count, rows);
  Scratch<T> partial(chunks == 1 ? 0 : outer * chunks * inner);
  T* const target = chunks == 1 ? out : partial.data();
  for_units(outer * chunks * pieces, std::min(rows, count) * columns, block_elements, [&](std::size_t unit) {
    const std::size_t first_column = unit % pieces * max_columns;
    const std::size_t line = unit / pieces;  // of the partial results (outer · chunks, inner)
    const std::size_t first_row = line % chunks * rows;
    reduce_columns(std::min(rows, count - first_row), std::min(max_columns, inner - first_column), inner,
                   x + (line / chunks * count + first_row) * inner + first_column, target + line * inner + first_column,
                   op);
  });
  if (chunks > 1) combine_chunks(outer, chunks, inner, partial.data(), out, op);
}

/// The first position that holds value or NaN; one does.
template <class T>
std::size_t find(const T* x, std::size_t n, T value) {
  using V = Vec<T>;
  for (std::size_t i = 0;; i += V::width) {
    const V v = i + V::width <= n ? V::load(x + i) : V::load_part(x + i, n - i, value);
    const Mask<T> hits = (v == V(value)) | isnan(v);
    if (xsimd::any(hits.bits))
      return i + static_cast<std::size_t>(fold(where(hits, lane_numbers<T>(), V(V::width)), Smallest()));
  }
}

template <class T, class Op>
void arg_reduce(std::size_t outer, std::size_t count, std::size_t inner, const T* x, std::int64_t* out, const Op& op) {
  if (inner == 1 && count <= chunk_elements<T>) {
    for_units(outer, count, block_elements, [&](std::size_t row) {
      const T* const first = x + row * count;
      out[row] = static_cast<std::int64_t>(find(first, count, reduce_chunk(first, count, op)));
    });
    return;
  }
  Scratch<T> values(outer * inner);
  reduce(outer, count, inner, x, values.data(), op);
  if (inner == 1) {
    for_units(outer, count, block_elements, [&](std::size_t row) {
      out[row] = static_cast<std::int64_t>(find(x + row * count, count, values[row]));
    });
    return;
  }
  constexpr std::size_t max_columns = column_block_bytes / sizeof(T);
  const std::size_t pieces = divide_up(inner, max_columns);
  for_units(outer * pieces, count * std::min(inner, max_columns), block_elements, [&](std::size_t unit) {
    const std::size_t first = unit % pieces * max_columns;
    const std::size_t columns = std::min(max_columns, inner - first);
    const std::size_t o = unit / pieces;
    const T* const value = values.data() + o * inner + first;
    std::int64_t* const position = out + o * inner + first;
    for (std::size_t i = count; i-- > 0;) {  // backwards, so that the first one stays
      const T* const row = x + (o * count + i) * inner + first;
      for (std::size_t j = 0; j < columns; ++j)
        position[j] = row[j] == value[j] || row[j] != row[j] ? static_cast<std::int64_t>(i) : position[j];
    }
  });
}

/// Π of count elements so far apart, its exponent kept apart, so that nothing overflows or vanishes on the way.
template <class T>
T scaled_product(const T* x, std::size_t count, std::size_t stride) {
  double product = 1;
  std::int64_t exponent = 0;
  for (std::size_t i = 0; i < count; ++i) {
    int of_factor = 0, of_product = 0;
    product = std::frexp(product * std::frexp(static_cast<double>(x[i * stride]), &of_factor), &of_product);
    exponent += std::isfinite(product) ? of_factor + of_product : 0;
  }
  return static_cast<T>(std::ldexp(product, static_cast<int>(std::clamp<std::int64_t>(exponent, -5000, 5000))));
}

}  // namespace

template <class T>
void prod(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out) {
  reduce(outer, count, inner, x, out, Multiply());
  for (std::size_t i = 0; i < outer * inner; ++i)
    if (out[i] == 0 || !std::isfinite(out[i])) [[unlikely]]
      out[i] = scaled_product(x + i / inner * count * inner + i % inner, count, inner);
}

template <class T>
void max(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out) {
  reduce(outer, count, inner, x, out, Largest());
}

template <class T>
void min(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out) {
  reduce(outer, count, inner, x, out, Smallest());
}

template <class T>
void arg_max(std::size_t outer, std::size_t count, std::size_t inner, const T* x, std::int64_t* out) {
  arg_reduce(outer, count, inner, x, out, Largest());
}

template <class T>
void arg_min(std::size_t outer, std::size_t count, std::size_t inner, const T* x, std::int64_t* out) {
  arg_reduce(outer, count, inner, x, out, Smallest());
}

#define XGRAD_INSTANTIATE(T)                                                             \
  template void prod(std::size_t, std::size_t, std::size_t, const T*, T*);               \
  template void max(std::size_t, std::size_t, std::size_t, const T*, T*);                \
  template void min(std::size_t, std::size_t, std::size_t, const T*, T*);                \
  template void arg_max(std::size_t, std::size_t, std::size_t, const T*, std::int64_t*); \
  template void arg_min(std::size_t, std::size_t, std::size_t, const T*, std::int64_t*);
XGRAD_INSTANTIATE(float)
XGRAD_INSTANTIATE(double)
#undef XGRAD_INSTANTIATE

}  // namespace xgrad::kernels
