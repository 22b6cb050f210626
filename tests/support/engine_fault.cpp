/// Built with a patched sweep whose gradients are wrong wherever a tensor has two uses: the gradient check must say so.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cstdio>
#include <functional>
#include <utility>
#include <vector>

using namespace xgrad;

namespace {

using Arguments = std::vector<Tensor>;

/// The same weights in both layers.
struct Tied : nn::Module {
  nn::Linear layer = add("layer", nn::Linear(4, 4));
  Tensor operator()(const Tensor& x) const { return layer(tanh(layer(x))); }
};

struct Plain : nn::Module {
  nn::Linear layer = add("layer", nn::Linear(4, 3));
  Tensor operator()(const Tensor& x) const { return tanh(layer(x)); }
};

bool is_wrong(const GradientReport& report, const char* tensor) {
  std::printf("%s\n", report.text().c_str());
  return report[tensor].verdict == GradientVerdict::wrong;
}

}  // namespace

int main() {
  const Tensor x = tensor({{0.3, -1.2, 0.7, 0.5}, {1.1, 0.2, -0.4, 0.9}});
  const std::vector<std::pair<std::function<Tensor(const Arguments&)>, const char*>> functions = {
      {[](const Arguments& in) { return sum(in[0] * in[0]); }, "input 0"},
      {[](const Arguments& in) {
         const Tensor y = exp(in[0]);
         return sum(y * in[1]) + sum(sin(y));
       },
       "input 0"},
      {[](const Arguments& in) { return sum(matmul(in[0], transpose(in[1]))) + sum(square(in[1])); }, "input 1"},
  };
  bool found = true;
  for (const auto& [f, tensor] : functions) found = is_wrong(check_gradients(f, {x, x}), tensor) && found;
  seed(1);
  const Tensor target = zeros({2, 4});
  found = is_wrong(nn::check_gradients(Tied(), nn::mse, x, target), "layer.weight") && found;
  // One use: the engine's fault cannot show in one call, but two calls on one tape do not accumulate.
  found = is_wrong(nn::check_gradients(Plain(), nn::cross_entropy, x, zeros({2}, int64)), "layer.weight") && found;
  std::printf(found ? "every fault was reported\n" : "A FAULT OF THE ENGINE WAS NOT REPORTED\n");
  return found ? 0 : 1;
}
