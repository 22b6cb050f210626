#include <autograd/tape/functional.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>

#include <cstring>
#include <string>

namespace xgrad {

namespace {

using TensorList = std::vector<Tensor>;

/// `x`, or `x[2]` if there are several.
std::string numbered(const char* name, std::size_t i, std::size_t count) {
  return count == 1 ? name : fmt::format("{}[{}]", name, i);
}

/// One call of a function, recorded on a tape of its own.
class Recording {
 public:
  Recording(std::string operation, const FunctionOf<TensorList>& f, const TensorList& x);

  /// The function's result; ShapeError unless it is one number.
  const Tensor& one_number() const;
  TensorList gradients() { return vector_jacobian_products(ones(one_number().shape(), value_.dtype())); }
  TensorList vector_jacobian_products(const Tensor& u);
  TensorList jacobians() { return rows(value_); }
  std::vector<TensorList> hessians();
  TensorList hessian_vector_products(const TensorList& v);
  Tensor jacobian_vector_product(const TensorList& v);

 private:
  void check_not_recorded(const std::string& name, const Tensor& x) const;
  void check_fits(const std::string& name, const Tensor& v, const std::string& like, const Tensor& x) const;
  void check_vectors(const TensorList& v) const;
  Shape joined(const Tensor& y, const Tensor& x) const;
  TensorList complete(const Gradients& gradients) const;
  TensorList rows(const Tensor& y);
  Gradients differentiate_along(const Gradients& slopes, const TensorList& v);

  std::string operation_;
  TensorList leaves_;
  Tape tape_;
  Tensor value_;
};

Recording::Recording(std::string operation, const FunctionOf<TensorList>& f, const TensorList& x)
    : operation_(std::move(operation)) {
  if (!f) throw_as<ValueError>("{}: the function is empty", operation_);
  if (x.empty()) throw_as<ValueError>("{}: no tensors; need at least one", operation_);
  TensorList arguments;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::string name = numbered("x", i, x.size());
    if (!is_floating(x[i].dtype()))
      throw_as<TypeError>("{}: {} is int64 and has no gradient; let the function capture it", operation_, name);
    check_not_recorded(name, x[i]);
    leaves_.push_back(detach(x[i]));
    leaves_.back().requires_gradient();
    // Recorded, not the leaf itself: on another tape it is an error instead of a leaf whose gradient gets lost.
    arguments.push_back(leaves_.back().clone());
  }
  value_ = f(arguments);
  if (!value_.defined()) throw_as<ValueError>("{}: the function returned an empty handle; need a tensor", operation_);
  if (!is_floating(value_.dtype()))
    throw_as<TypeError>("{}: the function returned int64; need float32 or float64", operation_);
}

void Recording::check_not_recorded(const std::string& name, const Tensor& x) const {
  if (is_recorded(x))
    throw_as<TapeError>(
        "{}: {}, of shape {}, was recorded by a tape that is still open, and the result is a constant; pass "
        "detach(...)",
        operation_, name, x.shape());
}

void Recording::check_fits(const std::string& name, const Tensor& v, const std::string& like, const Tensor& x) const {
  const std::string text =
      fmt::format("{}: {} is {} {}, {} is {} {}", operation_, like, x.shape(), x.dtype(), name, v.shape(), v.dtype());
  if (v.shape() != x.shape()) throw ShapeError(text + "; need equal shapes");
  if (v.dtype() != x.dtype()) throw TypeError(text + "; need equal dtypes");
  check_not_recorded(name, v);
}

void Recording::check_vectors(const TensorList& v) const {
  const std::size_t count = leaves_.size();
  if (v.size() != count)
    throw_as<ValueError>("{}: {} vectors for {} tensors; need one for each", operation_, v.size(), count);
  for (std::size_t i = 0; i < count; ++i)
    check_fits(numbered("v", i, count), v[i], numbered("x", i, count), leaves_[i]);
}

const Tensor& Recording::one_number() const {
  if (value_.size() != 1)
    throw_as<ShapeError>("{}: the function returned shape {}; need one number", operation_, value_.shape());
  return value_;
}

Shape Recording::joined(const Tensor& y, const Tensor& x) const {
  Shape shape = y.shape();
  if (y.rank() + x.rank() > Shape::capacity)
    throw_as<ShapeError>("{}: the result has the axes of {} and of {}; need at most {} together", operation_, y.shape(),
                         x.shape(), Shape::capacity);
  for (const std::int64_t extent : x.shape()) shape.push_back(extent);
  return shape;
}

TensorList Recording::complete(const Gradients& gradients) const {
  TensorList list;
  for (const Tensor& leaf : leaves_) {
    const Tensor* const gradient = gradients.find(leaf);
    list.push_back(gradient != nullptr ? *gradient : zeros(leaf.shape(), leaf.dtype()));
  }
  return list;
}

TensorList Recording::vector_jacobian_products(const Tensor& u) {
  check_fits("u", u, "the function's result", value_);
  return complete(is_recorded(value_) ? tape_.backward(value_, u) : Gradients());
}

/// ∂y/∂x for each leaf x, row by row.
TensorList Recording::rows(const Tensor& y) {
  TensorList blocks;
  for (const Tensor& leaf : leaves_) blocks.push_back(zeros(joined(y, leaf), leaf.dtype()));
  if (!is_recorded(y)) return blocks;
  for (std::size_t i = 0; i < y.size(); ++i) {
    Tensor unit = zeros(y.shape(), y.dtype());
    unit.modify([i](auto values) { values[i] = 1; });
    const Gradients gradients = tape_.backward(y, unit, {.keep = true});
    for (std::size_t k = 0; k < blocks.size(); ++k)
      if (const Tensor* const row = gradients.find(leaves_[k]); row != nullptr && row->size() > 0)
        std::memcpy(static_cast<char*>(blocks[k].untyped_fresh_data()) + i * row->bytes(), row->untyped_data(),
                    row->bytes());
  }
  return blocks;
}

std::vector<TensorList> Recording::hessians() {
  Gradients slopes;
  if (is_recorded(one_number())) slopes = tape_.backward(value_, {.differentiable = true});
  std::vector<TensorList> blocks;
  for (const Tensor& slope : complete(slopes)) blocks.push_back(rows(slope));
  return blocks;
}

/// The gradients of Σ <slope of a leaf, v of that leaf>.
Gradients Recording::differentiate_along(const Gradients& slopes, const TensorList& v) {
  TensorList outputs;
  TensorList cotangents;
  for (std::size_t i = 0; i < leaves_.size(); ++i)
    if (const Tensor* const slope = slopes.find(leaves_[i]); slope != nullptr && is_recorded(*slope)) {
      outputs.push_back(*slope);
      cotangents.push_back(v[i]);
    }
  return outputs.empty() ? Gradients() : tape_.backward(outputs, cotangents);
}

TensorList Recording::hessian_vector_products(const TensorList& v) {
  check_vectors(v);
  if (!is_recorded(one_number())) return complete({});
  return complete(differentiate_along(tape_.backward(value_, {.differentiable = true}), v));
}

Tensor Recording::jacobian_vector_product(const TensorList& v) {
  check_vectors(v);
  // Jᵀ·u is linear in u: any will do.
  Tensor u = ones(value_.shape(), value_.dtype());
  u.requires_gradient();
  Gradients products;
  if (is_recorded(value_))
    products = differentiate_along(tape_.backward(value_, u.clone(), {.differentiable = true}), v);
  const Tensor* const product = products.find(u);
  return product != nullptr ? *product : zeros(value_.shape(), value_.dtype());
}

/// A function of one tensor as one of a list; it must outlive the result.
FunctionOf<TensorList> of_list(const FunctionOf<Tensor>& f) {
  std::function<Tensor(const TensorList&)> list;
  if (f) list = [&f](const TensorList& x) { return f(x[0]); };
  return list;
}

}  // namespace

