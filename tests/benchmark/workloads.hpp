#pragma once

/// The workloads on which xgrad and its peers are compared. Every program includes this table, so that a row means the
/// same work in each of them. C++17, because the peers' headers want it.

#include <string>
#include <vector>

namespace benchmark {

enum class Kind {
  training_step,       ///< multilayer perceptron with relu: forward, cross-entropy, backward, SGD with momentum 0.9
  sin_chain,           ///< y = sin(y), forward and backward, per operation
  multiply_add_chain,  ///< y = y·x + x, then sum(y), forward and backward, per iteration
};

struct Workload {
  std::string name;   ///< what --workload and --only take
  std::string group;  ///< the table in which the row is printed
  std::string title;
  Kind kind;
  std::vector<int> widths;  ///< of the layers, from input to classes; empty for chains
  int size;                 ///< rows of a batch; elements of a chain's tensor
  int repeats;              ///< operations or iterations in one step; times are per repeat
};

/// Too small to move a weight: every step does the same work, and no unit that dies leaves denormal momentum behind.
inline constexpr double learning_rate = 1e-8;
inline constexpr double momentum = 0.9;

inline const std::vector<Workload>& workloads() {
  static const std::vector<Workload> table = [] {
    const std::string group = "Step times";
    const Kind step = Kind::training_step, sin = Kind::sin_chain, chain = Kind::multiply_add_chain;
    std::vector<int> deep(51, 64);
    deep.push_back(10);
    return std::vector<Workload>{
        {"2-8-2", group, "2-8-2, batch 4", step, {2, 8, 2}, 4, 1},
        {"4-16-16-3", group, "4-16-16-3, batch 32", step, {4, 16, 16, 3}, 32, 1},
        {"784-128-10", group, "784-128-10, batch 64", step, {784, 128, 10}, 64, 1},
        {"784-256-128-10", group, "784-256-128-10, batch 128", step, {784, 256, 128, 10}, 128, 1},
        {"1024x4", group, "1024-1024-1024-1024-10, batch 256", step, {1024, 1024, 1024, 1024, 10}, 256, 1},
        {"50-layers", group, "50 layers of 64, then 10, batch 32", step, deep, 32, 1},
        {"sin-chain", group, "chain of 1000 sin, one element, per operation", sin, {}, 1, 1000},
        {"multiply-add-chain", group, "chain of 1000 y·x+x, 1000 elements, per iteration", chain, {}, 1000, 1000},
    };
  }();
  return table;
}

/// Floating point operations of a step's products, per repeat: three products a layer, less the first layer's dX, which
/// nobody needs. 0 for chains, which the gemm rate does not limit.
inline double product_flop(const Workload& workload) {
  double flop = 0;
  for (std::size_t layer = 0; layer + 1 < workload.widths.size(); ++layer) {
    const double product = 2.0 * workload.size * workload.widths[layer] * workload.widths[layer + 1];
    flop += product * (layer == 0 ? 2 : 3);
  }
  return flop;
}

}  // namespace benchmark
