#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/normalization.hpp>

#include <cmath>
#include <limits>
#include <memory>

namespace xgrad::nn {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Shape features_shape(const char* layer, std::int64_t features) {
  if (features < 1) throw_as<ValueError>("{}: {} features; need at least one", layer, features);
  return {features};
}

double checked_epsilon(const char* layer, double epsilon) {
  if (!(epsilon > 0)) throw_as<ValueError>("{}: epsilon {}; need epsilon > 0", layer, epsilon);
  return epsilon;
}

/// ShapeError and TypeError unless x is (…, features) for a weight (features,), in one dtype.
void check_input(const char* layer, const Tensor& x, const Tensor& weight) {
  common_floating_dtype(layer, x, weight);
  check_last_extent(layer, x.shape(), weight.shape()[0]);
}

/// weight / √(variance + ε), by which centred inputs are multiplied.
Tensor scale_of(const Tensor& variance, const Tensor& weight, double epsilon) {
  return pointwise(
      "batch_norm", [epsilon](auto v, auto w) { return w / sqrt(v + epsilon); }, variance, weight);
}

/// Inputs less their mean over the axes, which stay with extent 1, and what their squared size is with ε.
struct Spread {
  Tensor centred;
  Tensor variance;  // of the inputs
  Tensor squares;   // the mean square of centred, to which epsilon is to be added
  double epsilon;

  Spread(const Tensor& x, const Axes& axes, double e)
      : centred(xgrad::centred(x, axes)), variance(mean(square(centred), axes, true)), squares(variance), epsilon(e) {
    if (x.size() == 0 || std::isfinite(max(detach(variance)).item())) return;
    // Squares overflow: there x is taken in units, which a difference's quotient by the deviation is free of.
    const double small = x.dtype() == float32 ? 0x1p-66 : 0x1p-514;  // the square of 2·max·small is in the range
    const Tensor unit = pointwise(
        "normalization_unit", [small](auto v) { return where(v < infinity, 1, small); }, detach(variance));
    centred = xgrad::centred(x * unit, axes);
    squares = mean(square(centred), axes, true) + epsilon * square(unit);
    epsilon = 0;
  }
};

}  // namespace

BatchNorm::BatchNorm(std::int64_t features, const BatchNormOptions& options)
    : weight(parameter("weight", ones(features_shape("BatchNorm", features)))),
      bias(parameter("bias", zeros({features}))),
      running_mean(buffer("running_mean", zeros({features}))),
      running_var(buffer("running_var", ones({features}))),
      statistics_(add_statistics("statistics", Shared<RunningStatistics>(std::make_shared<RunningStatistics>(
                                                   running_mean, running_var, options.momentum)))),
      epsilon_(checked_epsilon("BatchNorm", options.epsilon)) {
  if (!(options.momentum >= 0 && options.momentum <= 1))
    throw_as<ValueError>("BatchNorm: momentum {}; need 0 <= momentum <= 1", options.momentum);
}

Tensor BatchNorm::operator()(const Tensor& x) const {
  // In training: mean 1, difference 1, variance 2, scale and shift 2; in eval mode difference, scale and shift.
  const double flops = (training() ? 6.0 : 3.0) * static_cast<double>(x.defined() ? x.size() : 0);
  const auto normalised = [&] {
    check_input("batch_norm", x, weight);
    return training() ? in_training(x) : in_eval(x);
  };
  return LayerCall(*this, "BatchNorm").run(normalised, flops);
}

Tensor BatchNorm::in_training(const Tensor& x) const {
  const std::int64_t features = weight.shape()[0];
  const std::int64_t count = static_cast<std::int64_t>(x.size()) / features;
  if (count < 2)
    throw_as<ShapeError>(
        "batch_norm: x is {} in training; need at least two rows, whose variance it divides by "
        "(BatchesOptions::drop_last leaves out a last batch of one, fewer parts make larger ones)",
        x.shape());
  const Tensor rows = x.rank() == 2 ? x : reshape(x, {count, features});
  const Spread spread(rows, {0}, epsilon_);  // (n, features) and (1, features)
  const Tensor scale = scale_of(spread.squares, weight, spread.epsilon);
  const Tensor y = pointwise(
      "batch_norm", [](auto c, auto s, auto b) { return c * s + b; }, spread.centred, scale, bias);
  BatchPart::note(statistics_.pointer(),
                  {count, mean(detach(rows), {0}), reshape(detach(spread.variance), weight.shape())});
  return x.rank() == 2 ? y : reshape(y, x.shape());
}

Tensor BatchNorm::in_eval(const Tensor& x) const {
  const Tensor scale = scale_of(running_var, weight, epsilon_);
  return pointwise(
      "batch_norm", [](auto a, auto m, auto s, auto b) { return (a - m) * s + b; }, x, running_mean, scale, bias);
}

LayerNorm::LayerNorm(std::int64_t features, const LayerNormOptions& options)
    : weight(parameter("weight", ones(features_shape("LayerNorm", features)))),
      bias(parameter("bias", zeros({features}))),
      epsilon_(checked_epsilon("LayerNorm", options.epsilon)) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  const double flops =
      7.0 * static_cast<double>(x.defined() ? x.size() : 0);  // mean 1, difference 1, variance 2, scales 2, shift 1
  const auto normalised = [&] {
    check_input("layer_norm", x, weight);
    const Spread spread(x, {-1}, epsilon_);  // of (..., 1)
    const Tensor scale = pointwise_with(
        {.kind = OperationKind::arithmetic}, "layer_norm", [e = spread.epsilon](auto v) { return 1 / sqrt(v + e); },
        spread.squares);
    return pointwise(
        "layer_norm", [](auto c, auto s, auto w, auto b) { return c * s * w + b; }, spread.centred, scale, weight,
        bias);
  };
  return LayerCall(*this, "LayerNorm").run(normalised, flops);
}

}  // namespace xgrad::nn
