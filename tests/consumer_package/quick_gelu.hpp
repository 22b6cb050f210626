#pragma once

#include <autograd/tensor/tensor.hpp>

/// An operation of the user's own (Hendrycks and Gimpel 2016): x · sigmoid(1.702 · x).
xgrad::Tensor quick_gelu(const xgrad::Tensor& x);
