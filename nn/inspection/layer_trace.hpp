#pragma once

#include <autograd/tape/tape.hpp>
#include <autograd/tensor/tensor.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace xgrad::nn {

/// A value that a model computed on a tape, and the layer that it belongs to.
struct TracedValue {
  std::string operation;  ///< `linear`, `relu`, ...
  OperationKind kind = OperationKind::function;
  Bounds bounds;
  std::string path;  ///< of the library layer that ran it, empty outside of any
  /// The layer whose parameters it uses (`encoder.hidden` of `encoder.hidden.weight`; `model` for those of the
  /// outermost module), or whose output it takes, through however many operations. Empty before the first layer.
  std::string layer;
  Tensor output;
  std::vector<Tensor> parameters;   ///< leaves with a label that it takes
  std::vector<std::size_t> inputs;  ///< traced values that it takes
  /// The last operation with the layer's parameters: its output, before any activation function.
  bool layer_output = false;
  /// An activation function after a layer, called as such, as a module or inside of the layer: by its OperationKind one
  /// (prelu), or a function of one value that keeps its shape.
  bool activation = false;

  /// `hidden`, or `hidden → relu`.
  std::string name() const { return activation ? layer + " → " + operation : layer; }
};

/// Listens to a tape (TapeOptions::observer) and finds out which operation belongs to which layer, whether the layer is
/// called as a module or its activation as a function: `relu(hidden(x))`. Keeps the values; for one batch.
class LayerTrace : public TapeObserver {
 public:
  void recorded(const RecordedOperation& operation) override;
  /// In order.
  const std::vector<TracedValue>& values() const& { return values_; }
  std::vector<TracedValue> values() const&& { return values_; }
  /// The place of a tensor that an operation gave.
  std::optional<std::size_t> find(const Tensor& x) const;

 private:
  std::vector<TracedValue> values_;
  TensorIndex index_;
};

/// What the numbers of an activation (..., units) look like. Units are entries of the last axis, one for rank 0 and 1;
/// rows are all others.
struct ActivationStatistics {
  double mean = 0;
  double std = 0;      ///< √(Σ (a - mean)² / n)
  double largest = 0;  ///< max |a|; NaN if one is
  /// The fraction of numbers within 1 % of the range from an end of it, for functions with two bounds; the derivative
  /// of sigmoid and tanh is below 4 % of its greatest there (Glorot and Bengio 2010, section 3, on saturation).
  std::optional<double> saturated = std::nullopt;
  /// The fraction of units that are at the bound in every row, for functions with a lower bound alone, such as relu: no
  /// gradient passes them (Maas et al. 2013).
  std::optional<double> dead = std::nullopt;
};
/// Of a floating tensor; bounds: of the function that it is the result of.
ActivationStatistics activation_statistics(const Tensor& a, const Bounds& bounds = {});

/// √(Σ x²) in float64.
double norm_of(const Tensor& x);

/// The layer of a parameter by its label: `encoder.hidden` of `encoder.hidden.weight`, `model` of `weight`.
std::string layer_of_parameter(const std::string& label);

}  // namespace xgrad::nn
