#include <autograd/kernels/layout.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/tape/custom.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>

namespace xgrad {

namespace {

using kernels::gather;
using kernels::strides_of;

constexpr OperationTraits moves_values(Contribution contribution) {
  return {Which::none(), Which::none(), contribution, true, OperationKind::arrangement};
}

OperationDescription with_list(const char* name, const Extents& list) {
  return {.attributes = {{name, {list.begin(), list.end()}}}, .known = true};
}

/// Axis i of the result is axis axes[i] of x; axes are in [0, rank).
Tensor permute_by(const Tensor& x, const Axes& axes) {
  const auto move = [axes](const Tensor& from) {
    const Extents strides = strides_of(from.shape());
    Shape shape = repeated<Shape>(axes.size(), 0);
    Extents moved = repeated(axes.size(), 0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      shape[i] = from.shape(axes[i]);
      moved[i] = strides[static_cast<std::size_t>(axes[i])];
    }
    return gather(from, shape, 0, moved);
  };
  const auto description = [axes] { return with_list("axes", axes); };
  const auto back = [axes](const Call& call) {
    Axes inverse = repeated<Axes>(axes.size(), 0);
    for (std::size_t i = 0; i < axes.size(); ++i)
      inverse[static_cast<std::size_t>(axes[i])] = static_cast<std::int64_t>(i);
    return permute_by(call.unbroadcast_cotangent(), inverse);
  };
  return custom_with(moves_values(Contribution::unbroadcast), "permute", described(move, description), back, x);
}

/// A regular part of a tensor along one axis.
struct Part {
  std::size_t axis;
  std::int64_t start;
  std::int64_t step;
  std::int64_t count;
  std::int64_t extent;  // of the whole

  std::int64_t offset(const Extents& strides) const { return start * strides[axis]; }
  Extents steps(Extents strides) const {
    strides[axis] *= step;
    return strides;
  }
};

Tensor pad(const Tensor& x, const Part& part);

Tensor cut(const Tensor& x, const Part& part) {
  const auto copy = [part](const Tensor& whole) {
    Shape shape = whole.shape();
    shape[part.axis] = part.count;
    const Extents strides = strides_of(whole.shape());
    return gather(whole, shape, part.offset(strides), part.steps(strides));
  };
  const auto description = [part] {
    return OperationDescription{.attributes = {{"axis", {static_cast<std::int64_t>(part.axis)}},
                                               {"start", {part.start}},
                                               {"step", {part.step}},
                                               {"count", {part.count}}},
                                .known = true};
  };
  const auto back = [part](const Call& call) { return pad(call.cotangent(), part); };
  return custom_with(moves_values(Contribution::exact), "slice", described(copy, description), back, x);
}

/// The adjoint of cut: zeros of the whole extent with x at the part.
Tensor pad(const Tensor& x, const Part& part) {
  const auto copy = [part](const Tensor& at_part) {
    Shape shape = at_part.shape();
    shape[part.axis] = part.extent;
    Tensor whole = zeros(shape, at_part.dtype());
    const Extents strides = strides_of(shape);
    kernels::scatter(at_part, whole, part.offset(strides), part.steps(strides));
    return whole;
  };
  const auto back = [part](const Call& call) { return cut(call.cotangent(), part); };
  return custom_with(moves_values(Contribution::exact), "pad", copy, back, x);
}

class Concatenate final : public Operation {
 public:
  explicit Concatenate(std::int64_t axis) : axis_(axis) {}
  std::string_view name() const override { return "concatenate"; }
  OperationTraits traits() const override { return moves_values(Contribution::exact); }
  OperationDescription describe() const override { return {.attributes = {{"axis", {axis_}}}, .known = true}; }
  Tensors forward(const Inputs& inputs) override {
    const Tensor& first = inputs[0];
    const std::size_t axis = normalize_axis("concatenate", axis_, first.rank());
    Shape shape = first.shape();
    shape[axis] = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Shape other = inputs[i].shape();
      if (other.rank() == shape.rank()) other[axis] = shape[axis];
      if (other != shape) throw_clash(first, inputs[i], axis);
      if (inputs[i].dtype() != first.dtype())
        throw_as<TypeError>("concatenate: tensor 0 is {}, tensor {} is {}; need equal dtypes", first.dtype(), i,
                            inputs[i].dtype());
      if (__builtin_add_overflow(shape[axis], inputs[i].shape()[axis], &shape[axis]))
        throw_as<ShapeError>("concatenate: the extents along axis {} add up to 2^63 and more", axis);
    }
    axis_ = static_cast<std::int64_t>(axis);
    Tensor result = Tensor::uninitialized(shape, first.dtype());
    const Extents strides = strides_of(shape);
    std::int64_t start = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      kernels::scatter(inputs[i], result, start * strides[axis], strides);
      start += extents_.emplace_back(inputs[i].shape()[axis]);
    }
    return result;
  }
  Tensors vjp(const Call& call) const override {
    Tensors gradients(call.input_count());
    const Tensor& g = call.cotangent();
    std::int64_t start = 0;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (call.needs(i)) gradients[i] = slice(g, axis_, start, start + extents_[i]);
      start += extents_[i];
    }
    return gradients;
  }

 private:
  [[noreturn]] static void throw_clash(const Tensor& a, const Tensor& b, std::size_t axis) {
    throw_as<ShapeError>(
        "concatenate: shapes {} and {} along axis {}; need equal ranks and equal extents on the others", a.shape(),
        b.shape(), axis);
  }
  std::int64_t axis_;
  std::vector<std::int64_t, CachedAllocator<std::int64_t>> extents_;
};

