// refused: for `if (x > 0)` and `x > 0 ? a : b` write where(x > 0, a, b)
// lines: 15
#include <autograd/pointwise.hpp>

xgrad::Tensor f(const xgrad::Tensor& x) {
  return xgrad::pointwise(
      "f",
      [](auto v) {
        if (v > 0) return v;
        return v * 0.1;
      },
      x);
}
