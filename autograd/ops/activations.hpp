#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstdint>

namespace xgrad {

// Activation functions, elementwise but for maxout; floating dtypes (TypeError). g is the cotangent of the result.

/// 0 for x < 0, 1 for x > 0, and at_zero for 0, as NumPy's heaviside(x, at_zero): ½ unless told otherwise, 1 for the
/// threshold units of McCulloch and Pitts (1943). Values only: gradient 0 everywhere.
Tensor step(const Tensor& x, double at_zero = 0.5);
/// 1 / (1 + e^-x), without overflow; gradient g·σ(x)·σ(-x).
Tensor sigmoid(const Tensor& x);
/// log σ(x) = -softplus(-x); gradient g·σ(-x).
Tensor log_sigmoid(const Tensor& x);
/// log(1 + e^x); gradient g·σ(x).
Tensor softplus(const Tensor& x);
/// max(x, 0); gradient g for x > 0, 0 elsewhere and at 0 (Nair and Hinton 2010).
Tensor relu(const Tensor& x);
/// x for x > 0, slope·x elsewhere, 0.01·x unless told; gradient g·slope at 0 (Maas et al. 2013).
Tensor leaky_relu(const Tensor& x, double slope);
Tensor leaky_relu(const Tensor& x);
/// leaky_relu with slopes to learn, which broadcast against x; at 0 the gradient is g·slope for x, 0 for the slope
/// (He et al. 2015).
Tensor prelu(const Tensor& x, const Tensor& slope);
/// x for x > 0, alpha·(e^x - 1) elsewhere, alpha 1 unless told; gradient g·alpha at 0 (Clevert et al. 2016).
Tensor elu(const Tensor& x, double alpha);
Tensor elu(const Tensor& x);
/// x·σ(x) (Ramachandran et al. 2017; also called SiLU).
Tensor swish(const Tensor& x);
/// x·tanh(softplus(x)) (Misra 2019).
Tensor mish(const Tensor& x);
/// x limited to [-1, 1]; gradient 0 outside and on the bounds.
Tensor hard_tanh(const Tensor& x);
/// The largest of k pieces: y_i = max_j x_{j·n + i}, from (..., k·n) to (..., n), so that `linear` with k·n columns
/// gives it k affine pieces for each unit (Goodfellow et al. 2013, section 3). The gradient goes to the largest, shared
/// equally on a tie. ValueError unless there is at least one piece, ShapeError unless they divide the last axis.
Tensor maxout(const Tensor& x, std::int64_t pieces);

}  // namespace xgrad
