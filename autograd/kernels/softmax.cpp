#include <autograd/kernels/simd/elementary.hpp>
#include <autograd/kernels/simd/lanes.hpp>
#include <autograd/kernels/softmax.hpp>
#include <autograd/parallel/parallel.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

namespace xgrad::kernels {

namespace {

constexpr std::size_t block_elements = 16384;  // a thread's share at a time: TBB's break-even of exp is about 8K
constexpr std::size_t accumulators = 4;
constexpr std::size_t chain = 16;  // vectors added to one accumulator in T before their sum is added in double

/// Elements up to which rows are transposed: a gain while it costs less than reductions across lanes.
template <class T>
constexpr std::size_t max_short_forward = 4 * Vec<T>::width;
template <class T>
constexpr std::size_t max_short_vjp = Vec<T>::width;

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();

// Every kernel below is written once, over one of two views of its rows. LongRow is one row, cut into vectors: what
// belongs to the row as a whole stands in every lane. ShortRows are as many rows as a vector has lanes, transposed, so
// that vector j holds their elements j and lane r belongs to row r: short rows leave no lane idle, and nothing is
// combined across lanes. A view gives contiguous vectors to for_vectors, numbered by their first element.

/// Unused lanes are -inf.
template <class T, class Count>
Vec<T> load_logits(const T* x, Count count) {
  if constexpr (std::is_same_v<Count, All<T>>)
    return Vec<T>::load(x);
  else
    return Vec<T>::load_part(x, count, -infinity<T>);
}

template <class T>
class LongRow {
 public:
  using Element = T;
  struct Buffer {};

  LongRow(std::size_t row, std::size_t n) : row_(row), n_(n) {}

  std::size_t length() const { return n_; }
  const T* read(const T* x, Buffer&) const { return x + row_ * n_; }
  T* target(T* y, Buffer&) const { return y + row_ * n_; }
  void write(const Buffer&, T*) const {}

  /// number(row) in the lanes of the row, and the way back.
  template <class Number>
  Vec<T> per_row(const Number& number) const {
    return number(row_);
  }
  template <class Put, class... V>
  void for_rows(const Put& put, V... v) const {
    put(row_, v.batch.get(0)...);
  }

  template <class Op>
  Vec<T> combine(Vec<T> v, const Op& op) const {
    return fold(v, op);
  }

  /// Where the elements of vector j are the labelled ones.
  std::int64_t labels(const std::int64_t* of_rows) const { return of_rows[row_]; }
  Mask<T> matches(std::int64_t label, std::size_t j) const {
    return lane_numbers<T>() == Vec<T>(label - static_cast<std::int64_t>(j));
  }

 private:
  std::size_t row_;
  std::size_t n_;
};

template <class T>
class ShortRows {
 public:
  using Element = T;
  static constexpr std::size_t width = Vec<T>::width;
  struct Buffer {
    alignas(64) T vectors[max_short_forward<T> * width];
  };

  ShortRows(std::size_t first, std::size_t rows, std::size_t n) : first_(first), rows_(rows), n_(n) {}

  std::size_t length() const { return n_ * width; }
  const T* read(const T* x, Buffer& buffer) const {
    for_tiles([&](std::size_t first_column, std::size_t columns, auto power) {
      const T* const corner = x + first_ * n_ + first_column;
      Square<T> m;
      unrolled<width>(
          [&](auto r) { m[r] = Vec<T>::load_part(corner + (r < rows_ ? r : 0) * n_, r < rows_ ? columns : 0); });
      rows_to_columns<power>(m);
      unrolled<power>([&](auto j) { m[j].store(buffer.vectors + (first_column + j) * width); });
    });
    return buffer.vectors;
  }
  T* target(T*, Buffer& buffer) const { return buffer.vectors; }
  void write(const Buffer& buffer, T* y) const {
    for_tiles([&](std::size_t first_column, std::size_t columns, auto power) {
      T* const corner = y + first_ * n_ + first_column;
      Square<T> m;
      unrolled<power>([&](auto j) { m[j] = Vec<T>::load(buffer.vectors + (first_column + j) * width); });
      columns_to_rows<power>(m);
      unrolled<width>([&](auto r) {
        if (r < rows_) m[r].store_part(corner + r * n_, columns);
      });
    });
  }

