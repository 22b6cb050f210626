#include <doctest/doctest.h>
#include <autograd/kernels/sparse.hpp>

#include <cmath>
#include <random>
#include <vector>

namespace kernels = xgrad::kernels;

TEST_CASE_TEMPLATE("sparse products and their gradient agree with dense ones", T, float, double) {
  constexpr std::size_t rows = 9, columns = 12, first = 2, end = 8;
  std::mt19937 random(1);
  std::uniform_real_distribution<T> draw(-1, 1);
  const auto drawn = [&](std::size_t n) {
    std::vector<T> values(n);
    for (T& value : values) value = draw(random);
    return values;
  };
  std::vector<std::uint32_t> begin = {0}, column;
  for (std::size_t r = 0; r < rows; ++r) {  // row 4 is empty, row 5 full
    for (std::uint32_t c = 0; c < columns; ++c)
      if (r == 5 || (r != 4 && random() % 3 == 0)) column.push_back(c);
    begin.push_back(static_cast<std::uint32_t>(column.size()));
  }
  const kernels::SparseRows a{begin, column};
  const std::vector<T> value = drawn(column.size()), bias = drawn(rows);
  for (const std::size_t width : {8u, 16u}) {
    CAPTURE(width);
    const std::vector<T> x = drawn(columns * width), z = drawn(rows * width), start = drawn(rows * width);
    std::vector<double> product(rows * width), dots(column.size());
    for (std::size_t r = first; r < end; ++r)
      for (std::uint32_t k = begin[r]; k < begin[r + 1]; ++k)
        for (std::size_t j = 0; j < width; ++j) {
          product[r * width + j] += static_cast<double>(value[k]) * x[column[k] * width + j];
          dots[k] += static_cast<double>(z[r * width + j]) * x[column[k] * width + j];
        }
    const auto check = [&](const std::vector<T>& y, const auto& start_of) {
      double worst = 0;
      for (std::size_t i = first * width; i < end * width; ++i)
        worst = std::max(worst, std::abs(y[i] - (start_of(i) + product[i])));
      CHECK(worst < (sizeof(T) == 4 ? 1e-5 : 1e-13));
    };
    std::vector<T> y(rows * width);
    kernels::sparse_product(a, first, end, width, value.data(), bias.data() + first, x.data(),
                            y.data() + first * width);
    check(y, [&](std::size_t i) { return static_cast<double>(bias[i / width]); });
    for (const bool from_zero : {true, false}) {
      std::vector<T> dvalue(column.size(), T(1));
      kernels::sparse_product_vjp(a, first, end, width, value.data(),
                                  from_zero ? nullptr : start.data() + first * width, x.data(),
                                  y.data() + first * width, z.data() + first * width, dvalue.data());
      check(y, [&](std::size_t i) { return from_zero ? 0.0 : static_cast<double>(start[i]); });
      double worst = 0;
      for (std::size_t k = 0; k < column.size(); ++k) worst = std::max(worst, std::abs(dvalue[k] - 1 - dots[k]));
      CHECK(worst < (sizeof(T) == 4 ? 1e-5 : 1e-13));
    }
    std::vector<T> sums(rows, T(2));
    kernels::add_row_sums(rows, width, z.data(), sums.data());
    for (std::size_t r = 0; r < rows; ++r) {
      double sum = 2;
      for (std::size_t j = 0; j < width; ++j) sum += z[r * width + j];
      CHECK(std::abs(sums[r] - sum) < (sizeof(T) == 4 ? 1e-5 : 1e-13));
    }
  }
}
