#pragma once

#include <autograd/tensor/tensor.hpp>

/// An operation of the user's own (Misra 2019): x · tanh(softplus(x)).
xgrad::Tensor mish(const xgrad::Tensor& x);
