// refused: for std::tanh(x) write tanh(x); a lambda's x fits no function of double
// lines: 15
// line: 9
#include <autograd/pointwise.hpp>
#include <cmath>

xgrad::Tensor f(const xgrad::Tensor& x, const xgrad::Tensor& y) {
  return xgrad::pointwise(
      "f", [](auto v, auto w) { return std::pow(v, 2) * w; }, x, y);
}
