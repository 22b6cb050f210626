// refused: a lambda's x fits no function of double
// lines: 15
// line: 10
#include <autograd/pointwise.hpp>

double scaled(double x) { return 2 * x; }

xgrad::Tensor f(const xgrad::Tensor& x) {
  return xgrad::pointwise(
      "f", [](auto v) { return scaled(v); }, x);
}
