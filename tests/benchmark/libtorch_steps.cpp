// LibTorch's side of the benchmark: the workloads as its users write them, each in the fastest way that we found.

#include <torch/torch.h>

#include "measure.hpp"

namespace {

std::function<void()> training_step(const benchmark::Workload& workload) {
  std::vector<torch::nn::Linear> layers;  // plain calls: torch::nn::Sequential costs a little more
  std::vector<torch::Tensor> parameters;
  for (std::size_t i = 0; i + 1 < workload.widths.size(); ++i) {
    layers.emplace_back(workload.widths[i], workload.widths[i + 1]);
    for (auto& parameter : layers.back()->parameters()) parameters.push_back(parameter);
  }
  auto optimizer = std::make_shared<torch::optim::SGD>(
      parameters, torch::optim::SGDOptions(benchmark::learning_rate).momentum(benchmark::momentum));
  const auto x = torch::randn({workload.size, workload.widths.front()});
  const auto labels = torch::randint(workload.widths.back(), {workload.size}, torch::kLong);

  return [layers, parameters, optimizer, x, labels]() mutable {
    torch::Tensor y = layers[0](x);
    for (std::size_t i = 1; i < layers.size(); ++i) y = layers[i](torch::relu(y));
    for (auto& parameter : parameters) parameter.mutable_grad() = torch::Tensor();  // 3 % faster than zero_grad()
    torch::nn::functional::cross_entropy(y, labels).backward();
    optimizer->step();
  };
}

std::function<void()> sin_chain(const benchmark::Workload& workload) {
  const auto x = torch::full({}, 0.5).requires_grad_();
  return [x, length = workload.repeats] {
    torch::Tensor y = x;
    for (int i = 0; i < length; ++i) y = torch::sin(y);
    torch::autograd::grad({y}, {x});
  };
}

std::function<void()> multiply_add_chain(const benchmark::Workload& workload) {
  const auto x = torch::empty({workload.size}).uniform_(0, 0.5).requires_grad_();
  return [x, length = workload.repeats] {
    torch::Tensor y = x;
    for (int i = 0; i < length; ++i) y = y * x + x;
    torch::autograd::grad({y.sum()}, {x});
  };
}

std::function<void()> make_step(const benchmark::Workload& workload) {
  switch (workload.kind) {
    case benchmark::Kind::training_step:
      return training_step(workload);
    case benchmark::Kind::sin_chain:
      return sin_chain(workload);
    case benchmark::Kind::multiply_add_chain:
      return multiply_add_chain(workload);
  }
  throw std::logic_error("no such kind of workload");
}

}  // namespace

int main(int argc, char** argv) {
  return benchmark::run(argc, argv, [](const benchmark::Workload& workload, int threads, double seconds) {
    torch::set_num_threads(threads);
    torch::manual_seed(1);
    return benchmark::measure(make_step(workload), seconds);
  });
}
