#include <autograd/kernels/simd/lanes.hpp>
#include <autograd/kernels/sum.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <vector>

namespace xgrad::kernels {

namespace {

template <class T>
using Scratch = std::vector<T, CachedAllocator<T>>;

constexpr std::size_t block_elements = 32768;  // a thread's share at a time: TBB's break-even of an add is about 20K
constexpr std::size_t group_size = 8;          // rows, or vectors of a row, that are added in pairs, in T
constexpr std::size_t chunk_elements = 4096;   // of a row
constexpr std::size_t max_chunk_rows = 512;
constexpr std::size_t max_columns = 1024;  // of a block, whose sums stay in the L1 cache
constexpr std::size_t half = Vec<double>::width;

enum class Terms { plain, squared };

/// A sum in more digits than T has: of float in double, of double in two numbers.
template <class T>
struct Total;
template <>
struct Total<float> {
  double sum = 0;

  void add(Total other) { sum += other.sum; }
  double value() const { return sum; }
};
template <>
struct Total<double> {
  double sum = 0;
  double lost = 0;

  /// Knuth's sum. What is lost beside infinities and NaN is NaN.
  void add(Total other) {
    const double next = sum + other.sum, back = next - sum;
    lost += other.lost + ((sum - (next - back)) + (other.sum - back));
    sum = next;
  }
  double value() const { return sum + lost - (sum + lost) == 0 ? sum + lost : sum; }
};

/// The same in the lanes of vectors.
template <class T>
struct WideSum;
template <>
struct WideSum<float> {
  Vec<double> low = 0;  // of the first lanes
  Vec<double> high = 0;

  void add(Vec<float> v) {
    const auto [first, second] = widened(v);
    low = low + first;
    high = high + second;
  }
  void add_square(Vec<float> v) {
    const auto [first, second] = widened(v);
    low = fma(first, first, low);
    high = fma(second, second, high);
  }
  std::array<Vec<double>, 2> values() const { return {low, high}; }
};
template <>
struct WideSum<double> {
  Vec<double> sum = 0;
  Vec<double> lost = 0;

