#include <autograd/autograd.hpp>
#include <iostream>
#include <nn/nn.hpp>

#include "quick_gelu.hpp"

using namespace xgrad;

struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(2, 16));
  nn::Linear output = add("output", nn::Linear(16, 1));
  Tensor operator()(const Tensor& x) const { return output(quick_gelu(hidden(x))); }
};

/// Learns exclusive or; its mean squared error without a hidden layer would be at least 0.25.
int main() {
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
