#include "every_function.hpp"

#include <autograd/pointwise.hpp>

xgrad::Tensor every_function(const xgrad::Tensor& x) {
  return xgrad::pointwise(
      "every_function",
      [](auto v) {
        const auto powers = exp(v) + expm1(v) + log(v) + log1p(v) + sqrt(v) + pow(v, 1.5);
        const auto curves = sin(v) + cos(v) + tanh(v) + sigmoid(v) + softplus(v);
        return where(v > 1, powers, curves) + abs(v) + sign(v) * floor(v);
      },
      x);
}
