#pragma once

#include <autograd/ops/random.hpp>
#include <nn/layers/module.hpp>

#include <cstdint>

namespace xgrad::nn {

struct LinearOptions {
  bool bias = true;
};

/// y (..., out) = x (..., in) · weight (in, out) + bias (out). Weight and bias begin uniform on ±1/√in.
class Linear : public Module {
 public:
  /// ValueError unless in and out are positive. Parameters have the default dtype.
  Linear(std::int64_t in, std::int64_t out, const LinearOptions& options = {},
         Generator& generator = default_generator());

  /// ShapeError and TypeError for an x that does not fit the weight.
  Tensor operator()(const Tensor& x) const;

  // Handles: write new values by `modify` or `assign`.
  Registered weight;
  Registered bias;  ///< an empty handle without bias
};

}  // namespace xgrad::nn
