#include <autograd/kernels/pointwise/run.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tape/broadcasting.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <span>
#include <string>

namespace xgrad {

namespace {

using kernels::KernelByDType;
using kernels::max_pointwise_arity;
using kernels::PointwiseOperand;
using kernels::PointwiseRule;

/// f itself, g · ∂f/∂x_i with inputs (g, x...), or h · g · ∂²f/∂x_i∂x_j with inputs (h, g, x...). The set is closed
/// under vjp up to second derivatives: the product with derivative i has derivative i itself along g, and second ones
/// along x.
class alignas(16) PointwiseOperation final : public Operation {
 public:
  PointwiseOperation(const char* name, const PointwiseRule& rule, const void* closure, std::size_t closure_bytes,
                     const PointwiseHints& hints)
      : name_(name),
        rule_(&rule),
        closure_(closure),
        hints_(hints),
        closure_bytes_(static_cast<std::uint8_t>(closure_bytes)) {}

  /// Runs and records it: run_operation, less what forward cannot need, since it calls no operation and its result is
  /// new. On the tape the closure stands behind the operation.
  static Tensor call(const PointwiseOperation& operation, const Inputs& inputs) {
    Recorder* const recorder = Recorder::of_call(operation, inputs);
    Tensor result = operation.value(inputs);
    if (recorder == nullptr) return result;
    const std::size_t closure_bytes = operation.closure_bytes_;
    auto* const place = static_cast<std::byte*>(recorder->place(sizeof operation + closure_bytes));
    auto* const kept = new (place) PointwiseOperation(operation);
    kept->closure_ = place + sizeof operation;
    if (closure_bytes != 0) std::memcpy(place + sizeof operation, operation.closure_, closure_bytes);
    recorder->record(kept, inputs, {&result, 1});
    return result;
  }

  std::string_view name() const override { return name_; }

  OperationTraits traits() const override {
    OperationTraits traits;
    const bool keeps_x = hints_.coefficients == nullptr && !hints_.derivative_of_result;
    traits.saved_inputs = order_ > 0 ? Which::all() : keeps_x ? hints_.saved : Which::none();
    traits.saved_outputs = order_ == 0 && hints_.derivative_of_result ? Which::all() : Which::none();
    traits.contribution = Contribution::broadcast;
    traits.recorded_vjp = true;
    traits.kind = hints_.kind;
    traits.bounds = hints_.bounds;
    return traits;
  }

  Tensors forward(const Inputs& inputs) override { return value(inputs); }

  Tensor value(const Inputs& inputs) const {
    std::array<const TensorBody*, max_pointwise_arity + 2> bodies;
    bodies[0] = &inputs[0].body();
    bool alike = is_floating(bodies[0]->dtype);
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      bodies[i] = &inputs[i].body();
      alike = alike && bodies[i]->dtype == bodies[0]->dtype;
    }
    if (!alike) check_dtypes(inputs);
    return run(kernel(), {bodies.data(), inputs.size()});
  }

  Tensors vjp(const Call& call) const override {
    Tensors gradients(call.input_count());
    const Tensor& g = call.unbroadcast_cotangent();
    if (order_ == 0) {
      for (std::size_t i = 0; i < rule_->arity; ++i)
        if (call.needs(i))
          gradients[i] = hints_.coefficients != nullptr       ? scaled(g, i)
                         : call.recording() || call.tracing() ? along(call, i, g)
                                                              : derivative_times(call, i, g);
      return gradients;
    }
    // The operation is linear in its first one or two inputs; each gets the product of the others.
    for (std::size_t k = 0; k < order_; ++k)
      if (call.needs(k)) gradients[k] = with_factor(call, k, g);
    for (std::size_t j = 0; j < rule_->arity; ++j)
      if (call.needs(order_ + j)) gradients[order_ + j] = along(call, j, g);
    return gradients;
  }

