#include <autograd/kernels/layout.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>
#include <string>

namespace xgrad {

namespace {

/// Row-major strides in elements.
Extents strides_of(const Shape& shape) {
  Extents strides(shape.rank(), 1);
  for (std::size_t axis = shape.rank(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

/// A new tensor whose element at (i, j, ...) is x's at offset + i·strides[0] + j·strides[1] + ...
Tensor gather(const Tensor& x, const Shape& shape, std::int64_t offset, const Extents& strides) {
  Tensor result = Tensor::uninitialized(shape, x.dtype());
  const std::size_t element = size_of(x.dtype());
  if (result.size() > 0)
    kernels::copy_strided(element, shape, strides,
                          static_cast<const char*>(x.mutable_data()) + offset * static_cast<std::int64_t>(element),
                          result.mutable_data());
  return result;
}

constexpr OperationTraits moves_values(Contribution contribution) {
  return {Which::none(), Which::none(), contribution, true, OperationKind::arrangement};
}

class Reshape final : public Operation {
 public:
  explicit Reshape(const Shape& shape) : to_(shape) {}
  std::string_view name() const override { return "reshape"; }
  OperationTraits traits() const override { return moves_values(Contribution::exact); }
  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    from_ = x.shape();
    return kernels::separate(x, to_);
  }
  Tensors vjp(const Call& call) const override { return reshape(call.cotangent(), from_); }

 private:
  Shape from_;
  Shape to_;
};

class Permute final : public Operation {
 public:
  explicit Permute(const Axes& axes) : axes_(axes) {}
  std::string_view name() const override { return "permute"; }
  OperationTraits traits() const override { return moves_values(Contribution::unbroadcast); }
  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    const Extents strides = strides_of(x.shape());
    Shape shape(x.rank(), 0);
    Extents moved(x.rank(), 0);
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      shape[i] = x.shape()[static_cast<std::size_t>(axes_[i])];
      moved[i] = strides[static_cast<std::size_t>(axes_[i])];
    }
    return gather(x, shape, 0, moved);
  }
  Tensors vjp(const Call& call) const override {
    Axes inverse(axes_.size(), 0);
    for (std::size_t i = 0; i < axes_.size(); ++i)
      inverse[static_cast<std::size_t>(axes_[i])] = static_cast<std::int64_t>(i);
    return permute(call.unbroadcast_cotangent(), inverse);
  }

 private:
  Axes axes_;
};

class BroadcastTo final : public Operation {
 public:
  explicit BroadcastTo(const Shape& shape) : shape_(shape) {}
  std::string_view name() const override { return "broadcast_to"; }
  OperationTraits traits() const override { return moves_values(Contribution::broadcast); }
  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    if (!broadcasts_to(x.shape(), shape_))
      throw ShapeError("broadcast_to: shape " + to_string(x.shape()) + " does not broadcast to " + to_string(shape_) +
                       "; need equal extents or 1 on every axis, aligned at the right");
    const Extents own = strides_of(x.shape());
    Extents strides(shape_.rank(), 0);
    const std::size_t missing = shape_.rank() - x.rank();
    for (std::size_t axis = missing; axis < shape_.rank(); ++axis)
      if (x.shape()[axis - missing] != 1) strides[axis] = own[axis - missing];
    return gather(x, shape_, 0, strides);
  }
  Tensors vjp(const Call& call) const override { return call.unbroadcast_cotangent(); }

 private:
  Shape shape_;
};

/// A regular part of a tensor along one axis.
struct Part {
  std::size_t axis;
  std::int64_t start;
  std::int64_t step;
  std::int64_t count;
  std::int64_t extent;  // of the whole
};

Tensor pad(const Tensor& x, const Part& part);
Tensor cut(const Tensor& x, const Part& part);

class Slice final : public Operation {
 public:
  explicit Slice(const Part& part) : part_(part) {}
  std::string_view name() const override { return "slice"; }
  OperationTraits traits() const override { return moves_values(Contribution::exact); }
  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    Shape shape = x.shape();
    Extents strides = strides_of(shape);
    const std::int64_t offset = part_.start * strides[part_.axis];
    shape[part_.axis] = part_.count;
    strides[part_.axis] *= part_.step;
    return gather(x, shape, offset, strides);
  }
  Tensors vjp(const Call& call) const override { return pad(call.cotangent(), part_); }

 private:
  Part part_;
};

