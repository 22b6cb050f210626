#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <vector>

namespace xgrad {

namespace {

Tensor filled(std::string_view operation, const Shape& shape, double value, DType dtype) {
  return visit(dtype, [&](auto zero) {
    using T = decltype(zero);
    const T number = number_as<T>(value, operation);
    Tensor result = Tensor::uninitialized(shape, dtype, operation);
    std::fill_n(result.fresh_data<T>(), result.size(), number);
    return result;
  });
}

}  // namespace

Tensor full(const Shape& shape, double value, DType dtype) { return filled("full", shape, value, dtype); }
Tensor zeros(const Shape& shape, DType dtype) { return filled("zeros", shape, 0.0, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return filled("ones", shape, 1.0, dtype); }

Tensor arange(std::int64_t count, DType dtype) {
  Tensor result = Tensor::uninitialized({count}, dtype, "arange");
  visit(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* const values = result.fresh_data<T>();
    for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<T>(i);
  });
  return result;
}

Tensor tensor(std::span<const double> values, const Shape& shape, DType dtype) {
  Tensor result = Tensor::uninitialized(shape, dtype);
  if (values.size() != result.size())
    throw_as<ShapeError>("tensor: {} values for shape {}; need {}", values.size(), shape, result.size());
  visit(dtype, [&](auto zero) {
    using T = decltype(zero);
    std::transform(values.begin(), values.end(), result.fresh_data<T>(),
                   [](double value) { return number_as<T>(value, "tensor"); });
  });
  return result;
}

Tensor tensor(double value, DType dtype) { return filled("tensor", {}, value, dtype); }

Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, DType dtype) {
  std::vector<double> values;
  const std::size_t columns = rows.size() == 0 ? 0 : rows.begin()->size();
  for (const auto& row : rows) {
    if (row.size() != columns)
      throw_as<ShapeError>("tensor: rows of {} and of {} values; need rows of equal length", columns, row.size());
    values.insert(values.end(), row.begin(), row.end());
  }
  return tensor(values, Shape{static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(columns)}, dtype);
}

void throw_number(double value, std::string_view operation) {
  throw_as<ValueError>("{}: {} as int64; need a number from -2^63 on and below 2^63", operation, value);
}

}  // namespace xgrad
