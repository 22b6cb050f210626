#include <autograd/kernels/pointwise/program.hpp>
#include <autograd/kernels/pointwise/run.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tape/broadcasting.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <span>

namespace xgrad {

namespace {

using kernels::KernelByDType;
using kernels::max_pointwise_arity;
using kernels::PointwiseRule;
using kernels::Program;
using kernels::run_pointwise;

/// How many infinite or NaN derivatives the cotangent masks.
std::size_t count_masked(const char* name, const Tensor& derivative, const Tensor& g) {
  const Tensor cotangent =
      g.shape() == derivative.shape() ? g : broadcast_to(g, broadcast(name, g.shape(), derivative.shape()));
  if (derivative.shape() != cotangent.shape()) return 0;
  return visit_floating(g.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto derivatives = derivative.values<T>();
    const auto cotangents = cotangent.values<T>();
    std::size_t masked = 0;
    for (std::size_t k = 0; k < derivatives.size(); ++k)
      masked += cotangents[k] == 0 && !(derivatives[k] - derivatives[k] == 0);
    return masked;
  });
}

/// a · b as in the chain rule.
Tensor masked_product(const Tensor& a, const Tensor& b);

/// G · f(x) of inputs (G, x...) for a derivative f of order 3 and above: along G the operation itself, along x_j the
/// program of one order more. All cotangents are multiplied into G, so that their product is masked once.
class HigherDerivative final : public Operation {
 public:
  static Tensor call(const char* name, std::shared_ptr<const Program> program, const Tensor& g,
                     std::span<const Tensor> x) {
    std::array<const Tensor*, max_pointwise_arity + 1> inputs{&g};
    for (std::size_t i = 0; i < x.size(); ++i) inputs[1 + i] = &x[i];
    return apply_all(HigherDerivative(name, std::move(program)), Inputs(inputs.data(), 1 + x.size()))[0];
  }

  std::string_view name() const override { return name_; }
  OperationTraits traits() const override { return {Which::all(), Which::none(), Contribution::broadcast, true}; }
  Tensors forward(const Inputs& inputs) override {
    std::array<const TensorBody*, max_pointwise_arity + 1> bodies;
    for (std::size_t i = 0; i < inputs.size(); ++i) bodies[i] = &inputs[i].body();
    return run_pointwise(name_, Program::kernels, program_.get(), {bodies.data(), inputs.size()});
  }
  Tensors vjp(const Call& call) const override {
    const Tensor& g = call.unbroadcast_cotangent();
    const std::size_t arity = call.input_count() - 1;
    std::array<Tensor, max_pointwise_arity> list;
    for (std::size_t i = 0; i < arity; ++i) list[i] = call.input(1 + i);
    const std::span<const Tensor> x(list.data(), arity);
    Tensors gradients(1 + arity);
    if (call.needs(0)) gradients[0] = HigherDerivative::call(name_, program_, g, x);
    Tensor product;
    for (std::size_t j = 0; j < arity; ++j) {
      if (!call.needs(1 + j)) continue;
      const auto& next = program_->along(j);
      if (next == nullptr) continue;
      if (!product.defined()) product = masked_product(g, call.input(0));
      if (call.tracing()) report_masked(name_, next, product, x, call);
      gradients[1 + j] = HigherDerivative::call(name_, next, product, x);
    }
    return gradients;
  }

  static void report_masked(const char* name, const std::shared_ptr<const Program>& program, const Tensor& g,
                            std::span<const Tensor> x, const Call& call) {
    const Pause pause;
    call.report_masked(count_masked(name, HigherDerivative::call(name, program, ones(g.shape(), g.dtype()), x), g));
  }

 private:
  HigherDerivative(const char* name, std::shared_ptr<const Program> program)
      : name_(name), program_(std::move(program)) {}

  const char* name_;
  std::shared_ptr<const Program> program_;
};

/// f itself, g · ∂f/∂x_i with inputs (g, x...), or h · g · ∂²f/∂x_i∂x_j with inputs (h, g, x...). The set is closed
/// under vjp up to second derivatives, the product with derivative i having derivative i itself along g and second ones
/// along x; HigherDerivative goes on from there.
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