/// The adjoint of Slice: zeros of the whole extent with x at the part.
class Pad final : public Operation {
 public:
  explicit Pad(const Part& part) : part_(part) {}
  std::string_view name() const override { return "pad"; }
  OperationTraits traits() const override { return moves_values(Contribution::exact); }
  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    Shape shape = x.shape();
    shape[part_.axis] = part_.extent;
    Tensor result = zeros(shape, x.dtype());
    if (x.size() == 0) return result;
    Extents strides = strides_of(shape);
    const std::int64_t offset = part_.start * strides[part_.axis];
    strides[part_.axis] *= part_.step;
    const std::size_t element = size_of(x.dtype());
    kernels::scatter_strided(element, x.shape(), strides, x.mutable_data(),
                             static_cast<char*>(result.mutable_data()) + offset * static_cast<std::int64_t>(element));
    return result;
  }
  Tensors vjp(const Call& call) const override { return cut(call.cotangent(), part_); }

 private:
  Part part_;
};

Tensor pad(const Tensor& x, const Part& part) { return apply_operation(Pad(part), x); }
Tensor cut(const Tensor& x, const Part& part) { return apply_operation(Slice(part), x); }

class Concatenate final : public Operation {
 public:
  explicit Concatenate(std::int64_t axis) : axis_(axis) {}
  std::string_view name() const override { return "concatenate"; }
  OperationTraits traits() const override { return moves_values(Contribution::exact); }
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
        throw TypeError("concatenate: tensor 0 is " + std::string(name_of(first.dtype())) + ", tensor " +
                        std::to_string(i) + " is " + std::string(name_of(inputs[i].dtype())) + "; need equal dtypes");
      shape[axis] += inputs[i].shape()[axis];
    }
    axis_ = static_cast<std::int64_t>(axis);
    Tensor result = Tensor::uninitialized(shape, first.dtype());
    const std::size_t element = size_of(first.dtype());
    const Extents strides = strides_of(shape);
    char* target = static_cast<char*>(result.mutable_data());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].size() > 0)
        kernels::scatter_strided(element, inputs[i].shape(), strides, inputs[i].mutable_data(), target);
      target += inputs[i].shape()[axis] * strides[axis] * static_cast<std::int64_t>(element);
      extents_.push_back(inputs[i].shape()[axis]);
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
    throw ShapeError("concatenate: shapes " + to_string(a.shape()) + " and " + to_string(b.shape()) + " along axis " +
                     std::to_string(axis) + "; need equal ranks and equal extents on the other axes");
  }
  std::int64_t axis_;
  std::vector<std::int64_t, CachedAllocator<std::int64_t>> extents_;
};

/// The three factors of a shape around one axis.
struct Around {
  std::size_t outer = 1;
  std::size_t inner = 1;
  Around(const Shape& shape, std::size_t axis) {
    for (std::size_t a = 0; a < shape.rank(); ++a)
      if (a != axis) (a < axis ? outer : inner) *= static_cast<std::size_t>(shape[a]);
  }
};

void check_indices(const char* name, const Tensor& indices, std::int64_t extent) {
  if (indices.dtype() != DType::int64)
    throw TypeError(std::string(name) + ": the indices are " + std::string(name_of(indices.dtype())) + "; need int64");
  const auto values = indices.values<std::int64_t>();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] < 0 || values[i] >= extent)
      throw ValueError(std::string(name) + ": index " + std::to_string(i) + " is " + std::to_string(values[i]) +
                       "; need 0 <= index < " + std::to_string(extent));
}

class Take final : public Operation {
 public:
  explicit Take(std::size_t axis) : axis_(axis) {}
  std::string_view name() const override { return "take"; }
  OperationTraits traits() const override {
    return {Which::only(1), Which::none(), Contribution::exact, true, OperationKind::arrangement};
  }
  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    const Tensor& indices = inputs[1];
    extent_ = x.shape()[axis_];
    check_indices("take", indices, extent_);
    Shape shape = x.shape();
    shape.erase(axis_);
    for (std::size_t a = 0; a < indices.rank(); ++a) shape.insert(axis_ + a, indices.shape()[a]);
    Tensor result = Tensor::uninitialized(shape, x.dtype());
    const Around around(x.shape(), axis_);
    if (result.size() > 0)
      visit(x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::take<T>(around.outer, static_cast<std::size_t>(extent_), around.inner, indices.data<std::int64_t>(),
                         indices.size(), x.data<T>(), static_cast<T*>(result.mutable_data()));
      });
    return result;
  }
  Tensors vjp(const Call& call) const override {
    Tensors gradients(2);
    gradients[0] = scatter_add(call.cotangent(), call.input(1), extent_, static_cast<std::int64_t>(axis_));
    return gradients;
  }

 private:
  std::size_t axis_;
  std::int64_t extent_ = 0;
};

