// refused: for std::tanh(x) write tanh(x); a lambda's x fits no function of double
// lines: 15
// line: 9
#include <autograd/pointwise.hpp>
#include <cmath>

xgrad::Tensor f(const xgrad::Tensor& x) {
  return xgrad::pointwise(
      "f", [](auto v) { return v * std::tanh(v) + 1; }, x);
}
