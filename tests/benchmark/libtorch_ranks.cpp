// LibTorch's side of ranks.py: a training step on ranks as its users write it, whose C++ API has no data parallelism:
// an MPI_Allreduce of the gradients after backward, of each parameter or of all in one buffer. Microseconds, one JSON
// line.
//
// Usage: libtorch_ranks each|flat NETWORK ROWS STEPS, ROWS of each rank

#include <mpi.h>
#include <torch/torch.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "measure.hpp"

namespace {

void add_up(const torch::Tensor& x, int ranks) {
  MPI_Allreduce(MPI_IN_PLACE, x.data_ptr<float>(), static_cast<int>(x.numel()), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  x.div_(ranks);
}

void add_up_in_one(const std::vector<torch::Tensor>& gradients, int ranks) {
  std::vector<torch::Tensor> lists;
  for (const torch::Tensor& gradient : gradients) lists.push_back(gradient.flatten());
  const torch::Tensor all = torch::cat(lists);
  add_up(all, ranks);
  std::int64_t place = 0;
  for (const torch::Tensor& gradient : gradients) {
    gradient.copy_(all.narrow(0, place, gradient.numel()).view_as(gradient));
    place += gradient.numel();
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) return 2;
  MPI_Init(&count, &arguments);
  int ranks = 1, rank = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  torch::set_num_threads(1);
  const bool flat = std::string(arguments[1]) == "flat";
  std::vector<std::int64_t> widths;
  std::istringstream text(arguments[2]);
  for (std::string width; std::getline(text, width, '-');) widths.push_back(std::atoll(width.c_str()));
  const std::int64_t rows = std::atoll(arguments[3]), steps = std::atoll(arguments[4]);

  torch::manual_seed(1);
  std::vector<torch::nn::Linear> layers;
  std::vector<torch::Tensor> parameters;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    layers.emplace_back(widths[i], widths[i + 1]);
    for (auto& parameter : layers.back()->parameters()) parameters.push_back(parameter);
  }
  torch::optim::SGD optimizer(parameters, torch::optim::SGDOptions(0.01).momentum(0.9));
  torch::manual_seed(2 + static_cast<std::uint64_t>(rank));
  const torch::Tensor x = torch::randn({rows, widths.front()}), labels = torch::randint(widths.back(), {rows});
  std::vector<double> samples;
  for (std::int64_t step = 0; step < steps + 3; ++step) {
    const double before = benchmark::seconds_now();
    for (auto& parameter : parameters) parameter.mutable_grad() = torch::Tensor();  // 3 % faster than zero_grad()
    torch::Tensor y = layers[0](x);
    for (std::size_t i = 1; i < layers.size(); ++i) y = layers[i](torch::relu(y));
    torch::nn::functional::cross_entropy(y, labels).backward();
    std::vector<torch::Tensor> gradients;
    for (const auto& parameter : parameters) gradients.push_back(parameter.grad());
    if (flat)
      add_up_in_one(gradients, ranks);
    else
      for (const auto& gradient : gradients) add_up(gradient, ranks);
    optimizer.step();
    if (step >= 3) samples.push_back(1e6 * (benchmark::seconds_now() - before));
  }
  const benchmark::Figures times = benchmark::figures(samples);
  if (rank == 0)
    std::printf("{\"median_us\": %.6g, \"min_us\": %.6g, \"spread\": %.4f, \"steps\": %zu}\n", times.median,
                times.minimum, times.spread, samples.size());
  MPI_Finalize();
}
