#include <autograd/kernels/gemm/blas.hpp>
#include <autograd/kernels/gemm/qr.hpp>

#include <cmath>
#include <vector>
#include <xtensor-blas/xlinalg.hpp>
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>

namespace xgrad::kernels {

void orthonormal_factor(std::size_t rows, std::size_t columns, const double* a, double* q) {
  prepare_blas();
  const xt::xarray<double> matrix =
      xt::adapt(a, rows * columns, xt::no_ownership(), std::vector<std::size_t>{rows, columns});
  const auto [factor, triangle] = xt::linalg::qr(matrix);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) q[i * columns + j] = std::copysign(1.0, triangle(j, j)) * factor(i, j);
}

}  // namespace xgrad::kernels
