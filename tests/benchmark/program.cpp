// A user's small program, twice: here and in libtorch_program.cpp. The benchmark takes its compile time, its size, its
// start-up time (program start: one tensor) and its peak memory (program train).

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <tbb/global_control.h>

#include <cstring>

#include "peak_memory.hpp"

using namespace xgrad;

struct Network : nn::Module {
  nn::Linear hidden1 = add("hidden1", nn::Linear(784, 256));
  nn::Linear hidden2 = add("hidden2", nn::Linear(256, 128));
  nn::Linear output = add("output", nn::Linear(128, 10));
  Tensor operator()(const Tensor& x) const { return output(relu(hidden2(relu(hidden1(x))))); }
};

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "start") == 0) return ones({1}).item() == 1 ? 0 : 1;
  if (argc != 3 || std::strcmp(argv[1], "train") != 0) return 2;
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(std::atoi(argv[2])));
  const nn::Dataset data(normal({8192, 784}), zeros({8192}, int64));
  Network network;
  nn::SGD optimizer(network.parameters(), {.learning_rate = 0.01, .momentum = 0.9});
  nn::Batches batches(data, {.size = 128, .shuffle = true, .seed = 1});
  for (int epoch = 0; epoch < 2; ++epoch)
    for (auto [x, y] : batches) {
      Tape tape;
      const Tensor loss = nn::cross_entropy(network(x), y);
      optimizer.step(tape.backward(loss));
    }
  benchmark::print_peak_memory();
}