  void add(Vec<double> v) {
    const Vec<double> next = sum + v, back = next - sum;
    lost = lost + ((sum - (next - back)) + (v - back));
    sum = next;
  }
  void add_square(Vec<double> v) { add(v * v); }
  std::array<Vec<double>, 1> values() const {
    const Vec<double> value = sum + lost;
    return {where(value - value == 0, value, sum)};
  }
};

template <Terms terms, class T>
void add_term(WideSum<T>& sum, Vec<T> v) {
  if constexpr (terms == Terms::squared)
    sum.add_square(v);
  else
    sum.add(v);
}

/// Keeps loads in the order of their addresses, for which memory is fetched ahead: g++ turns them around.
template <class T>
Vec<T> in_order(Vec<T> v) {
#if defined(__SSE2__)
  auto lanes = static_cast<typename Vec<T>::Batch::register_type>(v.batch);
  asm volatile("" : "+x"(lanes));
  v.batch = lanes;
#endif
  return v;
}

/// The vectors load(0), ..., load(7) in pairs.
template <class Load>
auto add_pairs(const Load& load) {
  static_assert(group_size == 8);
  std::array<decltype(load(0)), group_size> v;
  unrolled<group_size>([&](auto i) { v[i] = in_order(load(i)); });
  return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

/// Of n contiguous elements.
template <Terms terms>
Total<float> sum_run(const float* x, std::size_t n) {
  std::array<Vec<double>, 4> sums{Vec<double>(0), Vec<double>(0), Vec<double>(0), Vec<double>(0)};
  const auto add = [](Vec<double> sum, Vec<double> v) { return terms == Terms::squared ? fma(v, v, sum) : sum + v; };
  std::size_t i = 0;
  for (; i + 4 * half <= n; i += 4 * half)
    unrolled<4>([&](auto k) { sums[k] = add(sums[k], load_widened(x + i + k * half)); });
  for (std::size_t k = 0; i < n; i += 2 * half, k += 2) {
    const auto [low, high] = widened(Vec<float>::load_part(x + i, std::min(2 * half, n - i)));
    sums[k] = add(sums[k], low);
    sums[k + 1] = add(sums[k + 1], high);
  }
  return {fold((sums[0] + sums[1]) + (sums[2] + sums[3]), [](Vec<double> a, Vec<double> b) { return a + b; })};
}

template <Terms terms>
Total<double> sum_run(const double* x, std::size_t n) {
  WideSum<double> sum;
  std::size_t i = 0;
  if constexpr (terms == Terms::plain)
    for (; i + group_size * half <= n; i += group_size * half)
      sum.add(add_pairs([&](std::size_t k) { return Vec<double>::load(x + i + k * half); }));
  for (; i < n; i += half) add_term<terms>(sum, Vec<double>::load_part(x + i, std::min(half, n - i)));
  alignas(64) double lanes[2][half];
  sum.sum.store(lanes[0]);
  sum.lost.store(lanes[1]);
  Total<double> total;
  for (std::size_t k = 0; k < half; ++k) total.add({lanes[0][k], lanes[1][k]});
  return total;
}

/// The rows of a vector of columns, by load(row).
template <Terms terms, class T, class Load>
void add_rows(WideSum<T>& sum, std::size_t rows, const Load& load) {
  std::size_t row = 0;
  if constexpr (terms == Terms::plain)
    for (; row + group_size <= rows; row += group_size)
      sum.add(add_pairs([&](std::size_t i) { return load(row + i); }));
  for (; row < rows; ++row) add_term<terms>(sum, load(row));
}

/// Calls body(column, how many, load of a row) for the vectors of columns [0, columns) of rows that are so far apart.
template <class T, class Body>
void for_columns(std::size_t columns, std::size_t stride, const T* x, const Body& body) {
  for_vectors<T>(0, columns, [&](std::size_t j, auto count) {
    body(j, count, [=](std::size_t row) { return load(x + row * stride + j, count); });
  });
}

/// A group of rows is read over all columns, so that memory is read in long runs.
template <Terms terms, class T, class Put>
XGRAD_FLATTEN void sum_wide_columns(std::size_t rows, std::size_t columns, std::size_t stride, const T* x,
                                    const Put& put) {
  alignas(64) double state[max_columns / Vec<T>::width][2][half];
  for (std::size_t row = 0; row < rows; row += group_size) {
    const std::size_t taken = std::min(group_size, rows - row);
    for_columns(columns, stride, x + row * stride, [&](std::size_t j, auto count, const auto& load_row) {
      auto& [first, second] = state[j / Vec<T>::width];
      WideSum<T> sum;
      if (row > 0) sum = {Vec<double>::load(first), Vec<double>::load(second)};
      add_rows<terms>(sum, taken, load_row);
      if (row + taken == rows) return put(j, count, sum);
      const auto& [one, other] = sum;
      one.store(first);
      other.store(second);
    });
  }
}

/// The sums of columns [0, columns) over rows that are so far apart, to put(column, how many, sums).
template <Terms terms, class T, class Put>
XGRAD_FLATTEN void sum_columns(std::size_t rows, std::size_t columns, std::size_t stride, const T* x, const Put& put) {
  constexpr std::size_t few = 8 * Vec<T>::width, cache_bytes = 32768;
  if (columns >= few && rows * stride * sizeof(T) > cache_bytes)
    return sum_wide_columns<terms>(rows, columns, stride, x, put);
  for_columns(columns, stride, x, [&](std::size_t j, auto count, const auto& load_row) {
    WideSum<T> sum;
    add_rows<terms>(sum, rows, load_row);
    put(j, count, sum);
  });
}

/// The sums in the first count lanes.
template <class Count>
void store_totals(const WideSum<float>& sums, Total<float>* to, Count count) {
  alignas(64) double values[2][half];
  sums.low.store(values[0]);
  sums.high.store(values[1]);
  for (std::size_t i = 0; i < count; ++i) to[i] = {(&values[0][0])[i]};
}
template <class Count>
void store_totals(const WideSum<double>& sums, Total<double>* to, Count count) {
  alignas(64) double values[2][half];
  sums.sum.store(values[0]);
  sums.lost.store(values[1]);
  for (std::size_t i = 0; i < count; ++i) to[i] = {values[0][i], values[1][i]};
}

/// finish(sum) of each of them.
template <class T, class Count, class Finish>
void store_sums(const WideSum<T>& sums, T* to, Count count, const Finish& finish) {
  alignas(64) double values[Vec<T>::width];
  std::size_t at = 0;
  for (const Vec<double> value : sums.values()) finish(value).store(values + half * at++);
  if constexpr (std::is_same_v<T, float>) {
    alignas(64) float rounded[Vec<float>::width];  // all lanes, which is vector code
    for (std::size_t i = 0; i < Vec<float>::width; ++i) rounded[i] = static_cast<float>(values[i]);
    store(Vec<float>::load(rounded), to, count);
  } else {
    store(Vec<double>::load(values), to, count);
  }
}

/// (outer, chunks, inner) partial sums to (outer, inner), in order.
template <class T, class Finish>
void combine_chunks(std::size_t outer, std::size_t chunks, std::size_t inner, const Total<T>* partial, T* out,
                    const Finish& finish) {
  constexpr std::size_t max_together = 256;
  const std::size_t pieces = divide_up(inner, max_together);
  for_units(outer * pieces, chunks * std::min(inner, max_together), block_elements, [&](std::size_t unit) {
    const std::size_t first = unit % pieces * max_together, columns = std::min(max_together, inner - first);
    const Total<T>* source = partial + unit / pieces * chunks * inner + first;
    std::array<Total<T>, max_together> totals;
    for (std::size_t c = 0; c < chunks; ++c, source += inner)
      for (std::size_t j = 0; j < columns; ++j) totals[j].add(source[j]);
    for (std::size_t j = 0; j < columns; ++j)
      out[unit / pieces * inner + first + j] = static_cast<T>(finish(totals[j].value()));
  });
}

template <Terms terms, class T, class Finish>
void reduce_rows(std::size_t rows, std::size_t count, const T* x, T* out, const Finish& finish) {
  const std::size_t chunks = divide_up(count, chunk_elements);
  if (chunks == 1) {
    for_units(rows, count, block_elements, [&](std::size_t row) {
      out[row] = static_cast<T>(finish(sum_run<terms>(x + row * count, count).value()));
    });
    return;
  }
  Scratch<Total<T>> partial(rows * chunks);
  for_units(partial.size(), chunk_elements, block_elements, [&](std::size_t unit) {
    const std::size_t first = unit % chunks * chunk_elements;
    partial[unit] = sum_run<terms>(x + unit / chunks * count + first, std::min(chunk_elements, count - first));
  });
  combine_chunks(rows, chunks, 1, partial.data(), out, finish);
}

/// A share of numbers whose sums, of as many as there may be, are in the range of double.
template <class T>
constexpr double summable = std::is_same_v<T, float> ? 1 : 0x1p-64;

/// Σ of that share of count elements so far apart.
template <class T>
double sum_of_strided(const T* x, std::size_t count, std::size_t stride) {
  Total<double> sum;
  for (std::size_t i = 0; i < count; ++i) sum.add({static_cast<double>(x[i * stride]) * summable<T>});
  return sum.value();
}

/// finish(Σ x) or finish(Σ x²) over the middle axis, where finish takes and gives double or vectors of it.
template <Terms terms, class T, class Finish>
void reduce(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out, const Finish& finish) {
  if (count == 0 || inner == 0) {
    std::fill_n(out, outer * inner, static_cast<T>(finish(0.0)));
    return;
  }
  if (inner == 1) return reduce_rows<terms>(outer, count, x, out, finish);
  if (outer == 1 && count <= 4 * group_size && inner <= max_columns)  // one unit, without the divisions
    return sum_columns<terms>(count, inner, inner, x, [&](std::size_t j, auto lanes, const WideSum<T>& sum) {
      store_sums(sum, out + j, lanes, finish);
    });
  const std::size_t columns = std::min(inner, max_columns);
  const std::size_t rows = std::clamp(block_elements / columns, 4 * group_size, max_chunk_rows);
  const std::size_t pieces = divide_up(inner, max_columns);
  const std::size_t chunks = divide_up(count, rows);
  Scratch<Total<T>> partial(chunks == 1 ? 0 : outer * chunks * inner);
  for_units(outer * chunks * pieces, std::min(rows, count) * columns, block_elements, [&](std::size_t unit) {
    const std::size_t first_column = unit % pieces * max_columns;
    const std::size_t line = unit / pieces;  // of the partial sums (outer · chunks, inner)
    const std::size_t first_row = line % chunks * rows, to = line * inner + first_column;
    sum_columns<terms>(std::min(rows, count - first_row), std::min(max_columns, inner - first_column), inner,
                       x + (line / chunks * count + first_row) * inner + first_column,
                       [&](std::size_t j, auto lanes, const WideSum<T>& sum) {
                         if (chunks == 1)
                           store_sums(sum, out + to + j, lanes, finish);
                         else
                           store_totals(sum, partial.data() + to + j, lanes);
                       });
  });
  if (chunks > 1) combine_chunks(outer, chunks, inner, partial.data(), out, finish);
}

/// The same for plain sums, a multiple of which is wanted, and which may overflow on the way where the result does not.
template <class T, class Finish>
void reduce_plain(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out, const Finish& finish) {
  reduce<Terms::plain>(outer, count, inner, x, out, finish);
  if (std::is_same_v<T, float> && inner == 1) return;  // added up in double
  for (std::size_t i = 0; i < outer * inner; ++i)
    if (!std::isfinite(out[i])) [[unlikely]]
      out[i] =
          static_cast<T>(finish(sum_of_strided(x + i / inner * count * inner + i % inner, count, inner)) / summable<T>);
}

/// x - mean of a row of float, the mean in two parts.
void subtract_mean_of_row(const float* x, std::size_t count, float* out) {
  const double mean = sum_run<Terms::plain>(x, count).value() / static_cast<double>(count);
  const auto head = static_cast<float>(mean);
  const float tail = mean - mean == 0 ? static_cast<float>(mean - static_cast<double>(head)) : 0.0f;
  for_vectors<float>(0, count, [&](std::size_t j, auto lanes) {
    store((load(x + j, lanes) - Vec<float>(head)) - Vec<float>(tail), out + j, lanes);
  });
}

/// out = x - shift, where the shift is that of the columns of (rows, columns), or of the rows.
template <class T>
void subtract(std::size_t rows, std::size_t columns, bool of_columns, const T* x, const T* shift, T* out) {
  const std::size_t pieces = divide_up(columns, chunk_elements);
  for_units(rows * pieces, std::min(columns, chunk_elements), block_elements, [&](std::size_t unit) {
    const std::size_t row = unit / pieces, first = unit % pieces * chunk_elements, at = row * columns;
    for_vectors<T>(first, std::min(columns, first + chunk_elements), [&](std::size_t j, auto lanes) {
      const Vec<T> shifts = of_columns ? load(shift + j, lanes) : Vec<T>(shift[row]);
      store(load(x + at + j, lanes) - shifts, out + at + j, lanes);
    });
  });
}

/// The same for each of the outer parts.
template <class T>
void subtract(std::size_t outer, std::size_t count, std::size_t inner, const T* x, const T* shift, T* out) {
  if (inner == 1) return subtract(outer, count, false, x, shift, out);
  for (std::size_t o = 0; o < outer; ++o, x += count * inner, out += count * inner, shift += inner)
    subtract(count, inner, true, x, shift, out);
}

/// √Σ x² of elements so far apart, scaled by a power of 2.
double scaled_norm(const double* x, std::size_t count, std::size_t stride) {
  double largest = 0;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i * stride]));
  if (largest == 0 || std::isinf(largest)) return largest;
  const int exponent = std::ilogb(largest);
  Total<double> total;
  for (std::size_t i = 0; i < count; ++i) {
    const double scaled = std::scalbn(x[i * stride], -exponent);
    total.add({scaled * scaled});
  }
  return std::scalbn(std::sqrt(total.value()), exponent);
}

}  // namespace

