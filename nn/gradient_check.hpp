#pragma once

#include <autograd/gradient_check.hpp>
#include <nn/module.hpp>

#include <concepts>
#include <functional>

namespace xgrad::nn {

/// x in float64; indices and labels stay as they are.
Tensor in_float64(const Tensor& x);

/// One row per named parameter of the model, and one called `input` if x is floating, for a function of them that is
/// the same at each call but for them: streams of random numbers (dropout) begin anew.
GradientReport check_model(const Module& model, const std::function<Tensor()>& loss, const Tensor& x,
                           const GradientCheckOptions& options);

/// Checks the gradients of loss(model(x), y) with respect to every parameter, frozen ones too, and the input, as
/// xgrad::check_gradients does. All is computed in float64 on a clone; the model itself is left alone, float32 or not.
///
///     check_gradients(net, nn::cross_entropy, x, y).require();
///
/// Dropout in training mode keeps one mask. ValueError for names in the options: the parameters have theirs.
template <class M, class Loss>
requires(std::derived_from<M, Module>&& std::invocable<const Loss&, Tensor, const Tensor&>) GradientReport
    check_gradients(const M& model, const Loss& loss, const Tensor& x, const Tensor& y,
                    const GradientCheckOptions& options = {}) {
  M copy = clone(model);
  copy.to(float64);
  const Tensor input = in_float64(x);
  const Tensor target = in_float64(y);
  return check_model(
      copy, [&] { return loss(copy(input), target); }, input, options);
}

}  // namespace xgrad::nn