class ScatterAdd final : public Operation {
 public:
  ScatterAdd(std::size_t axis, std::int64_t extent) : axis_(axis), extent_(extent) {}
  std::string_view name() const override { return "scatter_add"; }
  OperationTraits traits() const override {
    return {Which::only(1), Which::none(), Contribution::exact, true, OperationKind::arrangement};
  }
  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    const Tensor& indices = inputs[1];
    common_floating_dtype(name(), inputs.first(1));
    check_indices("scatter_add", indices, extent_);
    bool fits = axis_ + indices.rank() <= x.rank();
    for (std::size_t a = 0; fits && a < indices.rank(); ++a) fits = x.shape()[axis_ + a] == indices.shape()[a];
    if (!fits)
      throw ShapeError("scatter_add: x is " + to_string(x.shape()) + ", the indices are " + to_string(indices.shape()) +
                       "; need the indices' extents in x from axis " + std::to_string(axis_) + " on");
    Shape shape = x.shape();
    for (std::size_t a = 0; a < indices.rank(); ++a) shape.erase(axis_);
    shape.insert(axis_, extent_);
    Tensor result = zeros(shape, x.dtype());
    const Around around(shape, axis_);
    if (x.size() > 0)
      visit_floating(x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::scatter_add<T>(around.outer, static_cast<std::size_t>(extent_), around.inner,
                                indices.data<std::int64_t>(), indices.size(), x.data<T>(),
                                static_cast<T*>(result.mutable_data()));
      });
    return result;
  }
  Tensors vjp(const Call& call) const override {
    Tensors gradients(2);
    gradients[0] = take(call.cotangent(), call.input(1), static_cast<std::int64_t>(axis_));
    return gradients;
  }

 private:
  std::size_t axis_;
  std::int64_t extent_;
};

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  Shape wanted = shape;
  std::size_t known = 1;
  std::size_t open = wanted.rank();
  bool valid = true;
  for (std::size_t axis = 0; axis < wanted.rank(); ++axis) {
    if (wanted[axis] == -1 && open == wanted.rank())
      open = axis;
    else if (wanted[axis] < 0)
      valid = false;
    else
      known *= static_cast<std::size_t>(wanted[axis]);
  }
  if (valid && open < wanted.rank() && known > 0) {
    wanted[open] = static_cast<std::int64_t>(x.size() / known);
    known *= x.size() / known;
  }
  if (!valid || known != x.size() || (open < wanted.rank() && wanted[open] < 0))
    throw ShapeError("reshape: " + to_string(x.shape()) + " to " + to_string(shape) + "; need " +
                     std::to_string(x.size()) + " elements, with at most one extent -1 to be worked out");
  return apply_operation(Reshape(wanted), x);
}

Tensor flatten(const Tensor& x, std::int64_t first_axis) {
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
  const auto flags = axis_flags("squeeze", axes, x.rank());
  Shape shape;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    if (!axes.empty() && flags[axis] && x.shape()[axis] != 1)
      throw ShapeError("squeeze: axis " + std::to_string(axis) + " of shape " + to_string(x.shape()) + " has extent " +
                       std::to_string(x.shape()[axis]) + "; need 1");
    if (!flags[axis] || x.shape()[axis] != 1) shape.push_back(x.shape()[axis]);
  }
  return reshape(x, shape);
}

Tensor unsqueeze(const Tensor& x, std::int64_t axis) {
  if (x.rank() == Extents::capacity)
    throw ShapeError("unsqueeze: shape " + to_string(x.shape()) + " has as many axes as a tensor can; at most " +
                     std::to_string(Extents::capacity) + " axes are supported");
  Shape shape = x.shape();
  shape.insert(normalize_axis("unsqueeze", axis, x.rank() + 1), 1);
  return reshape(x, shape);
}

Tensor permute(const Tensor& x, const Axes& axes) {
  axis_flags("permute", axes, x.rank());  // in range, none twice
  if (axes.size() != x.rank())
    throw ShapeError("permute: axes " + to_string(axes) + " for shape " + to_string(x.shape()) +
                     "; need every axis once");
  Axes normalized = axes;
  for (std::int64_t& axis : normalized) axis = static_cast<std::int64_t>(normalize_axis("permute", axis, x.rank()));
  return apply_operation(Permute(normalized), x);
}

