#include <autograd/autograd.hpp>
#include <iostream>
#include <nn/nn.hpp>

#include "every_function.hpp"
#include "quick_gelu.hpp"

using namespace xgrad;

struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(2, 16));
  nn::Linear output = add("output", nn::Linear(16, 1));
  Tensor operator()(const Tensor& x) const { return output(quick_gelu(hidden(x))); }
};

/// Checks functions of its own, then learns exclusive or, whose mean squared error without a hidden layer would be at
/// least 0.25.
int main() {
  check_gradients([](const auto& in) { return sum(every_function(in[0])); }, {tensor({0.3, 0.7, 1.4, 2.6})}).require();
  seed(1);
  Net net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1, .momentum = 0.9});
  const Tensor x = tensor({{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  const Tensor y = reshape(tensor({0, 1, 1, 0}), {4, 1});
  double error = 1;
  for (int step = 0; step < 1000; ++step) {
    Tape tape;
    const Tensor loss = nn::mse(net(x), y);
    error = loss.item();
    optimizer.step(tape.backward(loss));
  }
  std::cout << "mean squared error " << error << '\n';
  return error < 0.01 ? 0 : 1;
}
