#pragma once

// LibTorch's side of the operations that are compared. maxout and identity are not LibTorch's.

#include <torch/torch.h>

#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace benchmark {

using Inputs = std::vector<torch::Tensor>;
using Axes = std::vector<std::int64_t>;
using Function = torch::Tensor (*)(const Inputs& x, const Axes& axes);

/// The axes of a reduction; all of x when none is named, which some functions take for no reduction.
inline Axes over(const torch::Tensor& x, Axes axes) {
  if (axes.empty()) {
    axes.resize(static_cast<std::size_t>(x.dim()));
    std::iota(axes.begin(), axes.end(), 0);
  }
  return axes;
}

inline const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> table = {
      {"neg", [](const Inputs& x, const Axes&) { return -x[0]; }},
      {"exp", [](const Inputs& x, const Axes&) { return torch::exp(x[0]); }},
      {"expm1", [](const Inputs& x, const Axes&) { return torch::expm1(x[0]); }},
      {"log", [](const Inputs& x, const Axes&) { return torch::log(x[0]); }},
      {"log1p", [](const Inputs& x, const Axes&) { return torch::log1p(x[0]); }},
      {"sqrt", [](const Inputs& x, const Axes&) { return torch::sqrt(x[0]); }},
      {"square", [](const Inputs& x, const Axes&) { return torch::square(x[0]); }},
      {"self_product", [](const Inputs& x, const Axes&) { return x[0] * x[0]; }},
      {"abs", [](const Inputs& x, const Axes&) { return torch::abs(x[0]); }},
      {"sin", [](const Inputs& x, const Axes&) { return torch::sin(x[0]); }},
      {"cos", [](const Inputs& x, const Axes&) { return torch::cos(x[0]); }},
      {"tanh", [](const Inputs& x, const Axes&) { return torch::tanh(x[0]); }},
      {"sigmoid", [](const Inputs& x, const Axes&) { return torch::sigmoid(x[0]); }},
      {"log_sigmoid", [](const Inputs& x, const Axes&) { return torch::log_sigmoid(x[0]); }},
      {"softplus", [](const Inputs& x, const Axes&) { return torch::softplus(x[0]); }},
      {"relu", [](const Inputs& x, const Axes&) { return torch::relu(x[0]); }},
      {"leaky_relu", [](const Inputs& x, const Axes&) { return torch::leaky_relu(x[0]); }},
      {"prelu", [](const Inputs& x, const Axes&) { return torch::prelu(x[0], x[1]); }},
      {"elu", [](const Inputs& x, const Axes&) { return torch::elu(x[0]); }},
      {"swish", [](const Inputs& x, const Axes&) { return torch::silu(x[0]); }},
      {"mish", [](const Inputs& x, const Axes&) { return torch::mish(x[0]); }},
      {"hard_tanh", [](const Inputs& x, const Axes&) { return torch::hardtanh(x[0]); }},
      {"clamp", [](const Inputs& x, const Axes&) { return torch::clamp(x[0], -1, 0.5); }},
      {"add", [](const Inputs& x, const Axes&) { return x[0] + x[1]; }},
      {"sub", [](const Inputs& x, const Axes&) { return x[0] - x[1]; }},
      {"mul", [](const Inputs& x, const Axes&) { return x[0] * x[1]; }},
      {"div", [](const Inputs& x, const Axes&) { return x[0] / x[1]; }},
      {"pow", [](const Inputs& x, const Axes&) { return torch::pow(x[0], x[1]); }},
      {"maximum", [](const Inputs& x, const Axes&) { return torch::maximum(x[0], x[1]); }},
      {"minimum", [](const Inputs& x, const Axes&) { return torch::minimum(x[0], x[1]); }},
      {"where", [](const Inputs& x, const Axes&) { return torch::where(x[0], x[1], x[2]); }},
      {"sum", [](const Inputs& x, const Axes& axes) { return axes.empty() ? x[0].sum() : x[0].sum(axes); }},
      {"mean", [](const Inputs& x, const Axes& axes) { return axes.empty() ? x[0].mean() : x[0].mean(axes); }},
      {"centred",
       [](const Inputs& x, const Axes& axes) { return x[0] - x[0].mean(over(x[0], axes), /*keepdim=*/true); }},
      {"var", [](const Inputs& x, const Axes& axes) { return x[0].var(over(x[0], axes), /*unbiased=*/false); }},
      {"norm", [](const Inputs& x, const Axes& axes) { return axes.empty() ? x[0].norm() : x[0].norm(2, axes); }},
      {"prod", [](const Inputs& x, const Axes& axes) { return axes.empty() ? x[0].prod() : x[0].prod(axes[0]); }},
      {"max", [](const Inputs& x, const Axes& axes) { return axes.empty() ? x[0].max() : x[0].amax(axes); }},
      {"min", [](const Inputs& x, const Axes& axes) { return axes.empty() ? x[0].min() : x[0].amin(axes); }},
      {"logsumexp", [](const Inputs& x, const Axes& axes) { return x[0].logsumexp(over(x[0], axes)); }},
      {"softmax", [](const Inputs& x, const Axes&) { return torch::softmax(x[0], -1); }},
      {"log_softmax", [](const Inputs& x, const Axes&) { return torch::log_softmax(x[0], -1); }},
      {"softmax_cross_entropy",
       [](const Inputs& x, const Axes&) {
         return torch::cross_entropy_loss(x[0], x[1], /*weight=*/{}, torch::Reduction::None);
       }},
      {"mean_softmax_cross_entropy",
       [](const Inputs& x, const Axes&) { return torch::cross_entropy_loss(x[0], x[1]); }},
      {"reshape",
       [](const Inputs& x, const Axes&) {
         return x[0].reshape({x[0].size(1), x[0].size(0)});
       }},
      {"flatten", [](const Inputs& x, const Axes&) { return x[0].flatten(); }},
      {"squeeze", [](const Inputs& x, const Axes&) { return x[0].squeeze(); }},
      {"unsqueeze", [](const Inputs& x, const Axes&) { return x[0].unsqueeze(0); }},
      {"broadcast_to", [](const Inputs& x, const Axes&) { return x[0].broadcast_to(x[1].sizes()); }},
      {"permute",
       [](const Inputs& x, const Axes&) {
         return x[0].permute({1, 0});
       }},
      {"transpose", [](const Inputs& x, const Axes&) { return x[0].transpose(-2, -1); }},
      {"slice", [](const Inputs& x, const Axes&) { return x[0].slice(1, 0, (x[0].size(1) + 1) / 2); }},
      {"concatenate",
       [](const Inputs& x, const Axes&) {
         return torch::cat({x[0], x[1]});
       }},
      {"stack",
       [](const Inputs& x, const Axes&) {
         return torch::stack({x[0], x[1]});
       }},
      {"take", [](const Inputs& x, const Axes&) { return x[0].index_select(0, x[1]); }},
      {"scatter_add", [](const Inputs& x, const Axes&) { return torch::zeros_like(x[0]).index_add(0, x[1], x[0]); }},
      {"clone", [](const Inputs& x, const Axes&) { return x[0].clone(); }},
      {"to", [](const Inputs& x, const Axes&) { return x[0].to(torch::kDouble); }},
      {"matmul", [](const Inputs& x, const Axes&) { return torch::matmul(x[0], x[1]); }},
      {"linear", [](const Inputs& x, const Axes&) { return torch::addmm(x[2], x[0], x[1]); }},
      {"outer", [](const Inputs& x, const Axes&) { return torch::outer(x[0], x[1]); }},
      {"dot", [](const Inputs& x, const Axes&) { return torch::dot(x[0], x[1]); }},
  };
  return table;
}

}  // namespace benchmark
