#pragma once

#include <autograd/check/gradient_check.hpp>
#include <nn/layers/module.hpp>
#include <nn/training/model.hpp>

#include <functional>

namespace xgrad::nn {

/// x in float64; indices and labels stay as they are.
Tensor in_float64(const Tensor& x);

/// f as a function of every named parameter of the model, and of the inputs that are floating: `input`, or `input 0`,
/// `input 1`, ... It is the same at each call but for them: streams of random numbers (dropout) begin anew, running
/// statistics stay.
GradientSubject model_subject(const Module& model, std::function<Tensor()> f, TensorList inputs);

GradientReport check_gradients_of(const AnyModel& model, TensorList inputs, TensorList targets,
                                  const GradientCheckOptions& options);

/// Checks the gradients of loss(model(x), y) with respect to every parameter, frozen ones too, and the input, as
/// xgrad::check_gradients does. All is computed in float64 on clones, also for a float32 model; the model itself is
/// left alone. Evaluations run in parallel unless the options say otherwise.
///
///     check_gradients(net, nn::cross_entropy, x, y).require();
///
/// In training mode dropout keeps one mask, and batch norm uses the batch's statistics; both are left as they were.
/// ValueError for names in the options: parameters have their own.
template <ClonableModel M, TrainingLoss L>
GradientReport check_gradients(const M& model, const L& loss, const Tensor& x, const Tensor& y,
                               const GradientCheckOptions& options = {}) {
  return check_gradients_of(AnyModel::clonable(model, loss), x, y, options);
}

}  // namespace xgrad::nn
