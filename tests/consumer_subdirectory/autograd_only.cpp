#include <autograd/autograd.hpp>
#include <iostream>

int main() {
  const xgrad::Tensor x = xgrad::full({3}, 2.0).requires_gradient();
  xgrad::Tape tape;
  const xgrad::Gradients gradients = tape.backward(xgrad::sum(x * x));
  std::cout << gradients[x] << '\n';  // d(x²)/dx = 2 x
  return xgrad::sum(gradients[x]).item() == 12 ? 0 : 1;
}
