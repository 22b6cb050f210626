// refused: results have types of their own: write `auto y = x * x;`, or in loops `auto y = variable(x);`
// lines: 15
#include <autograd/pointwise.hpp>

xgrad::Tensor f(const xgrad::Tensor& x) {
  return xgrad::pointwise(
      "f",
      [](auto v) {
        for (int i = 0; i < 3; ++i) v = v * v;
        return v;
      },
      x);
}
