#pragma once

#include <autograd/check/gradient_check.hpp>
#include <nn/layers/module.hpp>

#include <concepts>
#include <functional>
#include <memory>

namespace xgrad::nn {

/// x in float64; indices and labels stay as they are.
Tensor in_float64(const Tensor& x);

/// f as a function of every named parameter of the model, and of x, called `input`, if that is floating. It is the
/// same at each call but for them: streams of random numbers (dropout) begin anew, running statistics stay.
GradientSubject model_subject(const Module& model, std::function<Tensor()> f, const Tensor& x);

/// A model of its own and its loss for inputs and targets.
struct ModelAndLoss {
  std::shared_ptr<Module> model;
  std::function<Tensor(const Tensor& x, const Tensor& y)> loss;
};

/// check_gradients for what `make` gives.
GradientReport check_models(const std::function<ModelAndLoss()>& make, const Tensor& x, const Tensor& y,
                            const GradientCheckOptions& options);

/// Checks the gradients of loss(model(x), y) with respect to every parameter, frozen ones too, and the input, as
/// xgrad::check_gradients does. All is computed in float64 on clones, also for a float32 model; the model itself is
/// left alone. Evaluations run in parallel unless the options say otherwise.
///
///     check_gradients(net, nn::cross_entropy, x, y).require();
///
/// In training mode dropout keeps one mask, and batch norm uses the batch's statistics; both are left as they were.
template <class M, class Loss>
requires(std::derived_from<M, Module>&& std::invocable<const Loss&, Tensor, const Tensor&>) GradientReport
    check_gradients(const M& model, const Loss& loss, const Tensor& x, const Tensor& y,
                    const GradientCheckOptions& options = {}) {
  return check_models(
      [&] {
        const auto copy = std::make_shared<M>(clone(model));
        const auto call = [copy = copy.get(), &loss](const Tensor& inputs, const Tensor& targets) {
          return loss((*copy)(inputs), targets);
        };
        return ModelAndLoss{copy, call};
      },
      x, y, options);
}

}  // namespace xgrad::nn
