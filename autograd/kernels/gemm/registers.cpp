#include <autograd/kernels/gemm/registers.hpp>
#include <autograd/kernels/simd/simd.hpp>

namespace xgrad::kernels {

namespace {

// A wide tile with the vectors of a row of B and an element of A fills the registers. One that is a vector wide needs
// rows enough to hide the latency of the sums.
constexpr std::size_t wide_vectors = register_columns / Vec<float>::width;
constexpr std::size_t wide_rows = 6, narrow_rows = 8;

/// g++ 12 would load a vector of B again for each row, which takes twice as long where it lies in two cache lines.
template <class T>
[[gnu::always_inline]] inline Vec<T> in_register(Vec<T> v) {
#if defined(__x86_64__)
  asm("" : "+v"(v.batch.data));
#endif
  return v;
}

/// The tile of C at (i, j). A partial one has less than a vector of columns, those from j on.
template <Transpose ta, std::size_t rows, std::size_t vectors, bool partial, class T>
[[gnu::always_inline]] inline void run_tile(const RegisterProduct<T>& p, std::size_t i, std::size_t j) {
  using V = Vec<T>;
  const std::size_t rest = p.n - j;
  const auto load = [&](const T* x) {
    if constexpr (partial)
      return V::load_part(x, rest);
    else
      return V::load(x);
  };
  V sum[rows][vectors];
  const T* const start = p.start == nullptr ? nullptr : p.start + i * p.start_row + j;
  unrolled<rows>([&](auto r) {
    unrolled<vectors>(
        [&](auto v) { sum[r][v] = start == nullptr ? V(0) : load(start + r * p.start_row + v * V::width); });
  });
  // Steps of 1 that the compiler knows become displacements.
  const std::size_t row = ta == Transpose::yes ? 1 : p.a_row, column = ta == Transpose::yes ? p.a_row : 1;
  const std::size_t b_row = p.b_row, c_row = p.c_row;
  const T* a = p.k == 0 ? nullptr : p.a + i * row;  // with k = 0 there may be no A and B
  const T* b = p.k == 0 ? nullptr : p.b + j;
  for (std::size_t l = 0; l < p.k; ++l, a += column, b += b_row) {
    V b_vectors[vectors];
    unrolled<vectors>([&](auto v) { b_vectors[v] = in_register(load(b + v * V::width)); });
    unrolled<rows>([&](auto r) {
      const V factor(a[r * row]);
      unrolled<vectors>([&](auto v) { sum[r][v] = fma(factor, b_vectors[v], sum[r][v]); });
    });
  }
  T* const c = p.c + i * c_row + j;
  unrolled<rows>([&](auto r) {
    unrolled<vectors>([&](auto v) {
      if constexpr (partial)
        sum[r][v].store_part(c + r * c_row, rest);
      else
        sum[r][v].store(c + r * c_row + v * V::width);
    });
  });
}

/// The columns of C from j on, so many vectors of them: tiles of so many rows, then one for the rows left.
template <Transpose ta, std::size_t rows, std::size_t vectors, bool partial = false, class T>
void run_columns(const RegisterProduct<T>& p, std::size_t j, std::size_t i = 0) {
  // Of 7 and 8 rows left, 6 would leave so few that they wait for B; 4 and 3, 4 and 4 do not.
  const auto cut_in_halves = [](std::size_t left) { return vectors > 1 && rows > 4 && (left == 7 || left == 8); };
  for (; i + rows <= p.m && !cut_in_halves(p.m - i); i += rows) run_tile<ta, rows, vectors, partial>(p, i, j);
  if constexpr (rows > 1) {
    if (i < p.m) run_columns<ta, rows - 1, vectors, partial>(p, j, i);
  }
}

template <Transpose ta, class T>
void run(const RegisterProduct<T>& p) {
  constexpr std::size_t width = Vec<T>::width;
  std::size_t j = 0;
  for (; j + wide_vectors * width <= p.n; j += wide_vectors * width) run_columns<ta, wide_rows, wide_vectors>(p, j);
  for (; j + width <= p.n; j += width) run_columns<ta, narrow_rows, 1>(p, j);
  if (j < p.n) run_columns<ta, narrow_rows, 1, true>(p, j);
}

}  // namespace

template <class T>
void run_in_registers(const RegisterProduct<T>& p) {
  p.ta == Transpose::yes ? run<Transpose::yes>(p) : run<Transpose::no>(p);
}

template void run_in_registers(const RegisterProduct<float>&);
template void run_in_registers(const RegisterProduct<double>&);

}  // namespace xgrad::kernels
