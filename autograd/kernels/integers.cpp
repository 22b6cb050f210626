#include <autograd/kernels/integers.hpp>
#include <autograd/tensor/format.hpp>

#include <limits>
#include <vector>

namespace xgrad::kernels {

namespace {

__extension__ using Wide = __int128;  // holds the sum of as many int64 as memory does

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

bool overflows(IntegerOperation operation, std::int64_t x, std::int64_t y, std::int64_t& result) {
  switch (operation) {
    case IntegerOperation::add:
      return __builtin_add_overflow(x, y, &result);
    case IntegerOperation::subtract:
      return __builtin_sub_overflow(x, y, &result);
    case IntegerOperation::multiply:
      return __builtin_mul_overflow(x, y, &result);
  }
  return true;
}

}  // namespace

Tensor integer_arithmetic(const char* name, IntegerOperation operation, const Tensor& x, const Tensor& y) {
  Tensor result = Tensor::uninitialized(x.shape(), DType::int64);
  const std::int64_t* const a = x.data<std::int64_t>();
  const std::int64_t* const b = y.data<std::int64_t>();
  std::int64_t* const out = result.fresh_data<std::int64_t>();
  for (std::size_t i = 0; i < result.size(); ++i)
    if (overflows(operation, a[i], b[i], out[i])) [[unlikely]]
      throw_as<ValueError>("{}: {} and {} at element {}: the result is not in int64; convert with to(float64)", name,
                           a[i], b[i], i);
  return result;
}

Tensor integer_reduction(const char* name, IntegerReduction reduction, const Tensor& x,
                         const std::array<bool, Extents::capacity>& reduced, const Shape& kept) {
  Tensor result = Tensor::uninitialized(kept, DType::int64);
  std::vector<Wide> totals(result.size(), reduction == IntegerReduction::sum   ? Wide{0}
                                          : reduction == IntegerReduction::max ? Wide{lowest}
                                                                               : Wide{highest});
  // Strides of the result along x's axes: 0 along those that are reduced.
  std::array<std::size_t, Extents::capacity> strides{}, index{};
  std::size_t stride = 1;
  for (std::size_t axis = x.rank(); axis-- > 0;) {
    strides[axis] = reduced[axis] ? 0 : stride;
    stride *= kept.extent(axis);
  }
  const std::int64_t* const values = x.data<std::int64_t>();
  std::size_t place = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Wide& total = totals[place];
    const Wide value = values[i];
    total = reduction == IntegerReduction::sum                        ? total + value
            : (reduction == IntegerReduction::max) == (value > total) ? value
                                                                      : total;
    for (std::size_t axis = x.rank(); axis-- > 0;) {
      place += strides[axis];
      if (++index[axis] < x.shape().extent(axis)) break;
      place -= strides[axis] * index[axis];
      index[axis] = 0;
    }
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (totals[i] < lowest || totals[i] > highest)
      throw_as<ValueError>("{}: result {} is not in int64; convert with to(float64)", name, i);
    result.fresh_data<std::int64_t>()[i] = static_cast<std::int64_t>(totals[i]);
  }
  return result;
}

}  // namespace xgrad::kernels
