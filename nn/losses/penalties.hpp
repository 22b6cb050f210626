#pragma once

#include <autograd/tensor/tensor.hpp>

#include <vector>

namespace xgrad::nn {

// Penalties on parameters, to be added to a loss: `loss + 1e-4 * nn::l2_penalty(net.parameters())`. They give one
// number (). ValueError for no parameters, TypeError for int64 or dtypes that differ.

/// Σ |θ| over all entries of all parameters: the lasso (Tibshirani 1996). Gradient sign(θ), 0 at 0.
Tensor l1_penalty(const std::vector<Tensor>& parameters);

/// ½ Σ θ² over all entries of all parameters: ridge regression, weight decay (Krogh and Hertz 1992). Gradient θ, so
/// that λ · l2_penalty moves parameters as SGD with weight_decay = λ does. Texts that penalise λ Σ θ² mean twice this
/// λ.
Tensor l2_penalty(const std::vector<Tensor>& parameters);

}  // namespace xgrad::nn