  template <class Number>
  Vec<T> per_row(const Number& number) const {
    alignas(64) T lanes[width];
    if (rows_ == width) {  // a constant count, which compilers make vectors of
      for (std::size_t r = 0; r < width; ++r) lanes[r] = number(first_ + r);
    } else {
      std::fill_n(lanes, width, number(first_));  // unused lanes follow a real row
      for (std::size_t r = 1; r < rows_; ++r) lanes[r] = number(first_ + r);
    }
    return Vec<T>::load(lanes);
  }
  template <class Put, class... V>
  void for_rows(const Put& put, V... v) const {
    alignas(64) T lanes[sizeof...(V)][width];
    std::size_t i = 0;
    (v.store(lanes[i++]), ...);
    const auto put_all = [&](std::size_t rows) {
      for (std::size_t r = 0; r < rows; ++r) [&]<std::size_t... I>(std::index_sequence<I...>) {
          put(first_ + r, lanes[I][r]...);
        }
      (std::index_sequence_for<V...>{});
    };
    rows_ == width ? put_all(width) : put_all(rows_);
  }

  template <class Op>
  Vec<T> combine(Vec<T> v, const Op&) const {
    return v;
  }

  Vec<T> labels(const std::int64_t* of_rows) const {
    return per_row([of_rows](std::size_t row) { return static_cast<T>(of_rows[row]); });
  }
  Mask<T> matches(Vec<T> labels, std::size_t j) const { return labels == Vec<T>(j / width); }

 private:
  /// Calls f(first column, columns, the least power of 2 that is not below columns, as a type) for squares of the rows.
  template <class F>
  void for_tiles(const F& f) const {
    for (std::size_t first = 0; first < n_; first += width) {
      const std::size_t columns = std::min(width, n_ - first);
      if constexpr (width > 8)
        if (columns > 8) {
          f(first, columns, std::integral_constant<std::size_t, width>{});
          continue;
        }
      if constexpr (width > 4)
        if (columns > 4) {
          f(first, columns, std::integral_constant<std::size_t, 8>{});
          continue;
        }
      f(first, columns, std::integral_constant<std::size_t, std::min<std::size_t>(width, 4)>{});
    }
  }

