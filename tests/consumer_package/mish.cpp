#include "mish.hpp"

#include <autograd/pointwise.hpp>

xgrad::Tensor mish(const xgrad::Tensor& x) {
  return xgrad::pointwise(
      "mish", [](auto v) { return v * tanh(softplus(v)); }, x);
}
