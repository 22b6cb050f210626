#pragma once

#include <autograd/check/gradient_check.hpp>
#include <nn/layers/module.hpp>
#include <nn/training/model.hpp>

#include <functional>
#include <string>
#include <vector>

namespace xgrad::nn {

/// x in float64; indices and labels stay as they are.
Tensor in_float64(const Tensor& x);

/// f as a function of every named parameter of the model, and of the inputs that are floating: `input`, or `input 0`,
/// `input 1`, ... It is the same at each call but for them: streams of random numbers (dropout) begin anew, running
/// statistics stay.
GradientSubject model_subject(const Module& model, std::function<Tensor()> f, TensorList inputs);

/// What is checked of a model.
struct CheckedTensors {
  /// Leave the inputs out: images at ties of max, probabilities at 0.
  bool inputs = true;
  /// Paths of parameters, or of modules, all of whose parameters are meant: `encoder`, `encoder.hidden.weight`. Empty:
  /// all.
  std::vector<std::string> parameters = {};
};

GradientReport check_gradients_of(const AnyModel& model, TensorList inputs, TensorList targets,
                                  const GradientCheckOptions& options, const CheckedTensors& checked = {});

/// Checks the gradients of loss(model(x), y) with respect to every parameter, frozen ones too, and the input, as
/// xgrad::check_gradients does. All is computed in float64 on clones, also for a float32 model; the model itself is
/// left alone. Evaluations run in parallel unless the options say otherwise.
///
///     check_gradients(net, nn::cross_entropy, x, y).require();
///
/// Several inputs or targets are lists, named `input 0`, `input 1`, ... `checked` chooses among parameters and inputs.
/// In training mode dropout keeps one mask, and batch norm uses the batch's statistics; both are left as they were.
/// ValueError for a path that there is not, an empty tensor, which is named, or a tensor that requires a gradient and
/// is no parameter of the model: a member that was not registered.
template <ClonableModel M, TrainingLoss L>
GradientReport check_gradients(const M& model, const L& loss, TensorList x, TensorList y,
                               const GradientCheckOptions& options = {}, const CheckedTensors& checked = {}) {
  return check_gradients_of(AnyModel::clonable(model, loss), x, y, options, checked);
}

}  // namespace xgrad::nn
