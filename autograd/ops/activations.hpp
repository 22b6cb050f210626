#pragma once

#include <autograd/tensor.hpp>

namespace xgrad {

// Activation functions, elementwise; floating dtypes (TypeError). g is the cotangent of the result.

/// 1 / (1 + e^-x), without overflow; gradient g·σ(x)·σ(-x).
Tensor sigmoid(const Tensor& x);
/// log σ(x) = -softplus(-x); gradient g·σ(-x).
Tensor log_sigmoid(const Tensor& x);
/// log(1 + e^x); gradient g·σ(x).
Tensor softplus(const Tensor& x);
/// max(x, 0); gradient g for x > 0, 0 elsewhere and at 0 (Nair and Hinton 2010).
Tensor relu(const Tensor& x);
/// x for x > 0, slope·x elsewhere; gradient g·slope at 0 (Maas et al. 2013).
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// leaky_relu with slopes to learn, which broadcast against x; at 0 the gradient is g·slope for x, 0 for the slope
/// (He et al. 2015).
Tensor prelu(const Tensor& x, const Tensor& slope);
/// x for x > 0, alpha·(e^x - 1) elsewhere; gradient g·alpha at 0 (Clevert et al. 2016).
Tensor elu(const Tensor& x, double alpha = 1.0);
/// x·σ(x) (Ramachandran et al. 2017; also called SiLU).
Tensor swish(const Tensor& x);
/// x limited to [-1, 1]; gradient 0 outside and on the bounds.
Tensor hard_tanh(const Tensor& x);

}  // namespace xgrad
