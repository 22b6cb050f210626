#pragma once

#include <autograd/ops/activations.hpp>
#include <autograd/ops/softmax.hpp>
#include <nn/layers/module.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace xgrad::nn {

/// Text as a template argument.
template <std::size_t size>
struct LayerName {
  constexpr LayerName(const char (&literal)[size]) { std::copy_n(literal, size, text); }
  char text[size];
};

/// A layer around a function: Self has `Tensor apply(const Tensor& x) const`.
template <class Self, LayerName name>
class Activation : public Module {
 public:
  static constexpr const char* kind = name.text;
  Tensor operator()(const Tensor& x) const {
    return LayerCall(*this, kind).run([&] { return static_cast<const Self&>(*this).apply(x); });
  }

 private:
  friend Self;
  Activation() = default;
};

/// A function without parameters as a layer: `using Squareplus = nn::FunctionLayer<"Squareplus", squareplus>;`
template <LayerName name, Tensor (*function)(const Tensor&)>
struct FunctionLayer : Activation<FunctionLayer<name, function>, name> {
  Tensor apply(const Tensor& x) const { return function(x); }
};

/// A function along an axis, the last unless told otherwise.
template <LayerName name, Tensor (*function)(const Tensor&, std::int64_t)>
struct AxisLayer : Activation<AxisLayer<name, function>, name> {
  explicit AxisLayer(std::int64_t along = -1) : axis(along) {}
  Tensor apply(const Tensor& x) const { return function(x, axis); }
  std::int64_t axis;
};

// The functions of the same names in autograd/ops, where their formulas and gradients stand.

using ReLU = FunctionLayer<"ReLU", relu>;
using HardTanh = FunctionLayer<"HardTanh", hard_tanh>;
using Softplus = FunctionLayer<"Softplus", softplus>;
using LogSigmoid = FunctionLayer<"LogSigmoid", log_sigmoid>;
using Mish = FunctionLayer<"Mish", mish>;
using Softmax = AxisLayer<"Softmax", softmax>;
using LogSoftmax = AxisLayer<"LogSoftmax", log_softmax>;

/// Values only: the gradient is 0 everywhere, so that layers before it do not learn.
struct Step : Activation<Step, "Step"> {
  explicit Step(double value_at_zero = 0.5) : at_zero(value_at_zero) {}
  Tensor apply(const Tensor& x) const { return step(x, at_zero); }
  double at_zero;
};

struct LeakyReLU : Activation<LeakyReLU, "LeakyReLU"> {
  explicit LeakyReLU(double negative_slope = 0.01) : slope(negative_slope) {}
  Tensor apply(const Tensor& x) const { return leaky_relu(x, slope); }
  double slope;
};

struct ELU : Activation<ELU, "ELU"> {
  explicit ELU(double scale = 1.0) : alpha(scale) {}
  Tensor apply(const Tensor& x) const { return elu(x, alpha); }
  double alpha;
};

// With a learned or a fixed factor more than the functions have.

/// x, of any dtype: for a place in a model where another activation may stand.
struct Identity : Activation<Identity, "Identity"> {
  Tensor apply(const Tensor& x) const;
};

/// x for x > 0, slope · x elsewhere, with learned slopes that begin at 0.25: one, or one for each entry of the last
/// axis (He et al. 2015).
struct PReLU : Activation<PReLU, "PReLU"> {
  /// ValueError unless features is positive.
  explicit PReLU(std::int64_t features = 1, double initial_slope = 0.25);
  /// ShapeError unless there is one slope, or x (..., features).
  Tensor apply(const Tensor& x) const;
  Registered slope;  ///< (features,)
};

/// x·sigmoid(beta·x) with a constant beta (Ramachandran et al. 2017): 1 gives SiLU, larger ones come close to relu, 0
/// gives x/2.
struct Swish : Activation<Swish, "Swish"> {
  /// ValueError unless beta is finite.
  explicit Swish(double factor = 1.0);
  Tensor apply(const Tensor& x) const;
  double beta;
};

/// sigmoid(slope·x): the slope at 0 is slope/4, and a steep one comes close to step.
struct Sigmoid : Activation<Sigmoid, "Sigmoid"> {
  /// ValueError unless slope is finite.
  explicit Sigmoid(double steepness = 1.0);
  Tensor apply(const Tensor& x) const;
  double slope;
};

/// tanh(slope·x) = 2·sigmoid(2·slope·x) - 1.
struct Tanh : Activation<Tanh, "Tanh"> {
  /// ValueError unless slope is finite.
  explicit Tanh(double steepness = 1.0);
  Tensor apply(const Tensor& x) const;
  double slope;
};

/// The largest of k pieces of the last axis: (..., k·n) to (..., n).
struct Maxout : Activation<Maxout, "Maxout"> {
  /// ValueError unless there is at least one piece.
  explicit Maxout(std::int64_t count);
  /// ShapeError unless the pieces divide the last axis.
  Tensor apply(const Tensor& x) const { return maxout(x, pieces); }
  std::int64_t pieces;
};

}  // namespace xgrad::nn
