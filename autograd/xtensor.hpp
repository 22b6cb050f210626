#pragma once

#include <autograd/tensor/needs_cplusplus20.hpp>

#include <autograd/tensor/error.hpp>
#include <autograd/tensor/tensor.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xeval.hpp>
#include <xtensor/xexpression.hpp>

namespace xgrad {

// Opt-in: whoever includes this header pays for xtensor's. A tensor's values look like a const xtensor array without a
// copy, and any xtensor expression becomes a tensor: what a vjp in NumPy-like notation needs.

/// Memory of a moved-in array, alive as long as a tensor uses it.
template <class Array>
struct AdoptedArray : Storage {
  Array array;
  explicit AdoptedArray(Array&& source) : array(std::move(source)) {
    data = array.data();
    destroy = [](Storage* storage) { delete static_cast<AdoptedArray*>(storage); };
  }
};

template <class Container>
Shape shape_of(const Container& sizes) {
  Shape shape;
  for (const auto extent : sizes) shape.push_back(static_cast<std::int64_t>(extent));
  return shape;
}

/// The values as a const xtensor array of T over the tensor's own memory; valid while the tensor is.
/// TypeError if T is not its dtype.
template <Element T>
auto as_xtensor(const Tensor& x) {
  std::vector<std::size_t> shape;
  for (const std::int64_t extent : x.shape()) shape.push_back(static_cast<std::size_t>(extent));
  return xt::adapt(x.data<T>(), x.size(), xt::no_ownership(), shape);
}
template <Element T>
auto as_xtensor(const Tensor&& x) = delete;  // the view would outlive the values

/// A tensor with the values of an xtensor expression, evaluated once. float, double and std::int64_t keep their dtype;
/// other integers become int64, other numbers float64.
template <class E>
Tensor from_xtensor(const xt::xexpression<E>& expression) {
  using Value = typename E::value_type;
  using T =
      std::conditional_t<Element<Value>, Value, std::conditional_t<std::is_integral_v<Value>, std::int64_t, double>>;
  const E& source = expression.derived_cast();
  Tensor result = Tensor::uninitialized(shape_of(source.shape()), dtype_of<T>);
  T* target = result.template fresh_data<T>();
  for (auto value = source.template begin<xt::layout_type::row_major>();
       value != source.template end<xt::layout_type::row_major>(); ++value)
    *target++ = static_cast<T>(*value);
  return result;
}

/// Takes over the memory of a row-major array that is moved in.
template <Element T>
Tensor from_xtensor(xt::xarray<T, xt::layout_type::row_major>&& array) {
  const Shape shape = shape_of(array.shape());
  return Tensor::adopt(shape, dtype_of<T>, new AdoptedArray(std::move(array)));
}

}  // namespace xgrad
