// refused: results have types of their own: write `auto y = x * x;`, or in loops `auto y = variable(x);`
// lines: 15
#include <autograd/pointwise.hpp>

xgrad::Tensor f(const xgrad::Tensor& x, const xgrad::Tensor& y) {
  return xgrad::pointwise(
      "f",
      [](auto v, auto w) {
        v += w;
        return v;
      },
      x, y);
}
