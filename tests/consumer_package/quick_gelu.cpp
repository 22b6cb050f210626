#include "quick_gelu.hpp"

#include <autograd/pointwise.hpp>

xgrad::Tensor quick_gelu(const xgrad::Tensor& x) {
  return xgrad::pointwise(
      "quick_gelu", [](auto v) { return v * sigmoid(1.702 * v); }, x);
}
