#pragma once

#include <nn/doctor/doctor_report.hpp>
#include <nn/inspection/diagnostics.hpp>
#include <nn/inspection/gradient_check.hpp>
#include <nn/training/training.hpp>

#include <cstdint>
#include <optional>

namespace xgrad::nn {

struct DoctorOptions {
  std::int64_t rows = 64;           ///< of the data, drawn at random, that make the batch
  std::int64_t steps = 200;         ///< to overfit it with
  std::int64_t label_rows = 400;    ///< for the question whether targets depend on inputs
  std::size_t gradient_sample = 4;  ///< entries of each parameter whose gradient is compared with differences
  /// What the loss should do with rows, as in FitOptions.
  Reduction reduction = Reduction::mean;
  /// Frozen layers, and parameters that the optimizer does not have, are intended.
  bool allow_frozen = false;
  std::optional<DType> dtype = std::nullopt;  ///< of the batch, see BatchesOptions
  BatchTransform transform = {};
  std::uint64_t seed = 0;  ///< of the draws
};

/// Of a clonable model. Without an optimizer, for SGD with the learning rate.
DoctorReport doctor_of(const AnyModel& model, Optimizer* optimizer, double learning_rate, const Dataset& data,
                       const DoctorOptions& options);

/// Looks a model, its loss, its optimizer and its data over before a long run, in seconds, and names the layer at
/// fault:
///
///     nn::doctor(net, nn::cross_entropy, optimizer, train).require();
///
/// The checks, in the order of causes, each with its rule:
///
/// - shapes: model and loss run on a batch, one output row an input row, the loss one finite number
/// - inputs: finite, not all alike, root mean square of every feature at most 10 (LeCun et al. 1998, section 4.3)
/// - targets: finite, more than one class
/// - rows: in eval mode an output row depends on its input row alone
/// - reduction: the loss of two half batches together is their mean, or their sum, as the options say
/// - output: no softmax and no function with a lower bound (sigmoid, tanh, relu) before a loss that takes logits
/// - frozen: every parameter requires a gradient, and the optimizer has it
/// - gradient flow: every parameter that is used gets a gradient; every one is used
/// - initialisation: weights of a layer differ; their rms · √fan_in is between 0.02 and 4 (1/√3 for U(±1/√fan_in),
///   1 for Glorot and Bengio 2010 in layers of equal width, √2 for He et al. 2015)
/// - non-linearity: between two linear layers stands a function that is not linear, unless the values between are
///   fewer than on either side (a bottleneck)
/// - dead units, saturation: less than half of the units, or numbers; see ActivationStatistics
/// - initial loss: at most 4 times, for targets that are no labels 16 times, that of outputs that prefer nothing (0, or
///   1/C after a softmax): ln C for C classes
/// - gradients: sampled, as by check_gradients
/// - learning rate: the first step of no weight is longer than the weight, and 30 steps on one batch do not raise the
///   loss to 1.5 times
/// - overfit: Adam with rate 0.01 brings the loss of one batch below half
/// - labels: targets of nearest neighbours agree more often than by chance (3 standard deviations; Cover and Hart 1967)
///
/// The last three are made only if nothing was found before. Model and optimizer are as before afterwards, also when it
/// throws: clones are used, and where the optimizer takes steps, parameters, buffers and state are put back, bit by
/// bit (state of an Optimizer class of your own beyond its moments is not). ValueError for empty data or options below
/// 1; other exceptions of the model, the loss and the transform become findings.
template <class M, class L>
DoctorReport doctor(M& model, const L& loss, Optimizer& optimizer, const Dataset& data,
                    const DoctorOptions& options = {}) {
  return doctor_of(AnyModel::clonable_of(model, loss), &optimizer, optimizer.learning_rate(), data, options);
}

/// The same before there is an optimizer: for SGD with this learning rate.
template <class M, class L>
DoctorReport doctor(M& model, const L& loss, double learning_rate, const Dataset& data,
                    const DoctorOptions& options = {}) {
  return doctor_of(AnyModel::clonable_of(model, loss), nullptr, learning_rate, data, options);
}

}  // namespace xgrad::nn
