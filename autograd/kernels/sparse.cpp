#include <autograd/kernels/sparse.hpp>

#include <cstring>
#include <type_traits>

namespace xgrad::kernels {

namespace {

/// `width` numbers as one vector of g++ and clang, so that a row stays in registers.
template <class T, std::size_t width>
struct RowOf {
  typedef T Vector __attribute__((vector_size(width * sizeof(T))));
};
template <class T, std::size_t width>
using Row = typename RowOf<T, width>::Vector;

/// To and from memory of any alignment. A vector wider than the machine's registers is no result of a function:
/// compilers differ in how they hand it on.
template <class T, class Vector>
void load(Vector& row, const T* source) {
  std::memcpy(&row, source, sizeof row);
}
template <class T, class Vector>
void store(const Vector& row, T* target) {
  std::memcpy(target, &row, sizeof row);
}

/// The sum of a row, by halves: the order is the same on every machine.
template <class T>
T total(const Row<T, 8>& x) {
  const Row<T, 4> half = __builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7);
  return (half[0] + half[2]) + (half[1] + half[3]);
}
template <class T>
T total(const Row<T, 16>& x) {
  return total<T>(Row<T, 8>(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
                            __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15)));
}

/// Calls f with the width as a constant.
template <class F>
void with_constant(std::size_t width, const F& f) {
  if (width == 16)
    f(std::integral_constant<std::size_t, 16>());
  else
    f(std::integral_constant<std::size_t, 8>());
}

}  // namespace

template <class T>
void sparse_product(const SparseRows& a, std::size_t first, std::size_t end, std::size_t width, const T* value,
                    const T* start, const T* x, T* y) {
  with_constant(width, [=](auto n) {
    for (std::size_t r = first; r < end; ++r) {
      Row<T, n> sum = start[r - first] + Row<T, n>{};
      for (std::uint32_t k = a.begin[r]; k < a.begin[r + 1]; ++k) {
        Row<T, n> other;
        load(other, x + a.column[k] * n);
        sum += value[k] * other;
      }
      store(sum, y + (r - first) * n);
    }
  });
}

template <class T>
void sparse_product_vjp(const SparseRows& a, std::size_t first, std::size_t end, std::size_t width, const T* value,
                        const T* start, const T* x, T* y, const T* z, T* dvalue) {
  with_constant(width, [=](auto n) {
    for (std::size_t r = first; r < end; ++r) {
      const std::size_t at = (r - first) * n;
      Row<T, n> sum{}, own, other;
      if (start != nullptr) load(sum, start + at);
      load(own, z + at);
      for (std::uint32_t k = a.begin[r]; k < a.begin[r + 1]; ++k) {
        load(other, x + a.column[k] * n);
        sum += value[k] * other;
        dvalue[k] += total<T>(own * other);
      }
      store(sum, y + at);
    }
  });
}

template <class T>
void add_row_sums(std::size_t rows, std::size_t width, const T* x, T* sums) {
  with_constant(width, [=](auto n) {
    for (std::size_t r = 0; r < rows; ++r) {
      Row<T, n> row;
      load(row, x + r * n);
      sums[r] += total<T>(row);
    }
  });
}

#define XGRAD_INSTANTIATE_SPARSE(T)                                                                                    \
  template void sparse_product(const SparseRows&, std::size_t, std::size_t, std::size_t, const T*, const T*, const T*, \
                               T*);                                                                                    \
  template void sparse_product_vjp(const SparseRows&, std::size_t, std::size_t, std::size_t, const T*, const T*,       \
                                   const T*, T*, const T*, T*);                                                        \
  template void add_row_sums(std::size_t, std::size_t, const T*, T*);
XGRAD_INSTANTIATE_SPARSE(float)
XGRAD_INSTANTIATE_SPARSE(double)
#undef XGRAD_INSTANTIATE_SPARSE

}  // namespace xgrad::kernels
