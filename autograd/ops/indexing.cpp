#include <autograd/kernels/layout.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/tape/broadcasting.hpp>
#include <autograd/tape/custom.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>

namespace xgrad {

namespace {

constexpr OperationTraits keeps_indices{Which::only(1), Which::none(), Contribution::exact, true,
                                        OperationKind::arrangement};

/// Indices have no gradient.
Tensors gradient_of_first(Tensor gradient) {
  Tensors gradients(2);
  gradients[0] = std::move(gradient);
  return gradients;
}

/// The position of the first index outside of [0, extent), or their number.
std::size_t first_outside(std::span<const std::int64_t> indices, std::int64_t extent) {
  const auto outside =
      std::find_if(indices.begin(), indices.end(), [extent](std::int64_t i) { return i < 0 || i >= extent; });
  return static_cast<std::size_t>(outside - indices.begin());
}

/// ` in row 3`, or ` at (3, 1)` for more axes.
std::string place_in(const Tensor& x, std::size_t position) {
  if (x.rank() == 0) return "";
  if (x.rank() == 1) return fmt::format(" in row {}", position);
  Shape place = x.shape();
  for (std::size_t axis = x.rank(); axis-- > 0;) {
    place[axis] = static_cast<std::int64_t>(position % x.shape().extent(axis));
    position /= x.shape().extent(axis);
  }
  return fmt::format(" at {}", place);
}

[[noreturn]] void throw_outside(std::string_view operation, std::string_view what, std::int64_t index,
                                const std::string& place, std::int64_t extent) {
  throw_as<ValueError>("{}: {} {}{}; need 0 <= {} < {}", operation, what, index, place, what, extent);
}

}  // namespace

Tensor take(const Tensor& x, const Tensor& indices, std::int64_t axis) {
  check_defined("take", "x", x);
  const std::size_t at = normalize_axis("take", axis, x.rank());
  const std::int64_t extent = x.shape()[at];
  check_indices("take", "index", indices, extent);
  if (x.rank() - 1 + indices.rank() > Extents::capacity)
    throw_as<ShapeError>("take: x is {}, the indices are {}; need a result of at most {} axes", x.shape(),
                         indices.shape(), Extents::capacity);
  const auto copy = [at](const Tensor& from, const Tensor& places) {
    Shape shape = from.shape();
    shape.erase(at);
    for (std::size_t a = 0; a < places.rank(); ++a) shape.insert(at + a, places.shape()[a]);
    Tensor result = Tensor::uninitialized(shape, from.dtype());
    kernels::take(from, places, kernels::Around(from.shape(), at), result);
    return result;
  };
  const auto description = [axis = static_cast<std::int64_t>(at)] {
    return OperationDescription{.attributes = {{"axis", {axis}}}, .known = true};
  };
  const auto back = [extent, axis = static_cast<std::int64_t>(at)](const Call& call) {
    if (axis != 0) return gradient_of_first(scatter_add(call.cotangent(), call.input(1), extent, axis));
    call.add_rows(0, call.input(1), call.cotangent());
    return Tensors(2);
  };
  return custom_with(keeps_indices, "take", described(copy, description), back, x, indices);
}

Tensor scatter_add(const Tensor& x, const Tensor& indices, std::int64_t extent, std::int64_t axis) {
  check_defined("scatter_add", "x", x);
  if (extent < 0) throw_as<ShapeError>("scatter_add: extent {}; need extent >= 0", extent);
  const std::size_t at = axis < 0 ? normalize_axis("scatter_add", axis, x.rank()) : static_cast<std::size_t>(axis);
  common_floating_dtype("scatter_add", x);
  check_indices("scatter_add", "index", indices, extent);
  bool fits = at + indices.rank() <= x.rank();
  for (std::size_t a = 0; fits && a < indices.rank(); ++a) fits = x.shape()[at + a] == indices.shape()[a];
  if (!fits)
    throw_as<ShapeError>("scatter_add: x is {}, the indices are {}; need the indices' extents in x from axis {} on",
                         x.shape(), indices.shape(), at);
  if (x.rank() - indices.rank() == Extents::capacity)
    throw_as<ShapeError>("scatter_add: x is {}, the indices are (); need a result of at most {} axes", x.shape(),
                         Extents::capacity);
  const auto add = [at, extent](const Tensor& from, const Tensor& places) {
    Shape shape = from.shape();
    for (std::size_t a = 0; a < places.rank(); ++a) shape.erase(at);
    shape.insert(at, extent);
    Tensor result = zeros(shape, from.dtype());
    kernels::scatter_add(from, places, kernels::Around(shape, at), result);
    return result;
  };
  const auto back = [axis = static_cast<std::int64_t>(at)](const Call& call) {
    return gradient_of_first(take(call.cotangent(), call.input(1), axis));
  };
  return custom_with(keeps_indices, "scatter_add", add, back, x, indices);
}

Tensor scatter_rows(const Tensor& values, const Tensor& rows, const Shape& shape) {
  return scatter_add(values, rows, shape[0]);
}

Tensor one_hot(const Tensor& indices, std::int64_t classes, DType dtype) {
  if (!is_floating(dtype)) throw_as<TypeError>("one_hot: dtype {}; need float32 or float64", dtype);
  if (classes < 0) throw_as<ShapeError>("one_hot: {} classes; need classes >= 0", classes);
  check_indices("one_hot", "index", indices, classes);
  if (indices.rank() == Extents::capacity)
    throw_as<ShapeError>("one_hot: indices of shape {} leave no room for an axis of classes; need at most {} axes",
                         indices.shape(), Extents::capacity - 1);
  Shape shape = indices.shape();
  shape.push_back(classes);
  Tensor result = Tensor::uninitialized(shape, dtype, "one_hot");
  visit_floating(dtype, [&](auto zero) {
    auto* row = result.fresh_data<decltype(zero)>();
    std::fill_n(row, result.size(), zero);
    for (const std::int64_t index : indices.values<std::int64_t>()) {
      row[index] = 1;
      row += classes;
    }
  });
  return result;
}

void check_indices(std::string_view operation, std::string_view what, const Tensor& indices, std::int64_t extent) {
  if (!indices.defined()) throw_undefined(operation, "the tensor of indices");
  if (indices.dtype() != int64) throw_as<TypeError>("{}: each {} is {}; need int64", operation, what, indices.dtype());
  const auto values = indices.values<std::int64_t>();
  if (const std::size_t i = first_outside(values, extent); i < values.size())
    throw_outside(operation, what, values[i], place_in(indices, i), extent);
}

void check_indices(std::string_view operation, std::string_view what, std::span<const std::int64_t> indices,
                   std::int64_t extent) {
  if (const std::size_t i = first_outside(indices, extent); i < indices.size())
    throw_outside(operation, what, indices[i], fmt::format(" at position {}", i), extent);
}

}  // namespace xgrad
