#include <autograd/tape/contributions.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>

namespace xgrad {

RowContributions::Terms RowContributions::of(std::uint32_t number) const {
  Terms terms;
  for (const Contribution& contribution : all_)
    if (contribution.number == number) terms.push_back(contribution.term);
  return terms;
}

namespace {

template <class E>
[[noreturn]] void throw_contribution(const Node& from, std::size_t input, const Node& to, const Tensor& gradient,
                                     const char* rule) {
  throw_as<E>("backward: the vjp of {} gives input {} of shape {} and dtype {} a gradient of shape {} and dtype {}; {}",
              from.operation->name(), input, to.shape, to.dtype, gradient.shape(), gradient.dtype(), rule);
}

template <class E>
[[noreturn]] void throw_rows(const Node& from, std::size_t input, const Node& to, const Tensor& rows,
                             const Tensor& values, const char* rule) {
  throw_as<E>(
      "backward: the vjp of {} gives rows of input {} of shape {} and dtype {}: numbers {} {}, values {} {}; {}",
      from.operation->name(), input, to.shape, to.dtype, rows.shape(), rows.dtype(), values.shape(), values.dtype(),
      rule);
}

}  // namespace

void check_contribution(const Node& from, std::size_t input, const Node& to, const Tensor& gradient) {
  const Shape& shape = gradient.shape();
  if (gradient.dtype() != to.dtype) throw_contribution<TypeError>(from, input, to, gradient, "need equal dtypes");
  if (from.contribution == Contribution::exact && !(shape == to.shape))
    throw_contribution<ShapeError>(from, input, to, gradient, "need equal shapes");
  if (from.contribution == Contribution::unbroadcast && !(shape == to.shape) &&
      (shape.rank() != to.shape.rank() || !broadcasts_to(shape, to.shape)))
    throw_contribution<ShapeError>(from, input, to, gradient, "need one of its rank that broadcasts to it");
  if (from.contribution == Contribution::broadcast && !(shape == from.shape) && !broadcasts_to(shape, from.shape))
    throw_contribution<ShapeError>(from, input, to, gradient, "need one that broadcasts to the result");
}

void check_rows(const Node& from, std::size_t input, const Node& to, const Tensor& rows, const Tensor& values) {
  if (rows.dtype() != DType::int64) throw_rows<TypeError>(from, input, to, rows, values, "need int64 rows");
  if (values.dtype() != to.dtype) throw_rows<TypeError>(from, input, to, rows, values, "need equal dtypes");
  const std::size_t rank = rows.rank();
  bool fits = to.shape.rank() > 0 && values.rank() == rank + to.shape.rank() - 1;
  for (std::size_t axis = 0; fits && axis < values.rank(); ++axis)
    fits = values.shape()[axis] == (axis < rank ? rows.shape()[axis] : to.shape[axis - rank + 1]);
  if (!fits)
    throw_rows<ShapeError>(from, input, to, rows, values, "need the rows' shape, then the input's without axis 0");
  const auto numbers = rows.values<std::int64_t>();
  if (!std::all_of(numbers.begin(), numbers.end(), [&](std::int64_t row) { return row >= 0 && row < to.shape[0]; }))
    throw_rows<ValueError>(from, input, to, rows, values, "need 0 <= row < the input's first extent");
}

}  // namespace xgrad
