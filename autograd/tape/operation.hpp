#pragma once

#include <autograd/tape/call.hpp>
#include <autograd/tape/formula.hpp>
#include <autograd/tape/traits.hpp>
#include <autograd/tensor/scopes.hpp>
#include <autograd/tensor/tensors.hpp>

#include <concepts>
#include <cstddef>
#include <new>
#include <string_view>
#include <utility>

namespace xgrad {

/// A differentiable operation: the one mechanism for built-in and user operations. Derive, write `name`, `forward` and
/// `vjp`, and call `apply_operation(YourOperation{...}, inputs...)`. Members are the call's parameters and whatever
/// forward leaves for vjp. The engine pauses recording around forward, keeps the saved values, skips what needs no
/// gradient, checks the number, shapes and dtypes of what vjp returns, and adds the contributions up.
class Operation {
 public:
  virtual ~Operation() = default;
  /// As it appears in messages and listings; must outlive the tape (a literal).
  virtual std::string_view name() const = 0;
  /// The outputs. Throws an xgrad::Error for inputs that do not fit; then nothing is recorded.
  virtual Tensors forward(const Inputs& inputs) = 0;
  /// vector-Jacobian product: one gradient per input, empty where `!call.needs(i)` or where it is zero everywhere.
  virtual Tensors vjp(const Call& call) const = 0;
  virtual OperationTraits traits() const { return {}; }
  /// For those who write operations down: exporters.
  virtual OperationDescription describe() const { return {}; }

 protected:
  Operation() = default;
  Operation(const Operation&) = default;
  Operation(Operation&&) = default;
  Operation& operator=(const Operation&) = default;
  Operation& operator=(Operation&&) = default;
};

/// How a tape takes an operation over: by a move into so many bytes.
struct OperationMove {
  std::size_t bytes;
  Operation* (*into)(void* place, Operation& operation);
};

/// Runs forward, paused, and records the operation if any input needs a gradient. TapeError for an input of another
/// living tape.
Tensors run_operation(Operation& operation, const Inputs& inputs, const OperationMove& move);

template <std::derived_from<Operation> Op>
inline constexpr OperationMove move_of{sizeof(Op), [](void* place, Operation& from) -> Operation* {
                                         static_assert(alignof(Op) <= 16, "an Operation is aligned to 16 bytes");
                                         return new (place) Op(std::move(static_cast<Op&>(from)));
                                       }};

/// Calls the operation.
template <std::derived_from<Operation> Op>
Tensors apply_all(Op operation, const Inputs& inputs) {
  return run_operation(operation, inputs, move_of<Op>);
}

/// The same for operations of one output.
template <std::derived_from<Operation> Op, std::convertible_to<const Tensor&>... In>
Tensor apply_operation(Op operation, const In&... inputs) {
  const Tensor* const list[] = {&inputs...};
  return std::move(run_operation(operation, Inputs(list, sizeof...(In)), move_of<Op>)[0]);
}

/// An Operation made of two functions; see `custom`.
template <class Forward, class Vjp, std::size_t arity>
class CustomOperation final : public Operation {
 public:
  CustomOperation(const char* name, const OperationTraits& traits, Forward&& forward, Vjp&& vjp)
      : name_(name), traits_(traits), forward_(std::move(forward)), vjp_(std::move(vjp)) {}
  std::string_view name() const override { return name_; }
  OperationTraits traits() const override { return traits_; }
  OperationDescription describe() const override {
    if constexpr (requires { forward_.describe(); })
      return forward_.describe();
    else
      return {};
  }
  Tensors forward(const Inputs& inputs) override {
    return [&]<std::size_t... I>(std::index_sequence<I...>) { return Tensors(forward_(inputs[I]...)); }
    (std::make_index_sequence<arity>());
  }
  Tensors vjp(const Call& call) const override { return vjp_(call); }

 private:
  const char* name_;
  OperationTraits traits_;
  Forward forward_;
  Vjp vjp_;
};

/// A forward function, and one that gives its description when somebody asks.
template <class Forward, class Describe>
struct Described : Forward {
  Describe description;
  OperationDescription describe() const { return description(); }
};
template <class Forward, class Describe>
Described<Forward, Describe> described(Forward forward, Describe description) {
  return {{std::move(forward)}, std::move(description)};
}

/// y = forward(inputs) with an adjoint of one's own, as two lambdas over an Operation: a solver, a lookup, a call into
/// foreign code.
///
///     custom("cube", [](const Tensor& x) { return x * x * x; },
///            [](const Call& call) { return call.cotangent() * 3.0 * square(call.input(0)); }, x)
///
/// forward takes the inputs, on no tape, and returns the output; vjp takes the Call and returns a Tensor, or Tensors
/// with one gradient per input. Tensors that the lambdas capture are constants. name: a literal (kept by pointer).
/// With traits `{.recorded_vjp = true}` the vjp is said to consist of recorded operations, so that its gradients can be
/// differentiated again.
template <class Forward, class Vjp, std::convertible_to<const Tensor&>... In>
requires(sizeof...(In) >= 1 && std::is_invocable_v<const Vjp&, const Call&>) Tensor
    custom_with(const OperationTraits& traits, const char* name, Forward forward, Vjp vjp, const In&... inputs) {
  using Custom = CustomOperation<Forward, Vjp, sizeof...(In)>;
  return apply_operation(Custom(name, traits, std::move(forward), std::move(vjp)), inputs...);
}
template <class Forward, class Vjp, std::convertible_to<const Tensor&>... In>
requires(sizeof...(In) >= 1 && std::is_invocable_v<const Vjp&, const Call&>) Tensor
    custom(const char* name, Forward forward, Vjp vjp, const In&... inputs) {
  return custom_with({}, name, std::move(forward), std::move(vjp), inputs...);
}

}  // namespace xgrad