 private:
  /// A kernel on operands of one dtype.
  Tensor run(const KernelByDType& kernels, std::span<const TensorBody* const> bodies) const {
    const DType dtype = bodies[0]->dtype;
    const kernels::PointwiseKernel loop = kernels[static_cast<std::size_t>(dtype)];
    const Shape& first = bodies[0]->shape;
    bool alike = true;
    std::array<const void*, max_pointwise_arity + 2> data;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      data[i] = bodies[i]->storage->data;
      alike = alike && bodies[i]->shape == first;
    }
    if (!alike) return run_broadcast(loop, bodies);
    Tensor result = Tensor::uninitialized(first, dtype);
    kernels::run_pointwise(loop, closure_, {data.data(), bodies.size()}, result.size(), result.untyped_fresh_data(),
                           size_of(dtype));
    return result;
  }

  Tensor run_broadcast(kernels::PointwiseKernel loop, std::span<const TensorBody* const> bodies) const {
    Shape shape = bodies[0]->shape;
    std::array<PointwiseOperand, max_pointwise_arity + 2> operands;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      operands[i] = {bodies[i]->storage->data, &bodies[i]->shape};
      shape = broadcast(name_, shape, bodies[i]->shape);
    }
    Tensor result = Tensor::uninitialized(shape, bodies[0]->dtype);
    kernels::run_pointwise(loop, closure_, {operands.data(), bodies.size()}, shape, result.untyped_fresh_data(),
                           size_of(bodies[0]->dtype));
    return result;
  }

  const KernelByDType& kernel() const {
    return order_ == 0 ? rule_->value : order_ == 1 ? rule_->derivative[i_] : rule_->second_derivative[i_][j_];
  }

  /// Equal and floating, or all int64 for a function that takes integers.
  void check_dtypes(const Inputs& inputs) const {
    bool integers = kernel()[2] != nullptr;
    for (std::size_t i = 0; i < inputs.size(); ++i) integers = integers && inputs[i].dtype() == DType::int64;
    if (!integers) common_floating_dtype(name_, inputs);
  }

  /// The derivative of this operation, one order up, along x_j, times g.
  Tensor along(const Call& call, std::size_t j, const Tensor& g) const {
    if (order_ == 2)
      throw_as<TapeError>(
          "backward: {} has no third derivative (order 3); pointwise functions have first and second ones", name_);
    PointwiseOperation derivative = *this;
    derivative.order_ = static_cast<std::uint8_t>(order_ + 1);
    (order_ == 0 ? derivative.i_ : derivative.j_) = static_cast<std::uint8_t>(j);
    if (derivative.order_ == 2 && derivative.i_ > derivative.j_) std::swap(derivative.i_, derivative.j_);
    if (derivative.kernel()[static_cast<std::size_t>(g.dtype())] == nullptr) return {};
    std::array<Tensor, max_pointwise_arity + 2> arguments;
    arguments[0] = g;
    const std::size_t factors = derivative.order_ - 1u;
    for (std::size_t k = 0; k < factors; ++k) arguments[1 + k] = call.input(k);
    for (std::size_t k = 0; k < rule_->arity; ++k) arguments[1 + factors + k] = saved_x(call, k, g.dtype());
    if (call.tracing()) trace_masked(derivative, call, g);
    return apply_to(derivative, arguments.data(), 1 + factors + rule_->arity);
  }

  /// The same as `along` of a function itself, on no tape: straight to the kernel.
  Tensor derivative_times(const Call& call, std::size_t j, const Tensor& g) const {
    const KernelByDType& kernels = rule_->derivative[j];
    if (kernels[static_cast<std::size_t>(g.dtype())] == nullptr) return {};
    const Tensor unread = hints_.saved.contains_first(rule_->arity) ? Tensor() : zeros({}, g.dtype());
    std::array<const TensorBody*, max_pointwise_arity + 1> bodies{&g.body()};
    for (std::size_t k = 0; k < rule_->arity; ++k)
      bodies[1 + k] = hints_.saved.contains(k) ? &kept_x(call, k).body() : &unread.body();
    return run(kernels, {bodies.data(), 1 + rule_->arity});
  }

  /// This operation with g in place of its factor k.
  Tensor with_factor(const Call& call, std::size_t k, const Tensor& g) const {
    std::array<Tensor, max_pointwise_arity + 2> arguments;
    const std::size_t count = order_ + rule_->arity;
    for (std::size_t i = 0; i < count; ++i) arguments[i] = i == k ? g : call.input(i);
    return apply_to(*this, arguments.data(), count);
  }

  static Tensor apply_to(const PointwiseOperation& operation, const Tensor* arguments, std::size_t count) {
    std::array<const Tensor*, max_pointwise_arity + 2> list;
    for (std::size_t i = 0; i < count; ++i) list[i] = arguments + i;
    return PointwiseOperation::call(operation, Inputs(list.data(), count));
  }

  /// What a derivative does not depend on was not saved; its kernel does not look at the number in its place.
  Tensor saved_x(const Call& call, std::size_t k, DType dtype) const {
    return order_ > 0 || hints_.saved.contains(k) ? kept_x(call, k) : zeros({}, dtype);
  }
  const Tensor& kept_x(const Call& call, std::size_t k) const {
    return order_ == 0 && hints_.derivative_of_result ? call.output() : call.input(order_ + k);
  }

  Tensor scaled(const Tensor& g, std::size_t i) const {
    const double coefficient = hints_.coefficients[i];
    if (coefficient == 0.0) return zeros(Shape(g.rank(), 1), g.dtype());
    if (coefficient == 1.0) return g;
    return pointwise_with(
        {.coefficients = &hints_.coefficients[i]}, "scale", [coefficient](auto x) { return x * coefficient; }, g);
  }

  void trace_masked(const PointwiseOperation& derivative, const Call& call, const Tensor& g) const;

  const char* name_;
  const PointwiseRule* rule_;
  const void* closure_;
  PointwiseHints hints_;
  std::uint8_t closure_bytes_;
  std::uint8_t order_ = 0;
  std::uint8_t i_ = 0;
  std::uint8_t j_ = 0;
};

