// refused: softpluss
// lines: 15
// line: 8
#include <autograd/pointwise.hpp>

xgrad::Tensor f(const xgrad::Tensor& x) {
  return xgrad::pointwise(
      "f", [](auto v) { return 1 + softpluss(v); }, x);
}