  /// g · ∂f/∂x_i of g and x.
  static Tensor first_derivative(const char* name, const PointwiseRule& rule, const void* closure, std::uint8_t i,
                                 const std::array<Tensor, 3>& gx) {
    PointwiseOperation operation(name, rule, closure, 0, {});
    operation.order_ = 1;
    operation.i_ = i;
    return apply_to(operation, gx.data(), gx.size());
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

  OperationDescription describe() const override {
    if (order_ != 0) return {};
    const std::shared_ptr<const Program> program = Program::trace(*rule_, closure_);
    OperationDescription description{.known = true};
    for (const auto& [step, operands, number] : program->listing())
      description.formula.steps.push_back({step, operands, number});
    description.formula.result = program->result();
    return description;
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
    return run_pointwise(name_, kernel(), closure_, {bodies.data(), inputs.size()});
  }

  Tensors vjp(const Call& call) const override {
    Tensors gradients(call.input_count());
    const Tensor& g = call.unbroadcast_cotangent();
    if (order_ == 0) {
      for (std::size_t i = 0; i < rule_->arity; ++i)
        if (call.needs(i))
          gradients[i] = hints_.coefficients != nullptr       ? scaled(call, g, i)
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
    if (order_ == 2) return third(call, j, g);
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
    if (call.tracing()) trace_masked(derivative, call, arguments.data());
    return apply_to(derivative, arguments.data(), 1 + factors + rule_->arity);
  }

  /// c · h · g · ∂³f/∂x_i∂x_j∂x_k.
  Tensor third(const Call& call, std::size_t k, const Tensor& c) const {
    std::shared_ptr<const Program> program = Program::trace(*rule_, closure_);
    for (const std::size_t along : {std::size_t{i_}, std::size_t{j_}, k})
      if (program != nullptr) program = program->along(along);
    if (program == nullptr) return {};
    const Tensor product = masked_product(c, masked_product(call.input(0), call.input(1)));
    std::array<Tensor, max_pointwise_arity> x;
    for (std::size_t n = 0; n < rule_->arity; ++n) x[n] = call.input(2 + n);
    if (call.tracing()) HigherDerivative::report_masked(name_, program, product, {x.data(), rule_->arity}, call);
    return HigherDerivative::call(name_, std::move(program), product, {x.data(), rule_->arity});
  }

  /// The same as `along` of a function itself, on no tape: straight to the kernel.
  Tensor derivative_times(const Call& call, std::size_t j, const Tensor& g) const {
    const KernelByDType& kernels = rule_->derivative[j];
    if (kernels[static_cast<std::size_t>(g.dtype())] == nullptr) return {};
    const Tensor unread = hints_.saved.contains_first(rule_->arity) ? Tensor() : zeros({}, g.dtype());
    std::array<const TensorBody*, max_pointwise_arity + 1> bodies{&g.body()};
    for (std::size_t k = 0; k < rule_->arity; ++k)
      bodies[1 + k] = hints_.saved.contains(k) ? &kept_x(call, k).body() : &unread.body();
    return run_pointwise(name_, kernels, closure_, {bodies.data(), 1 + rule_->arity});
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

  Tensor scaled(const Call& call, const Tensor& g, std::size_t i) const {
    const double coefficient = hints_.coefficients[i];
    if (coefficient == 0.0) return zeros(repeated<Shape>(g.rank(), 1), g.dtype());
    if (coefficient == 1.0) return g;
    auto scale = [coefficient](auto x) { return x * coefficient; };
    if (call.recording()) return pointwise_with({.coefficients = &hints_.coefficients[i]}, "scale", scale, g);
    const TensorBody* const body = &g.body();
    return run_pointwise("scale", kernels::rule_of<decltype(scale), 1>.value, &scale, {&body, 1});
  }

  static void trace_masked(const PointwiseOperation& derivative, const Call& call, const Tensor* arguments);

  const char* name_;
  const PointwiseRule* rule_;
  const void* closure_;
  PointwiseHints hints_;
  std::uint8_t closure_bytes_;
  std::uint8_t order_ = 0;
  std::uint8_t i_ = 0;
  std::uint8_t j_ = 0;
};

/// The derivative by itself, with ones in place of its factors, beside their product.
void PointwiseOperation::trace_masked(const PointwiseOperation& derivative, const Call& call, const Tensor* arguments) {
  const Pause pause;
  const std::size_t factors = derivative.order_, count = factors + derivative.rule_->arity;
  std::array<Tensor, max_pointwise_arity + 2> bare;
  for (std::size_t i = 0; i < count; ++i)
    bare[i] = i < factors ? ones(arguments[i].shape(), arguments[i].dtype()) : arguments[i];
  const Tensor product = factors == 1 ? arguments[0] : masked_product(arguments[0], arguments[1]);
  call.report_masked(count_masked(derivative.name_, apply_to(derivative, bare.data(), count), product));
}

/// As the derivative of a product, whose kernels mask.
Tensor masked_product(const Tensor& a, const Tensor& b) {
  static constexpr auto product = [](auto x, auto y) { return x * y; };
  return PointwiseOperation::first_derivative("mul", kernels::rule_of<decltype(product), 2>, &product, 0,
                                              {a, zeros({}, a.dtype()), b});
}

}  // namespace

namespace kernels {

Tensor call_pointwise(const char* name, const PointwiseRule& rule, const void* closure, std::size_t closure_bytes,
                      const PointwiseHints& hints, const Inputs& inputs) {
  if (name == nullptr) [[unlikely]]
    throw ValueError("pointwise: the name is a null pointer; need a literal");
  if (hints.derivative_of_result && inputs.size() != 1) [[unlikely]]
    throw_as<ValueError>(
        "{}: derivative_of_result with {} inputs; need a function of one, its result stands for no other", name,
        inputs.size());
  return PointwiseOperation::call(PointwiseOperation(name, rule, closure, closure_bytes, hints), inputs);
}

}  // namespace kernels

}  // namespace xgrad
