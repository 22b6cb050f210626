#pragma once

#include <autograd/tensor/tensor.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace xgrad {

// What makes tensors: ShapeError for a negative extent, MemoryError for more than there is room for, ValueError for a
// number that the dtype does not have (NaN, infinite or beyond 2^63 for int64, which cuts off fractions).

Tensor zeros(const Shape& shape, DType dtype = default_dtype());
Tensor ones(const Shape& shape, DType dtype = default_dtype());
Tensor full(const Shape& shape, double value, DType dtype = default_dtype());
/// 0, 1, ..., count - 1, each the nearest in the dtype.
Tensor arange(std::int64_t count, DType dtype = DType::int64);

/// Tensors of given values: `tensor(3.0)`, `tensor({1, 2, 3})`, `tensor({{1, 2}, {3, 4}})`, or a list with its shape.
/// ShapeError for ragged rows or a count that does not fit the shape.
Tensor tensor(double value, DType dtype = default_dtype());
Tensor tensor(std::span<const double> values, const Shape& shape, DType dtype = default_dtype());
Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, DType dtype = default_dtype());
template <class = void>  // so that {{1}, {2}} are two rows and not a list of two numbers in braces
Tensor tensor(std::initializer_list<double> values, DType dtype = default_dtype()) {
  return tensor(std::span(values.begin(), values.size()), Shape{static_cast<std::int64_t>(values.size())}, dtype);
}

/// The numbers of a vector (n,), or with a shape: `tensor(std::vector<float>{1, 2})`. int64 stays exact.
template <class T>
requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>) Tensor
    tensor(const std::vector<T>& values, const Shape& shape, DType dtype = default_dtype()) {
  if constexpr (std::same_as<T, double>) return tensor(std::span<const double>(values), shape, dtype);
  if (dtype != DType::int64 || std::floating_point<T>)
    return tensor(std::span<const double>(std::vector<double>(values.begin(), values.end())), shape, dtype);
  Tensor result = tensor(std::span<const double>(std::vector<double>(values.size())), shape, dtype);
  std::transform(values.begin(), values.end(), result.template fresh_data<std::int64_t>(),
                 [](T value) { return static_cast<std::int64_t>(value); });
  return result;
}
template <class T>
requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>) Tensor
    tensor(const std::vector<T>& values, DType dtype = default_dtype()) {
  return tensor(values, Shape{static_cast<std::int64_t>(values.size())}, dtype);
}

/// The number in a dtype: rounded to the nearest, towards zero for int64. ValueError, in the name of who asks, for NaN
/// and for what int64 does not have.
[[noreturn]] void throw_number(double value, std::string_view operation);
template <Element T>
T number_as(double value, std::string_view operation) {
  if constexpr (std::same_as<T, std::int64_t>)
    if (!(value >= -0x1p63 && value < 0x1p63)) [[unlikely]]
      throw_number(value, operation);
  return static_cast<T>(value);
}

}  // namespace xgrad