/// A class, which is copied once on its way onto a tape, for every sum's gradient passes through one.
class Reshape final : public Operation {
 public:
  Reshape(const Shape& from, const Shape& to) : from_(from), to_(to) {}
  std::string_view name() const override { return "reshape"; }
  OperationTraits traits() const override { return moves_values(Contribution::exact); }
  OperationDescription describe() const override { return with_list("shape", to_); }
  Tensors forward(const Inputs& inputs) override { return kernels::separate(inputs[0], to_); }
  Tensors vjp(const Call& call) const override { return reshape(call.cotangent(), from_); }

 private:
  Shape from_;
  Shape to_;
};

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  check_defined("reshape", "x", x);
  Shape wanted = shape;
  std::int64_t* open = nullptr;  // the extent to be worked out
  bool valid = true;
  for (std::int64_t& extent : wanted) {
    if (extent >= 0) [[likely]]
      continue;
    valid = valid && extent == -1 && open == nullptr;
    open = &extent;
    extent = 1;
  }
  const std::size_t known = valid ? wanted.elements("reshape") : 0;
  const bool fits = open != nullptr ? known > 0 && x.size() % known == 0 : known == x.size();
  if (!valid || !fits)
    throw_as<ShapeError>("reshape: {} to {}; need {} elements, with at most one extent -1 to be worked out", x.shape(),
                         shape, x.size());
  if (open != nullptr) *open = static_cast<std::int64_t>(x.size() / known);
  return apply_operation(Reshape(x.shape(), wanted), x);
}

Tensor flatten(const Tensor& x, std::int64_t first_axis) {
  check_defined("flatten", "x", x);
  if (x.rank() == 0) return reshape(x, {1});
  const std::size_t first = normalize_axis("flatten", first_axis, x.rank());
  Shape shape;
  std::int64_t rest = 1;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    if (axis < first)
      shape.push_back(x.shape()[axis]);
    else
      rest *= x.shape()[axis];
  }
  shape.push_back(rest);
  return reshape(x, shape);
}

Tensor squeeze(const Tensor& x, const Axes& axes) {
  check_defined("squeeze", "x", x);
  const auto flags = axis_flags("squeeze", axes, x.rank());
  Shape shape;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    if (!axes.empty() && flags[axis] && x.shape()[axis] != 1)
      throw_as<ShapeError>("squeeze: axis {} of shape {} has extent {}; need 1", axis, x.shape(), x.shape()[axis]);
    if (!flags[axis] || x.shape()[axis] != 1) shape.push_back(x.shape()[axis]);
  }
  return reshape(x, shape);
}

