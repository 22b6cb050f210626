#include <autograd/kernels/gemm/blas.hpp>

#include <cmath>
#include <cstdio>
#include <mutex>
#include <vector>
#include <xtensor-blas/xlinalg.hpp>
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>

// OpenBLAS's own functions. Weak, so that another BLAS links as well.
extern "C" {
[[gnu::weak]] void openblas_set_num_threads(int threads);
[[gnu::weak]] int openblas_get_parallel(void);
}

namespace xgrad::kernels {

namespace {

void set_up() {
  if (openblas_set_num_threads == nullptr) return;
  openblas_set_num_threads(1);
  // 0: built without threads, hence without locks; 1: pthread; 2: OpenMP, where each thread has its own setting.
  if (const int parallel = openblas_get_parallel != nullptr ? openblas_get_parallel() : 1; parallel != 1) {
    std::fprintf(stderr, "xgrad: this OpenBLAS is the %s; install libopenblas0-pthread\n",
                 parallel == 0 ? "serial build, which is unsafe for several threads"
                               : "OpenMP build, whose threads get in the way of xgrad's");
  }
}

}  // namespace

void prepare_blas() {
  static std::once_flag once;
  std::call_once(once, set_up);
}

void orthonormal_factor(std::size_t rows, std::size_t columns, const double* a, double* q) {
  prepare_blas();
  const xt::xarray<double> matrix =
      xt::adapt(a, rows * columns, xt::no_ownership(), std::vector<std::size_t>{rows, columns});
  const auto [factor, triangle] = xt::linalg::qr(matrix);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) q[i * columns + j] = std::copysign(1.0, triangle(j, j)) * factor(i, j);
}

}  // namespace xgrad::kernels