void PointwiseOperation::trace_masked(const PointwiseOperation& derivative, const Call& call, const Tensor& g) const {
  if (order_ != 0) return;
  const Pause pause;
  std::array<Tensor, max_pointwise_arity + 2> arguments;
  arguments[0] = ones(g.shape(), g.dtype());
  for (std::size_t k = 0; k < rule_->arity; ++k) arguments[1 + k] = saved_x(call, k, g.dtype());
  const Tensor slope = apply_to(derivative, arguments.data(), 1 + rule_->arity);
  const Tensor cotangent = g.shape() == slope.shape() ? g : broadcast_to(g, broadcast(name_, g.shape(), slope.shape()));
  if (slope.shape() != cotangent.shape()) return;
  std::size_t masked = 0;
  visit_floating(g.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto slopes = slope.values<T>();
    const auto cotangents = cotangent.values<T>();
    for (std::size_t k = 0; k < slopes.size(); ++k) masked += cotangents[k] == 0 && !(slopes[k] - slopes[k] == 0);
  });
  call.report_masked(masked);
}

}  // namespace

namespace kernels {

Tensor call_pointwise(const char* name, const PointwiseRule& rule, const void* closure, std::size_t closure_bytes,
                      const PointwiseHints& hints, const Inputs& inputs) {
  if (hints.derivative_of_result && inputs.size() != 1) [[unlikely]]
    throw_as<ValueError>(
        "{}: derivative_of_result with {} inputs; need a function of one, its result stands for no other", name,
        inputs.size());
  return PointwiseOperation::call(PointwiseOperation(name, rule, closure, closure_bytes, hints), inputs);
}

}  // namespace kernels

}  // namespace xgrad