template <class T>
void sum(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out) {
  reduce_plain(outer, count, inner, x, out, [](auto sum) { return sum; });
}

template <class T>
void mean(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out) {
  reduce_plain(outer, count, inner, x, out, [n = static_cast<double>(count)](auto sum) { return sum / n; });
}

template <class T>
void subtract_mean(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out) {
  if (outer * count * inner == 0) return;
  if constexpr (std::is_same_v<T, float>)
    if (inner == 1 && count <= chunk_elements)
      return for_units(outer, count, block_elements,
                       [&](std::size_t row) { subtract_mean_of_row(x + row * count, count, out + row * count); });
  Scratch<T> means(outer * inner);
  mean(outer, count, inner, x, means.data());
  subtract(outer, count, inner, x, means.data(), out);
  mean(outer, count, inner, out, means.data());  // what rounding the mean has left, nothing beside a difference that
  for (T& left : means)                          // overflows
    if (!std::isfinite(left)) left = 0;
  subtract(outer, count, inner, out, means.data(), out);
}

template <class T>
void norm(std::size_t outer, std::size_t count, std::size_t inner, const T* x, T* out) {
  reduce<Terms::squared>(outer, count, inner, x, out, [](auto sum) {
    using std::sqrt;
    return sqrt(sum);
  });
  if constexpr (std::is_same_v<T, double>)
    for (std::size_t i = 0; i < outer * inner; ++i)
      if (!(out[i] > 0x1p-480 && out[i] < 0x1p510) && !std::isnan(out[i]))
        out[i] = scaled_norm(x + i / inner * count * inner + i % inner, count, inner);
}

#define XGRAD_INSTANTIATE(T)                                                        \
  template void sum(std::size_t, std::size_t, std::size_t, const T*, T*);           \
  template void mean(std::size_t, std::size_t, std::size_t, const T*, T*);          \
  template void subtract_mean(std::size_t, std::size_t, std::size_t, const T*, T*); \
  template void norm(std::size_t, std::size_t, std::size_t, const T*, T*);
XGRAD_INSTANTIATE(float)
XGRAD_INSTANTIATE(double)
#undef XGRAD_INSTANTIATE

}  // namespace xgrad::kernels
