#pragma once

#include "tests/support/expect.hpp"

#include <autograd/tensor/creation.hpp>

#include <utility>

namespace expect {

/// A matrix in double whose operations are plain loops: what usage tests compute their expected numbers with.
struct Matrix {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> values{};

  Matrix() = default;
  Matrix(std::size_t m, std::size_t n) : Matrix(m, n, std::vector<double>(m * n)) {}
  Matrix(std::size_t m, std::size_t n, std::vector<double> entries) : rows(m), columns(n), values(std::move(entries)) {}
  explicit Matrix(const xgrad::Tensor& x)
      : Matrix(x.rank() == 2 ? static_cast<std::size_t>(x.shape()[0]) : 1, static_cast<std::size_t>(x.shape().back()),
               expect::values(x)) {}

  double& operator()(std::size_t i, std::size_t j) { return values[i * columns + j]; }
  double operator()(std::size_t i, std::size_t j) const { return values[i * columns + j]; }

  xgrad::Tensor tensor(xgrad::DType dtype = xgrad::float64) const {
    return xgrad::tensor(values, xgrad::Shape{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)},
                         dtype);
  }
};

template <class F>
Matrix map(Matrix a, F f) {
  for (double& x : a.values) x = f(x);
  return a;
}

template <class F>
Matrix zip(Matrix a, const Matrix& b, F f) {
  for (std::size_t k = 0; k < a.values.size(); ++k) a.values[k] = f(a.values[k], b.values[k]);
  return a;
}

inline Matrix operator+(const Matrix& a, const Matrix& b) {
  return zip(a, b, [](double x, double y) { return x + y; });
}
inline Matrix operator-(const Matrix& a, const Matrix& b) {
  return zip(a, b, [](double x, double y) { return x - y; });
}
/// Elementwise.
inline Matrix times(const Matrix& a, const Matrix& b) {
  return zip(a, b, [](double x, double y) { return x * y; });
}
inline Matrix operator*(double factor, const Matrix& a) {
  return map(a, [factor](double x) { return factor * x; });
}

/// The product of matrices.
inline Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix c(a.rows, b.columns);
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t k = 0; k < a.columns; ++k)
      for (std::size_t j = 0; j < b.columns; ++j) c(i, j) += a(i, k) * b(k, j);
  return c;
}

inline Matrix transposed(const Matrix& a) {
  Matrix b(a.columns, a.rows);
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t j = 0; j < a.columns; ++j) b(j, i) = a(i, j);
  return b;
}

/// a with the row b added to each of its rows.
inline Matrix add_row(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t j = 0; j < a.columns; ++j) a(i, j) += b(0, j);
  return a;
}

/// One row: the sum of the rows.
inline Matrix sum_of_rows(const Matrix& a) {
  Matrix b(1, a.columns);
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t j = 0; j < a.columns; ++j) b(0, j) += a(i, j);
  return b;
}

inline double sum(const Matrix& a) {
  double total = 0;
  for (const double x : a.values) total += x;
  return total;
}

inline double difference(const xgrad::Tensor& x, const Matrix& a) { return difference(x, a.values); }

}  // namespace expect
