// Prints tests/reference/optimizers.hpp: parameters after each step of LibTorch's optimizers, in float64.
//   g++ -std=c++17 -I/usr/include/torch/csrc/api/include optimizers.cpp -ltorch -ltorch_cpu -lc10  (Debian's
//   libtorch-dev)

#include <torch/torch.h>
#include <torch/version.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

using Make = std::function<std::unique_ptr<torch::optim::Optimizer>(const std::vector<torch::Tensor>&)>;

/// f(θ) = Σ c θ²/2 + cos θ from (1, -2, 0.5) with c = (0.01, 1, 30).
void print(const char* name, const Make& make) {
  const auto curvature = torch::tensor({0.01, 1.0, 30.0}, torch::kFloat64);
  auto x = torch::tensor({1.0, -2.0, 0.5}, torch::kFloat64).set_requires_grad(true);
  const auto optimizer = make({x});
  std::printf("inline constexpr double %s[][3] = {\n", name);
  for (int step = 0; step < 8; ++step) {
    optimizer->zero_grad();
    (0.5 * curvature * x * x + x.cos()).sum().backward();
    optimizer->step();
    const double* const values = x.data_ptr<double>();
    std::printf("    {%.17g, %.17g, %.17g},\n", values[0], values[1], values[2]);
  }
  std::printf("};\n");
}

int main() {
  using namespace torch::optim;
  std::printf("#pragma once\n\n// Written by tests/reference/optimizers.cpp with LibTorch %s.\n\n", TORCH_VERSION);
  std::printf("namespace reference {\n\n");
  print("sgd", [](auto& x) {
    return std::make_unique<SGD>(x, SGDOptions(0.02).momentum(0.9).weight_decay(0.1).nesterov(true));
  });
  print("adam", [](auto& x) {
    return std::make_unique<Adam>(x, AdamOptions(0.05).betas({0.8, 0.95}).eps(1e-3).weight_decay(0.1));
  });
  print("adamw", [](auto& x) {
    return std::make_unique<AdamW>(x, AdamWOptions(0.05).betas({0.8, 0.95}).eps(1e-3).weight_decay(0.1));
  });
  print("adam_defaults", [](auto& x) { return std::make_unique<Adam>(x, AdamOptions()); });
  print("adamw_defaults", [](auto& x) { return std::make_unique<AdamW>(x, AdamWOptions()); });
  std::printf("\n}  // namespace reference\n");
}
