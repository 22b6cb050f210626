// A training step of a random graph of 100,000 edges against the memory bandwidth of its edges. Every edge is charged
// with what it cannot do without: its weight read twice (forward, backward), its gradient written once, and for each
// example the value at its source read forward and the cotangent at its target read backward:
//
//     bytes = edges · 4 · (3 + 2 · batch) in float32
//
// Usage: xgrad_graph_benchmark [threads]. The bandwidth is measured in the same run: the best of several reads of 256
// MiB, by as many threads.

#include <autograd/autograd.hpp>
#include <autograd/parallel/parts.hpp>
#include <nn/graph/network_graph.hpp>
#include <nn/losses/losses.hpp>
#include <nn/optimizers/sgd.hpp>

#include <tbb/global_control.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "measure.hpp"

using namespace xgrad;

namespace {

constexpr std::size_t inputs = 100;
constexpr std::size_t nodes = 10000;
constexpr std::size_t edges_per_node = 10;

/// Every node has edges from ten earlier ones, drawn from the last 2000.
nn::GraphDescription random_graph() {
  std::mt19937_64 random(1);
  nn::GraphDescription graph;
  for (std::size_t i = 0; i < inputs; ++i) graph.inputs.push_back(std::to_string(i));
  for (std::size_t i = inputs; i < inputs + nodes; ++i) {
    graph.nodes.push_back({std::to_string(i), tanh});
    const std::size_t window = std::min<std::size_t>(i, 2000);
    std::vector<std::size_t> from;
    while (from.size() < edges_per_node) {
      const std::size_t candidate = i - 1 - random() % window;
      if (std::find(from.begin(), from.end(), candidate) == from.end()) from.push_back(candidate);
    }
    for (const std::size_t j : from) graph.edges.push_back({std::to_string(j), std::to_string(i)});
  }
  for (std::size_t i = 0; i < 10; ++i) graph.outputs.push_back(std::to_string(inputs + nodes - 1 - i));
  return graph;
}

/// Bytes per second.
double bandwidth() {
  constexpr std::size_t block = std::size_t{1} << 17;  // numbers
  std::vector<std::uint64_t> numbers(std::size_t{1} << 25, 1);
  std::vector<std::uint64_t> sums(numbers.size() / block);
  const benchmark::Figures figures = benchmark::measure(
      [&] {
        parallel_parts(sums.size(), [&](std::size_t i) {
          std::uint64_t sum = 0;
          for (std::size_t k = i * block; k < (i + 1) * block; ++k) sum += numbers[k];
          sums[i] = sum;
        });
      },
      1);
  if (sums.front() != block) std::abort();
  return static_cast<double>(numbers.size() * sizeof(std::uint64_t)) / (1e-6 * figures.minimum);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  if (threads < 1) return 2;
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
  const double bytes_per_second = bandwidth();
  const nn::NetworkGraph graph(random_graph());
  std::printf("%zu edges, %zu nodes, %zu levels, %d threads, memory %.1f GB/s\n", graph.weight.size(), nodes,
              graph.depth(), threads, 1e-9 * bytes_per_second);
  std::printf("%6s %10s %10s %6s\n", "batch", "limit us", "step us", "ratio");
  nn::SGD optimizer(graph.parameters(), {.learning_rate = 1e-3});
  for (const std::int64_t batch : {1, 8, 32, 64, 128, 256, 512}) {
    const Tensor x = normal({batch, inputs});
    const Tensor target = normal({batch, 10});
    const benchmark::Figures step = benchmark::measure(
        [&] {
          Tape tape;
          optimizer.step(tape.backward(nn::mse(graph(x), target)));
        },
        1);
    const double bytes = static_cast<double>(graph.weight.size()) * 4 * (3 + 2 * static_cast<double>(batch));
    const double floor = 1e6 * bytes / bytes_per_second;
    std::printf("%6lld %10.1f %10.1f %6.2f\n", static_cast<long long>(batch), floor, step.median, step.median / floor);
  }
}
