#include <autograd/functional/recording.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/identities.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace xgrad {

namespace {

/// `x`, or `x[2]` if there are several.
std::string numbered(const char* name, std::size_t i, std::size_t count) {
  return count == 1 ? name : fmt::format("{}[{}]", name, i);
}

}  // namespace

Recording::Recording(std::string operation, const FunctionOf<List>& f, const List& x)
    : operation_(std::move(operation)), recorder_(Recorder::current()) {
  if (!f) throw_as<ValueError>("{}: the function is empty", operation_);
  if (x.empty()) throw_as<ValueError>("{}: no tensors; need at least one", operation_);
  if (recorder_ == nullptr) {
    own_.emplace();
    recorder_ = Recorder::current();
  }
  for (std::size_t i = 0; i < x.size(); ++i) add_argument(numbered("x", i, x.size()), x[i]);
  const std::uint32_t first = recorder_->size();
  value_ = f(arguments_);
  if (!value_.defined()) throw_as<ValueError>("{}: the function returned an empty handle; need a tensor", operation_);
  if (!is_floating(value_.dtype()))
    throw_as<TypeError>("{}: the function returned int64; need float32 or float64", operation_);
  if (value_.is_leaf()) value_ = argument(*recorder_, value_);
  choose_variables(x, first);
}

void Recording::add_argument(const std::string& name, const Tensor& x) {
  if (!x.defined()) throw_undefined(operation_, name);
  if (!is_floating(x.dtype()))
    throw_as<TypeError>("{}: {} is int64 and has no gradient; let the function capture it", operation_, name);
  check_of_this_tape(name, x);
  arguments_.push_back(argument(*recorder_, x));
}

void Recording::check_of_this_tape(const std::string& name, const Tensor& x) const {
  if (is_recorded(x) && x.body().tape != recorder_->id())
    throw_as<TapeError>(
        "{}: {}, of shape {}, was recorded by a tape that is still open and does not record here, so that the result "
        "would be a constant; pass detach(...)",
        operation_, name, x.shape());
}

/// first: the first entry that f recorded.
void Recording::choose_variables(const List& x, std::uint32_t first) {
  std::vector<char> used(recorder_->size());  // by f, or handed out
  if (const std::uint32_t number = recorder_->number_of(value_); number != Node::none) used[number] = 1;
  for (std::uint32_t i = first; i < recorder_->size(); ++i) {
    const Node& entry = recorder_->node(i);
    for (std::uint32_t k = 0; entry.operation != nullptr && k < entry.input_count; ++k)
      if (entry.inputs[k] != Node::none) used[entry.inputs[k]] = 1;
  }
  const auto uses = [&](const Tensor& tensor) {
    const std::uint32_t number = recorder_->number_of(tensor);
    return number != Node::none && used[number] != 0;
  };
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool itself = uses(x[i]);
    if (itself && uses(arguments_[i]))
      throw_as<TapeError>(
          "{0}: the function uses {1} as its argument and by itself too, of which one would count as a constant; use "
          "the argument alone, or pass a clone() in place of {1} to hold the other constant",
          operation_, numbered("x", i, x.size()));
    variables_.push_back(itself ? x[i] : arguments_[i]);
  }
}

void Recording::check_fits(const std::string& name, const Tensor& v, const std::string& like, const Tensor& x) const {
  if (!v.defined()) throw_undefined(operation_, name);
  const std::string text =
      fmt::format("{}: {} is {} {}, {} is {} {}", operation_, like, x.shape(), x.dtype(), name, v.shape(), v.dtype());
  if (v.shape() != x.shape()) throw ShapeError(text + "; need equal shapes");
  if (v.dtype() != x.dtype()) throw TypeError(text + "; need equal dtypes");
  check_of_this_tape(name, v);
}

void Recording::check_vectors(const List& v) const {
  const std::size_t count = variables_.size();
  if (v.size() != count)
    throw_as<ValueError>("{}: {} vectors for {} tensors; need one for each", operation_, v.size(), count);
  for (std::size_t i = 0; i < count; ++i)
    check_fits(numbered("v", i, count), v[i], numbered("x", i, count), variables_[i]);
}

Tensor Recording::value() const {
  if (!own_) return value_.clone();
  const Pause pause;
  return value_.clone();
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
  static_cast<void>(shape.elements(operation_));  // they can be counted
  return shape;
}

/// Whether y is on no tape. One of another tape is left to the sweep, which refuses it.
bool Recording::is_constant(const Tensor& y) const { return recorder_->number_of(y) == Node::none && !is_recorded(y); }