  std::size_t first_;
  std::size_t rows_;
  std::size_t n_;
};

/// body(view) with all that it calls inline: g++ 12 would call exp, and keep every vector in memory across the call.
template <class View, class Body>
XGRAD_FLATTEN void run(const View& view, const Body& body) {
  body(view);
}

/// Calls body(view) for views that cover the rows, in parallel; rows of more than max_short elements are long ones.
template <class T, class Body>
void for_views(std::size_t rows, std::size_t n, std::size_t max_short, const Body& body) {
  constexpr std::size_t width = Vec<T>::width;
  if (n > max_short)
    for_units(rows, n, block_elements, [&](std::size_t row) { run(LongRow<T>(row, n), body); });
  else
    for_units(divide_up(rows, width), n * width, block_elements, [&](std::size_t group) {
      run(ShortRows<T>(group * width, std::min(width, rows - group * width), n), body);
    });
}

/// Σ of the vectors term(j, lanes in use), whose other lanes are 0, in several accumulators.
template <class View, class Term, class T = typename View::Element>
Vec<T> sum_vectors(const View& view, const Term& term) {
  constexpr std::size_t width = Vec<T>::width, chunk = chain * accumulators * width;
  const auto add = [](Vec<T> a, Vec<T> b) { return a + b; };
  const auto sum_chunk = [&](std::size_t first, std::size_t end) {
    std::array<Vec<T>, accumulators> totals;
    totals.fill(Vec<T>(0));
    std::size_t j = first;
    for (; j + accumulators * width <= end; j += accumulators * width)
      unrolled<accumulators>([&](auto k) { totals[k] = totals[k] + term(j + k * width, All<T>()); });
    for_vectors<T>(j, end, [&](std::size_t at, auto count) { totals[0] = totals[0] + term(at, count); });
    return view.combine((totals[0] + totals[1]) + (totals[2] + totals[3]), add);
  };
  const std::size_t length = view.length();
  if (length <= chunk) return sum_chunk(0, length);
  double total = 0;  // of a long row
  for (std::size_t first = 0; first < length; first += chunk)
    total += static_cast<double>(sum_chunk(first, std::min(length, first + chunk)).batch.get(0));
  return total;
}

/// max x, or NaN where that is -inf. NaN in x may get lost: Σ exp(x - shift) then has it.
template <class View, class T>
Vec<T> shift_of(const View& view, const T* x) {
  const auto larger = [](Vec<T> a, Vec<T> b) { return Vec<T>(xsimd::max(a.batch, b.batch)); };
  Vec<T> largest(-infinity<T>);
  for_vectors<T>(0, view.length(),
                 [&](std::size_t j, auto count) { largest = larger(largest, load_logits(x + j, count)); });
  largest = view.combine(largest, larger);
  return where(largest == -infinity<T>, Vec<T>(std::numeric_limits<T>::quiet_NaN()), largest);
}

/// Calls body with a function for x - shift that gives 0 for inf - inf.
template <class T, class Body>
void with_difference(Vec<T> shift, const Body& body) {
  if (!xsimd::any((shift == infinity<T>).bits))
    body([shift](Vec<T> x) { return x - shift; });
  else
    body([shift](Vec<T> x) { return where(x == shift, Vec<T>(0), x - shift); });
}

/// Calls body with a function for masked_product(g, derivative), which is the plain product for most g.
template <class T, class Body>
void with_product(Vec<T> g, const Body& body) {
  if (xsimd::all(((g - g == 0) & (g != 0)).bits))  // finite and not 0
    body([g](Vec<T> derivative) { return g * derivative; });
  else
    body([g](Vec<T> derivative) { return masked_product(g, derivative); });
}

/// Calls body(difference, log Σ exp(x - shift)) where difference(x) is x - shift. The shift is the largest element, k
/// times: the logarithm is log(1 + (k - 1 + Σ of the others)), which keeps the digits of a sum near 1.
template <class View, class T, class Body>
void with_normalizer(const View& view, const T* x, Vec<T> shift, const Body& body) {
  with_difference(shift, [&](const auto& difference) {
    Vec<T> times(0);
    const Vec<T> others = sum_vectors(view, [&](std::size_t j, auto count) {
      const Vec<T> d = difference(load_logits(x + j, count));
      const Mask<T> largest = d == 0;
      times = times + where(largest, Vec<T>(1), Vec<T>(0));
      return where(largest, Vec<T>(0), exp(d));
    });
    times = view.combine(times, [](Vec<T> a, Vec<T> b) { return a + b; });
    body(difference, log1p(others + (times - 1)));
  });
}

/// dlogits = g · derivative(j, log softmax, lanes in use).
template <class View, class T, class Derivative>
void probability_vjp(const View& view, const T* logits, const LogNormalizer<T>* normalizers, const T* g,
                     std::size_t g_step, T* dlogits, const Derivative& derivative) {
  typename View::Buffer in, out;
  const T* const x = view.read(logits, in);
  T* const dx = view.target(dlogits, out);
  const Vec<T> log_sum = view.per_row([=](std::size_t row) { return normalizers[row].log_sum; });
  with_difference(view.per_row([=](std::size_t row) { return normalizers[row].largest; }), [&](const auto& difference) {
    with_product(g_step == 0 ? Vec<T>(*g) : view.per_row([=](std::size_t row) { return g[row]; }),
                 [&](const auto& product) {
                   for_vectors<T>(0, view.length(), [&](std::size_t j, auto count) {
                     const Vec<T> log_p = difference(load(x + j, count)) - log_sum;
                     store(product(derivative(j, log_p, count)), dx + j, count);
                   });
                 });
  });
  view.write(out, dlogits);
}

}  // namespace

template <class T>
void softmax(std::size_t rows, std::size_t n, const T* x, T* y) {
  for_views<T>(rows, n, max_short_forward<T>, [=](const auto& view) {
    typename std::remove_cvref_t<decltype(view)>::Buffer in, out;
    const T* const source = view.read(x, in);
    T* const target = view.target(y, out);
    with_difference(shift_of(view, source), [&](const auto& difference) {
      const Vec<T> total = sum_vectors(view, [&](std::size_t j, auto count) {
        const Vec<T> e = exp(difference(load_logits(source + j, count)));
        store(e, target + j, count);
        return e;
      });
      const Vec<T> factor = Vec<T>(1) / total;
      for_vectors<T>(0, view.length(),
                     [&](std::size_t j, auto count) { store(load(target + j, count) * factor, target + j, count); });
    });
    view.write(out, y);
  });
}

template <class T>
void softmax_vjp(std::size_t rows, std::size_t n, const T* y, const T* g, T* dx) {
  for_views<T>(rows, n, max_short_vjp<T>, [=](const auto& view) {
    typename std::remove_cvref_t<decltype(view)>::Buffer y_buffer, g_buffer, out;
    const T* const output = view.read(y, y_buffer);
    const T* const cotangent = view.read(g, g_buffer);
    T* const target = view.target(dx, out);
    const auto apply = [&](Vec<T> mean, const auto& product) {
      for_vectors<T>(0, view.length(), [&](std::size_t j, auto count) {
        store(product(load(cotangent + j, count) - mean, load(output + j, count)), target + j, count);
      });
    };
    const auto mean_by = [&](const auto& product) {
      return sum_vectors(view, [&](std::size_t j, auto count) {
        return product(load(cotangent + j, count), load(output + j, count));
      });
    };
    const auto plain = [](Vec<T> a, Vec<T> b) { return a * b; };
    const auto masked = [](Vec<T> a, Vec<T> b) { return masked_product(a, b); };
    const Vec<T> mean = mean_by(plain);
    if (xsimd::all((mean - mean == 0).bits))  // finite, and so are all products: nothing to mask
      apply(mean, plain);
    else
      apply(mean_by(masked), masked);
    view.write(out, dx);
  });
}

template <class T>
void log_softmax(std::size_t rows, std::size_t n, const T* x, T* y) {
  for_views<T>(rows, n, max_short_forward<T>, [=](const auto& view) {
    typename std::remove_cvref_t<decltype(view)>::Buffer in, out;
    const T* const source = view.read(x, in);
    T* const target = view.target(y, out);
    with_normalizer(view, source, shift_of(view, source), [&](const auto& difference, Vec<T> log_sum) {
      for_vectors<T>(0, view.length(), [&](std::size_t j, auto count) {
        store(difference(load(source + j, count)) - log_sum, target + j, count);
      });
    });
    view.write(out, y);
  });
}

template <class T>
void log_softmax_vjp(std::size_t rows, std::size_t n, const T* y, const T* g, T* dx) {
  for_views<T>(rows, n, max_short_vjp<T>, [=](const auto& view) {
    typename std::remove_cvref_t<decltype(view)>::Buffer y_buffer, g_buffer, out;
    const T* const output = view.read(y, y_buffer);
    const T* const cotangent = view.read(g, g_buffer);
    T* const target = view.target(dx, out);
    const Vec<T> total = sum_vectors(view, [&](std::size_t j, auto count) { return load(cotangent + j, count); });
    const Mask<T> finite = total - total == 0;
    with_product(total, [&](const auto& product) {
      for_vectors<T>(0, view.length(), [&](std::size_t j, auto count) {
        // Where e^y is near 1 it is the difference that counts: g - Σ g - (e^y - 1)·Σ g.
        const Vec<T> log_p = load(output + j, count), own = load(cotangent + j, count);
        const Mask<T> large = finite & (log_p > -0.5);
        store(where(large, own - total, own) - product(exp_less_one_where(large, log_p)), target + j, count);
      });
    });
    view.write(out, dx);
  });
}

template <class T>
void cross_entropy(std::size_t rows, std::size_t n, const T* logits, const std::int64_t* labels, T* loss,
                   LogNormalizer<T>* normalizers) {
  for_views<T>(rows, n, max_short_forward<T>, [=](const auto& view) {
    typename std::remove_cvref_t<decltype(view)>::Buffer in;
    const T* const x = view.read(logits, in);
    const Vec<T> labelled =
        view.per_row([=](std::size_t row) { return logits[row * n + static_cast<std::size_t>(labels[row])]; });
    const Vec<T> shift = shift_of(view, x);
    with_normalizer(view, x, shift, [&](const auto& difference, Vec<T> log_sum) {
      view.for_rows(
          [=](std::size_t row, T value, T largest, T log_total) {
            loss[row] = value;
            normalizers[row] = {largest, log_total};
          },
          log_sum - difference(labelled), shift, log_sum);
    });
  });
}

template <class T>
void cross_entropy_vjp(std::size_t rows, std::size_t n, const T* logits, const std::int64_t* labels,
                       const LogNormalizer<T>* normalizers, const T* g, std::size_t g_step, T* dlogits) {
  for_views<T>(rows, n, max_short_vjp<T>, [=](const auto& view) {
    const auto own_labels = view.labels(labels);
    probability_vjp(view, logits, normalizers, g, g_step, dlogits, [&](std::size_t j, Vec<T> log_p, auto) {
      return exp_less_one_where(view.matches(own_labels, j), log_p);
    });
  });
}

template <class T>
void cross_entropy_soft(std::size_t rows, std::size_t n, const T* logits, const T* targets, T* loss,
                        LogNormalizer<T>* normalizers) {
  for_views<T>(rows, n, max_short_forward<T>, [=](const auto& view) {
    typename std::remove_cvref_t<decltype(view)>::Buffer x_buffer, t_buffer;
    const T* const x = view.read(logits, x_buffer);
    const T* const target = view.read(targets, t_buffer);
    const Vec<T> shift = shift_of(view, x);
    with_normalizer(view, x, shift, [&](const auto& difference, Vec<T> log_sum) {
      const Vec<T> sum = sum_vectors(view, [&](std::size_t j, auto count) {
        const Vec<T> t = load(target + j, count);
        return where(t == 0, Vec<T>(0), t * (log_sum - difference(load(x + j, count))));
      });
      view.for_rows(
          [=](std::size_t row, T value, T largest, T log_total) {
            loss[row] = value;
            normalizers[row] = {largest, log_total};
          },
          sum, shift, log_sum);
    });
  });
}

template <class T>
void cross_entropy_soft_vjp(std::size_t rows, std::size_t n, const T* logits, const T* targets,
                            const LogNormalizer<T>* normalizers, const T* g, std::size_t g_step, T* dlogits) {
  for_views<T>(rows, n, max_short_vjp<T>, [=](const auto& view) {
    typename std::remove_cvref_t<decltype(view)>::Buffer buffer;
    const T* const t = view.read(targets, buffer);
    const Vec<T> total = sum_vectors(view, [&](std::size_t j, auto count) { return load(t + j, count); });
    probability_vjp(view, logits, normalizers, g, g_step, dlogits,
                    [&](std::size_t j, Vec<T> log_p, auto count) { return exp(log_p) * total - load(t + j, count); });
  });
}

#define XGRAD_INSTANTIATE(T)                                                                                        \
  template void softmax(std::size_t, std::size_t, const T*, T*);                                                    \
  template void softmax_vjp(std::size_t, std::size_t, const T*, const T*, T*);                                      \
  template void log_softmax(std::size_t, std::size_t, const T*, T*);                                                \
  template void log_softmax_vjp(std::size_t, std::size_t, const T*, const T*, T*);                                  \
  template void cross_entropy(std::size_t, std::size_t, const T*, const std::int64_t*, T*, LogNormalizer<T>*);      \
  template void cross_entropy_vjp(std::size_t, std::size_t, const T*, const std::int64_t*, const LogNormalizer<T>*, \
                                  const T*, std::size_t, T*);                                                       \
  template void cross_entropy_soft(std::size_t, std::size_t, const T*, const T*, T*, LogNormalizer<T>*);            \
  template void cross_entropy_soft_vjp(std::size_t, std::size_t, const T*, const T*, const LogNormalizer<T>*,       \
                                       const T*, std::size_t, T*);
XGRAD_INSTANTIATE(float)
XGRAD_INSTANTIATE(double)
#undef XGRAD_INSTANTIATE

}  // namespace xgrad::kernels