Tensor unsqueeze(const Tensor& x, std::int64_t axis) {
  check_defined("unsqueeze", "x", x);
  if (x.rank() == Extents::capacity)
    throw_as<ShapeError>("unsqueeze: shape {} has no room for another axis; need at most {}", x.shape(),
                         Extents::capacity - 1);
  Shape shape = x.shape();
  shape.insert(normalize_axis("unsqueeze", axis, x.rank() + 1), 1);
  return reshape(x, shape);
}

Tensor permute(const Tensor& x, const Axes& axes) {
  check_defined("permute", "x", x);
  axis_flags("permute", axes, x.rank());  // in range, none twice
  if (axes.size() != x.rank())
    throw_as<ShapeError>("permute: axes {} for shape {}; need every axis once", axes, x.shape());
  Axes normalized = axes;
  for (std::int64_t& axis : normalized) axis = static_cast<std::int64_t>(normalize_axis("permute", axis, x.rank()));
  return permute_by(x, normalized);
}

Tensor transpose(const Tensor& x, std::int64_t axis0, std::int64_t axis1) {
  check_defined("transpose", "x", x);
  Axes axes;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) axes.push_back(static_cast<std::int64_t>(axis));
  const std::size_t first = normalize_axis("transpose", axis0, x.rank());
  const std::size_t second = normalize_axis("transpose", axis1, x.rank());
  std::swap(axes[first], axes[second]);
  return permute_by(x, axes);
}

Tensor slice(const Tensor& x, std::int64_t axis, std::int64_t start, std::int64_t stop, std::int64_t step) {
  check_defined("slice", "x", x);
  const std::size_t position = normalize_axis("slice", axis, x.rank());
  if (step == 0) throw ValueError("slice: step 0; need a step that is not 0");
  const std::int64_t extent = x.shape()[position];
  const std::int64_t lowest = step > 0 ? 0 : -1;
  const auto clip = [&](std::int64_t index) {
    return std::clamp(index < 0 ? index + extent : index, lowest, extent + lowest);
  };
  const std::int64_t first = clip(start);
  const std::int64_t last = clip(stop);
  const std::int64_t distance = step > 0 ? last - first : first - last;
  const std::uint64_t stride = step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  const std::int64_t count =
      distance <= 0 ? 0 : static_cast<std::int64_t>((static_cast<std::uint64_t>(distance) - 1) / stride) + 1;
  return cut(x, {position, count == 0 ? 0 : first, count <= 1 ? 1 : step, count, extent});
}

Tensor concatenate(const std::vector<Tensor>& tensors, std::int64_t axis) {
  if (tensors.empty()) throw ValueError("concatenate: no tensors; need at least one");
  std::vector<const Tensor*, CachedAllocator<const Tensor*>> inputs;
  inputs.reserve(tensors.size());
  for (const Tensor& tensor : tensors) inputs.push_back(&tensor);
  return apply_all(Concatenate(axis), Inputs(inputs.data(), inputs.size()))[0];
}

Tensor stack(const std::vector<Tensor>& tensors, std::int64_t axis) {
  if (tensors.empty()) throw ValueError("stack: no tensors; need at least one");
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (!tensors[i].defined()) throw_undefined("stack", fmt::format("tensor {}", i));
  if (tensors[0].rank() == Extents::capacity)
    throw_as<ShapeError>("stack: shape {} has no room for another axis; need at most {}", tensors[0].shape(),
                         Extents::capacity - 1);
  const auto position = static_cast<std::int64_t>(normalize_axis("stack", axis, tensors[0].rank() + 1));
  for (const Tensor& tensor : tensors) {
    if (tensor.shape() != tensors[0].shape())
      throw_as<ShapeError>("stack: shapes {} and {}; need equal shapes", tensors[0].shape(), tensor.shape());
    if (tensor.dtype() != tensors[0].dtype())
      throw_as<TypeError>("stack: dtypes {} and {}; need equal dtypes", tensors[0].dtype(), tensor.dtype());
  }
  std::vector<Tensor> rows;
  rows.reserve(tensors.size());
  for (const Tensor& tensor : tensors) rows.push_back(unsqueeze(tensor, position));
  return concatenate(rows, position);
}

}  // namespace xgrad