/// What the caller's tape records stays differentiable; one of our own is closed by the last sweep.
Gradients Recording::sweep(const List& outputs, const List& cotangents, BackwardOptions options) const {
  options.differentiable |= !own_;
  return Sweep(*recorder_, options).run(outputs, cotangents);
}

Recording::List Recording::complete(const Gradients& gradients) const {
  List list;
  for (const Tensor& variable : variables_) {
    const Tensor* const gradient = gradients.find(variable);
    list.push_back(gradient != nullptr ? *gradient : zeros(variable.shape(), variable.dtype()));
  }
  return list;
}

Recording::List Recording::vector_jacobian_products(const Tensor& u) {
  check_fits("u", u, "the function's result", value_);
  return complete(is_constant(value_) ? Gradients() : sweep({value_}, {u}, {.only = variables_}));
}

/// ∂y/∂x for each variable x, row by row.
Recording::List Recording::rows(const Tensor& y) const {
  List blocks;
  for (const Tensor& variable : variables_) blocks.push_back(zeros(joined(y, variable), variable.dtype()));
  if (is_constant(y)) return blocks;
  if (!own_) return recorded_rows(y);
  const BackwardOptions options{.keep = true, .only = variables_};
  const auto row = [&](std::size_t i) {
    Tensor unit = zeros(y.shape(), y.dtype());
    unit.modify([i](auto values) { values[i] = 1; });
    const Gradients gradients = Sweep(*recorder_, options, Sweep::Slots::own).run({&y, 1}, {&unit, 1});
    for (std::size_t k = 0; k < blocks.size(); ++k)
      if (const Tensor* const found = gradients.find(variables_[k]); found != nullptr && found->size() > 0)
        std::memcpy(static_cast<char*>(blocks[k].untyped_fresh_data()) + i * found->bytes(), found->untyped_data(),
                    found->bytes());
  };
  constexpr std::size_t most_parts = 64;
  const std::size_t parts = std::min(y.size(), most_parts);
  parallel_parts(parts, [&](std::size_t part) {
    for (std::size_t i = part * y.size() / parts; i < (part + 1) * y.size() / parts; ++i) row(i);
  });
  return blocks;
}

Recording::List Recording::recorded_rows(const Tensor& y) const {
  std::vector<List> rows_of_variables(variables_.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    Tensor unit = zeros(y.shape(), y.dtype());
    unit.modify([i](auto values) { values[i] = 1; });
    const List row = complete(sweep({y}, {unit}, {.only = variables_}));
    for (std::size_t k = 0; k < row.size(); ++k) rows_of_variables[k].push_back(flatten(row[k]));
  }
  List blocks;
  for (std::size_t k = 0; k < variables_.size(); ++k) {
    const Shape shape = joined(y, variables_[k]);
    blocks.push_back(y.size() == 0 ? zeros(shape, variables_[k].dtype())
                                   : reshape(concatenate(rows_of_variables[k]), shape));
  }
  return blocks;
}

/// The gradients of f's one number, to be differentiated again.
Gradients Recording::recorded_gradients() {
  const Tensor& y = one_number();
  if (is_constant(y)) return {};
  return sweep({y}, {ones(y.shape(), y.dtype())}, {.differentiable = true, .only = variables_});
}

std::vector<Recording::List> Recording::hessians() {
  std::vector<List> blocks;
  for (const Tensor& gradient : complete(recorded_gradients())) blocks.push_back(rows(gradient));
  return blocks;
}

/// The gradients by some tensors of Σ <gradient of a variable, v of that variable>.
Gradients Recording::differentiate_along(const Gradients& gradients, const List& v, const List& by) const {
  List outputs, cotangents;
  for (std::size_t i = 0; i < variables_.size(); ++i)
    if (const Tensor* const gradient = gradients.find(variables_[i]); gradient != nullptr) {
      outputs.push_back(*gradient);
      cotangents.push_back(v[i]);
    }
  return outputs.empty() ? Gradients() : sweep(outputs, cotangents, {.only = by});
}

Recording::List Recording::hessian_vector_products(const List& v) {
  check_vectors(v);
  return complete(differentiate_along(recorded_gradients(), v, variables_));
}

Tensor Recording::jacobian_vector_product(const List& v) {
  check_vectors(v);
  // Jᵀ·u is linear in u: any will do.
  const Tensor u = argument(*recorder_, ones(value_.shape(), value_.dtype()));
  Gradients products;
  if (!is_constant(value_))
    products = differentiate_along(sweep({value_}, {u}, {.differentiable = true, .only = variables_}), v, {u});
  const Tensor* const product = products.find(u);
  return product != nullptr ? *product : zeros(value_.shape(), value_.dtype());
}

}  // namespace xgrad
