// LibTorch's counterpart of program.cpp.

#include <torch/torch.h>

#include <cstring>

#include "peak_memory.hpp"

struct Network : torch::nn::Module {
  torch::nn::Linear hidden1 = register_module("hidden1", torch::nn::Linear(784, 256));
  torch::nn::Linear hidden2 = register_module("hidden2", torch::nn::Linear(256, 128));
  torch::nn::Linear output = register_module("output", torch::nn::Linear(128, 10));
  torch::Tensor forward(const torch::Tensor& x) { return output(torch::relu(hidden2(torch::relu(hidden1(x))))); }
};

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "start") == 0) return torch::ones({1}).item<float>() == 1 ? 0 : 1;
  if (argc != 3 || std::strcmp(argv[1], "train") != 0) return 2;
  torch::set_num_threads(std::atoi(argv[2]));
  const torch::Tensor inputs = torch::randn({8192, 784}), targets = torch::zeros({8192}, torch::kLong);
  Network network;
  torch::optim::SGD optimizer(network.parameters(), torch::optim::SGDOptions(0.01).momentum(0.9));
  for (int epoch = 0; epoch < 2; ++epoch)
    for (const torch::Tensor& rows : torch::randperm(8192).split(128)) {
      optimizer.zero_grad();
      const torch::Tensor prediction = network.forward(inputs.index_select(0, rows));
      torch::nn::functional::cross_entropy(prediction, targets.index_select(0, rows)).backward();
      optimizer.step();
    }
  benchmark::print_peak_memory();
}
