#pragma once

#include <nn/module.hpp>

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

struct Swish : Activation<Swish> {
  static constexpr const char* kind = "Swish";
  Tensor apply(const Tensor& x) const;
};

struct Sigmoid : Activation<Sigmoid> {
  static constexpr const char* kind = "Sigmoid";
  Tensor apply(const Tensor& x) const;
};

struct Tanh : Activation<Tanh> {
  static constexpr const char* kind = "Tanh";
  Tensor apply(const Tensor& x) const;
};

struct HardTanh : Activation<HardTanh> {
  static constexpr const char* kind = "HardTanh";
  Tensor apply(const Tensor& x) const;
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