TensorList gradient(const FunctionOf<TensorList>& f, const TensorList& x) {
  return Recording("gradient", f, x).gradients();
}

Tensor gradient(const FunctionOf<Tensor>& f, const Tensor& x) { return gradient(of_list(f), TensorList{x})[0]; }

std::pair<Tensor, TensorList> value_and_gradient(const FunctionOf<TensorList>& f, const TensorList& x) {
  Recording recording("value_and_gradient", f, x);
  const Tensor value = recording.one_number();
  TensorList gradients = recording.gradients();
  const Pause pause;
  return {value.clone(), std::move(gradients)};
}

std::pair<Tensor, Tensor> value_and_gradient(const FunctionOf<Tensor>& f, const Tensor& x) {
  const auto [value, gradients] = value_and_gradient(of_list(f), TensorList{x});
  return {value, gradients[0]};
}

TensorList jacobian(const FunctionOf<TensorList>& f, const TensorList& x) {
  return Recording("jacobian", f, x).jacobians();
}

Tensor jacobian(const FunctionOf<Tensor>& f, const Tensor& x) { return jacobian(of_list(f), TensorList{x})[0]; }

std::vector<TensorList> hessian(const FunctionOf<TensorList>& f, const TensorList& x) {
  return Recording("hessian", f, x).hessians();
}

Tensor hessian(const FunctionOf<Tensor>& f, const Tensor& x) { return hessian(of_list(f), TensorList{x})[0][0]; }

TensorList hessian_vector_product(const FunctionOf<TensorList>& f, const TensorList& x, const TensorList& v) {
  return Recording("hessian_vector_product", f, x).hessian_vector_products(v);
}

Tensor hessian_vector_product(const FunctionOf<Tensor>& f, const Tensor& x, const Tensor& v) {
  return hessian_vector_product(of_list(f), TensorList{x}, TensorList{v})[0];
}

Tensor jacobian_vector_product(const FunctionOf<TensorList>& f, const TensorList& x, const TensorList& v) {
  return Recording("jacobian_vector_product", f, x).jacobian_vector_product(v);
}

Tensor jacobian_vector_product(const FunctionOf<Tensor>& f, const Tensor& x, const Tensor& v) {
  return jacobian_vector_product(of_list(f), TensorList{x}, TensorList{v});
}

TensorList vector_jacobian_product(const FunctionOf<TensorList>& f, const TensorList& x, const Tensor& u) {
  return Recording("vector_jacobian_product", f, x).vector_jacobian_products(u);
}

Tensor vector_jacobian_product(const FunctionOf<Tensor>& f, const Tensor& x, const Tensor& u) {
  return vector_jacobian_product(of_list(f), TensorList{x}, u)[0];
}

}  // namespace xgrad
