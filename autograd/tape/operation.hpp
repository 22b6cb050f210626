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
  return run_operation(operation, Inputs(list, sizeof...(In)), move_of<Op>)[0];
}

}  // namespace xgrad
