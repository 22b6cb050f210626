// refused: a pointwise lambda gives a number: for `x > 0` write where(x > 0, 1, 0)
// lines: 15
#include <autograd/pointwise.hpp>

xgrad::Tensor f(const xgrad::Tensor& x) {
  return xgrad::pointwise(
      "f", [](auto v) { return v > 0; }, x);
}
