#pragma once

#include <autograd/tensor/tensor.hpp>

namespace xgrad {

// Elementary functions of one tensor, elementwise; floating dtypes (TypeError). g is the cotangent of the result y.

/// e^x; gradient g·y.
Tensor exp(const Tensor& x);
/// e^x - 1, exact near 0; gradient g·e^x.
Tensor expm1(const Tensor& x);
/// Natural logarithm; gradient g/x, infinite at 0.
Tensor log(const Tensor& x);
/// log(1 + x), exact near 0; gradient g/(1 + x).
Tensor log1p(const Tensor& x);
/// √x; gradient g/(2y), infinite at 0.
Tensor sqrt(const Tensor& x);
/// x²; gradient 2·g·x.
Tensor square(const Tensor& x);
/// |x|; gradient g·sign(x), 0 at 0.
Tensor abs(const Tensor& x);
/// -1, 0 or 1; gradient 0.
Tensor sign(const Tensor& x);
/// The largest integer not above x; gradient 0.
Tensor floor(const Tensor& x);
/// gradient g·cos(x).
Tensor sin(const Tensor& x);
/// gradient -g·sin(x).
Tensor cos(const Tensor& x);
/// gradient g·(1 - y²).
Tensor tanh(const Tensor& x);

}  // namespace xgrad
