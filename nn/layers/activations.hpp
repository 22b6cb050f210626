#pragma once

#include <nn/layers/module.hpp>

#include <cstdint>

namespace xgrad::nn {

/// A layer around a function: Self has `static constexpr const char* kind` and `Tensor apply(const Tensor& x) const`.
template <class Self>
class Activation : public Module {
 public:
  Tensor operator()(const Tensor& x) const {
    return LayerCall(*this, Self::kind).run([&] { return static_cast<const Self&>(*this).apply(x); });
  }

 private:
  friend Self;
  Activation() = default;
};

// The functions of the same names in autograd/ops, where their formulas and gradients stand.

/// x, of any dtype: for a place in a model where another activation may stand.
struct Identity : Activation<Identity> {
  static constexpr const char* kind = "Identity";
  Tensor apply(const Tensor& x) const;
};

/// Values only: the gradient is 0 everywhere, so that layers before it do not learn.
struct Step : Activation<Step> {
  static constexpr const char* kind = "Step";
  explicit Step(double value_at_zero = 0.5) : at_zero(value_at_zero) {}
  Tensor apply(const Tensor& x) const;
  double at_zero;
};

struct ReLU : Activation<ReLU> {
  static constexpr const char* kind = "ReLU";
  Tensor apply(const Tensor& x) const;
};

struct LeakyReLU : Activation<LeakyReLU> {
  static constexpr const char* kind = "LeakyReLU";
  explicit LeakyReLU(double negative_slope = 0.01) : slope(negative_slope) {}
  Tensor apply(const Tensor& x) const;
  double slope;
};

/// x for x > 0, slope · x elsewhere, with learned slopes that begin at 0.25: one, or one for each entry of the last
/// axis (He et al. 2015).
struct PReLU : Activation<PReLU> {
  static constexpr const char* kind = "PReLU";
  /// ValueError unless features is positive.
  explicit PReLU(std::int64_t features = 1, double initial_slope = 0.25);
  /// ShapeError unless there is one slope, or x (..., features).
  Tensor apply(const Tensor& x) const;
  Tensor slope;  ///< (features,)
};

struct ELU : Activation<ELU> {
  static constexpr const char* kind = "ELU";
  explicit ELU(double scale = 1.0) : alpha(scale) {}
  Tensor apply(const Tensor& x) const;
  double alpha;
};

/// x·sigmoid(beta·x) with a constant beta (Ramachandran et al. 2017): 1 gives SiLU, larger ones come close to relu, 0
/// gives x/2.
struct Swish : Activation<Swish> {
  static constexpr const char* kind = "Swish";
  /// ValueError unless beta is finite.
  explicit Swish(double factor = 1.0);
  Tensor apply(const Tensor& x) const;
  double beta;
};

/// sigmoid(slope·x): the slope at 0 is slope/4, and a steep one comes close to step.
struct Sigmoid : Activation<Sigmoid> {
  static constexpr const char* kind = "Sigmoid";
  /// ValueError unless slope is finite.
  explicit Sigmoid(double steepness = 1.0);
  Tensor apply(const Tensor& x) const;
  double slope;
};

/// tanh(slope·x) = 2·sigmoid(2·slope·x) - 1.
struct Tanh : Activation<Tanh> {
  static constexpr const char* kind = "Tanh";
  /// ValueError unless slope is finite.
  explicit Tanh(double steepness = 1.0);
  Tensor apply(const Tensor& x) const;
  double slope;
};

struct HardTanh : Activation<HardTanh> {
  static constexpr const char* kind = "HardTanh";
  Tensor apply(const Tensor& x) const;
};

/// The largest of k pieces of the last axis: (..., k·n) to (..., n).
struct Maxout : Activation<Maxout> {
  static constexpr const char* kind = "Maxout";
  /// ValueError unless there is at least one piece.
  explicit Maxout(std::int64_t count);
  /// ShapeError unless the pieces divide the last axis.
  Tensor apply(const Tensor& x) const;
  std::int64_t pieces;
};

struct Softplus : Activation<Softplus> {
  static constexpr const char* kind = "Softplus";
  Tensor apply(const Tensor& x) const;
};

struct LogSigmoid : Activation<LogSigmoid> {
  static constexpr const char* kind = "LogSigmoid";
  Tensor apply(const Tensor& x) const;
};

struct Softmax : Activation<Softmax> {
  static constexpr const char* kind = "Softmax";
  explicit Softmax(std::int64_t along = -1) : axis(along) {}
  Tensor apply(const Tensor& x) const;
  std::int64_t axis;
};

struct LogSoftmax : Activation<LogSoftmax> {
  static constexpr const char* kind = "LogSoftmax";
  explicit LogSoftmax(std::int64_t along = -1) : axis(along) {}
  Tensor apply(const Tensor& x) const;
  std::int64_t axis;
};

}  // namespace xgrad::nn
