#pragma once

#include <autograd/ops/random.hpp>
#include <nn/layers/layer_stream.hpp>
#include <nn/layers/module.hpp>

namespace xgrad::nn {

/// In training every element is 0 with the given probability and x / (1 - probability) otherwise, so that its mean
/// stays (Srivastava et al. 2014, inverted); in eval mode the identity. The gradient goes through the elements that
/// were kept.
class Dropout : public Module {
 public:
  /// ValueError unless 0 <= probability <= 1.
  explicit Dropout(double probability = 0.5, Generator& generator = default_generator());
  Tensor operator()(const Tensor& x) const;

  double probability() const { return probability_; }
  LayerStream stream;

 private:
  double probability_;
};

}  // namespace xgrad::nn
