#pragma once

#include <autograd/tape/operation.hpp>

#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace xgrad {

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
