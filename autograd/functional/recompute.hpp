#pragma once

#include <autograd/tensor/tensor.hpp>

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

namespace xgrad {

/// The general form of recompute: f takes the tensors of the list, and gives one or several.
std::vector<Tensor> recompute_all(std::function<std::vector<Tensor>(const std::vector<Tensor>&)> f,
                                  const std::vector<Tensor>& inputs);

/// f(inputs...), of which the tape keeps nothing but the inputs: when backward comes to it, f runs again, and its
/// values are there for as long as its own sweep takes (Chen et al. 2016, "Training deep nets with sublinear memory
/// cost"). n layers in segments of √n take memory for 2·√n of them, and one forward pass more.
///
///     h = recompute([&](const Tensor& x) { return block(x); }, h);
///
/// Values and gradients have the bits that they have without it: random numbers are drawn again from the places where
/// they were drawn (dropout included), and running statistics move once. Gradients reach inputs and the leaves that f
/// uses, parameters among them; other tensors of a tape must be inputs (TapeError). Derivatives of every order run f
/// again as well. f returns a Tensor or a std::vector<Tensor>. It is kept until the tape has passed it, so that what it
/// captures by reference must live as long, and must do the same when it is called again, in the same mode: TapeError
/// when its results have other shapes or dtypes, or when it uses or draws something else. Without a tape, or paused, it
/// is simply called.
template <class F, std::convertible_to<const Tensor&>... In>
requires(sizeof...(In) >= 1 && std::is_invocable_v<const F&, const In&...>) auto recompute(F f, const In&... inputs) {
  using Result = std::invoke_result_t<const F&, const In&...>;
  const auto call = [f = std::move(f)](const std::vector<Tensor>& list) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) { return std::vector<Tensor>{f(list[I]...)}; }
    (std::index_sequence_for<In...>());
  };
  if constexpr (std::is_same_v<std::remove_cvref_t<Result>, std::vector<Tensor>>)
    return recompute_all(call, {inputs...});
  else
    return Tensor(std::move(recompute_all(call, {inputs...}).front()));
}

}  // namespace xgrad