Tensor transpose(const Tensor& x, std::int64_t axis0, std::int64_t axis1) {
  Axes axes;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) axes.push_back(static_cast<std::int64_t>(axis));
  const std::size_t first = normalize_axis("transpose", axis0, x.rank());
  const std::size_t second = normalize_axis("transpose", axis1, x.rank());
  std::swap(axes[first], axes[second]);
  return apply_operation(Permute(axes), x);
}

Tensor slice(const Tensor& x, std::int64_t axis, std::int64_t start, std::int64_t stop, std::int64_t step) {
  const std::size_t position = normalize_axis("slice", axis, x.rank());
  if (step == 0) throw ValueError("slice: step 0; need another one");
  const std::int64_t extent = x.shape()[position];
  const std::int64_t lowest = step > 0 ? 0 : -1;
  const auto clip = [&](std::int64_t index) {
    return std::clamp(index < 0 ? index + extent : index, lowest, extent + lowest);
  };
  const std::int64_t first = clip(start);
  const std::int64_t last = clip(stop);
  const std::int64_t distance = step > 0 ? last - first : first - last;
  const std::int64_t stride = step > 0 ? step : -step;
  const std::int64_t count = distance <= 0 ? 0 : (distance + stride - 1) / stride;
  return cut(x, {position, count == 0 ? 0 : first, step, count, extent});
}

Tensor concatenate(const std::vector<Tensor>& tensors, std::int64_t axis) {
  if (tensors.empty()) throw ValueError("concatenate: no tensors; need at least one");
  std::vector<const Tensor*, CachedAllocator<const Tensor*>> inputs;
  inputs.reserve(tensors.size());
  for (const Tensor& tensor : tensors) inputs.push_back(&tensor);
  return std::move(apply_all(Concatenate(axis), Inputs(inputs.data(), inputs.size()))[0]);
}

Tensor stack(const std::vector<Tensor>& tensors, std::int64_t axis) {
  if (tensors.empty()) throw ValueError("stack: no tensors; need at least one");
  const auto position = static_cast<std::int64_t>(normalize_axis("stack", axis, tensors[0].rank() + 1));
  for (const Tensor& tensor : tensors) {
    if (tensor.shape() != tensors[0].shape())
      throw ShapeError("stack: shapes " + to_string(tensors[0].shape()) + " and " + to_string(tensor.shape()) +
                       "; need equal shapes");
    if (tensor.dtype() != tensors[0].dtype())
      throw TypeError("stack: dtypes " + std::string(name_of(tensors[0].dtype())) + " and " +
                      std::string(name_of(tensor.dtype())) + "; need equal dtypes");
  }
  std::vector<Tensor> rows;
  rows.reserve(tensors.size());
  for (const Tensor& tensor : tensors) rows.push_back(unsqueeze(tensor, position));
  return concatenate(rows, position);
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) { return apply_operation(BroadcastTo(shape), x); }

Tensor take(const Tensor& x, const Tensor& indices, std::int64_t axis) {
  return apply_operation(Take(normalize_axis("take", axis, x.rank())), x, indices);
}

Tensor scatter_add(const Tensor& x, const Tensor& indices, std::int64_t extent, std::int64_t axis) {
  if (extent < 0) throw ShapeError("scatter_add: extent " + std::to_string(extent) + "; need extent >= 0");
  return apply_operation(
      ScatterAdd(axis < 0 ? normalize_axis("scatter_add", axis, x.rank()) : static_cast<std::size_t>(axis), extent), x,
      indices);
}

Tensor one_hot(const Tensor& indices, std::int64_t classes, DType dtype) {
  if (!is_floating(dtype)) throw TypeError("one_hot: dtype int64; need float32 or float64");
  check_indices("one_hot", indices, classes);
  Shape shape = indices.shape();
  shape.push_back(classes);
  Tensor result = zeros(shape, dtype);
  const auto values = indices.values<std::int64_t>();
  visit_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* const out = static_cast<T*>(result.mutable_data());
    for (std::size_t row = 0; row < values.size(); ++row)
      out[row * static_cast<std::size_t>(classes) + static_cast<std::size_t>(values[row])] = 1;
  });
  return result;
}

}  // namespace xgrad
