#pragma once

#include <autograd/tensor/tensor.hpp>

/// The sum of all that a pointwise lambda may call, of positive numbers: vectors of every kind in the user's own code.
xgrad::Tensor every_function(const xgrad::Tensor& x);
