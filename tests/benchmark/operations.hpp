#pragma once

// xgrad's side of the operations that are compared: each as its users call it.

#include <autograd/autograd.hpp>

#include <map>
#include <string>
#include <vector>

namespace benchmark {

using Inputs = std::vector<xgrad::Tensor>;
using xgrad::Axes;
using Function = xgrad::Tensor (*)(const Inputs& x, const Axes& axes);

inline const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> table = {
      {"neg", [](const Inputs& x, const Axes&) { return -x[0]; }},
      {"exp", [](const Inputs& x, const Axes&) { return exp(x[0]); }},
      {"expm1", [](const Inputs& x, const Axes&) { return expm1(x[0]); }},
      {"log", [](const Inputs& x, const Axes&) { return log(x[0]); }},
      {"log1p", [](const Inputs& x, const Axes&) { return log1p(x[0]); }},
      {"sqrt", [](const Inputs& x, const Axes&) { return sqrt(x[0]); }},
      {"square", [](const Inputs& x, const Axes&) { return square(x[0]); }},
      {"self_product", [](const Inputs& x, const Axes&) { return x[0] * x[0]; }},
      {"abs", [](const Inputs& x, const Axes&) { return abs(x[0]); }},
      {"sin", [](const Inputs& x, const Axes&) { return sin(x[0]); }},
      {"cos", [](const Inputs& x, const Axes&) { return cos(x[0]); }},
      {"tanh", [](const Inputs& x, const Axes&) { return tanh(x[0]); }},
      {"sigmoid", [](const Inputs& x, const Axes&) { return sigmoid(x[0]); }},
      {"log_sigmoid", [](const Inputs& x, const Axes&) { return log_sigmoid(x[0]); }},
      {"softplus", [](const Inputs& x, const Axes&) { return softplus(x[0]); }},
      {"relu", [](const Inputs& x, const Axes&) { return relu(x[0]); }},
      {"leaky_relu", [](const Inputs& x, const Axes&) { return leaky_relu(x[0]); }},
      {"prelu", [](const Inputs& x, const Axes&) { return prelu(x[0], x[1]); }},
      {"elu", [](const Inputs& x, const Axes&) { return elu(x[0]); }},
      {"swish", [](const Inputs& x, const Axes&) { return swish(x[0]); }},
      {"mish", [](const Inputs& x, const Axes&) { return mish(x[0]); }},
      {"hard_tanh", [](const Inputs& x, const Axes&) { return hard_tanh(x[0]); }},
      {"clamp", [](const Inputs& x, const Axes&) { return clamp(x[0], -1, 0.5); }},
      {"maxout", [](const Inputs& x, const Axes&) { return maxout(x[0], x[0].shape()[1]); }},
      {"add", [](const Inputs& x, const Axes&) { return x[0] + x[1]; }},
      {"sub", [](const Inputs& x, const Axes&) { return x[0] - x[1]; }},
      {"mul", [](const Inputs& x, const Axes&) { return x[0] * x[1]; }},
      {"div", [](const Inputs& x, const Axes&) { return x[0] / x[1]; }},
      {"pow", [](const Inputs& x, const Axes&) { return pow(x[0], x[1]); }},
      {"maximum", [](const Inputs& x, const Axes&) { return maximum(x[0], x[1]); }},
      {"minimum", [](const Inputs& x, const Axes&) { return minimum(x[0], x[1]); }},
      {"where", [](const Inputs& x, const Axes&) { return where(x[0], x[1], x[2]); }},
      {"sum", [](const Inputs& x, const Axes& axes) { return sum(x[0], axes); }},
      {"mean", [](const Inputs& x, const Axes& axes) { return mean(x[0], axes); }},
      {"centred", [](const Inputs& x, const Axes& axes) { return centred(x[0], axes); }},
      {"var", [](const Inputs& x, const Axes& axes) { return var(x[0], axes); }},
      {"norm", [](const Inputs& x, const Axes& axes) { return norm(x[0], axes); }},
      {"prod", [](const Inputs& x, const Axes& axes) { return prod(x[0], axes); }},
      {"max", [](const Inputs& x, const Axes& axes) { return max(x[0], axes); }},
      {"min", [](const Inputs& x, const Axes& axes) { return min(x[0], axes); }},
      {"logsumexp", [](const Inputs& x, const Axes& axes) { return logsumexp(x[0], axes); }},
      {"softmax", [](const Inputs& x, const Axes&) { return softmax(x[0]); }},
      {"log_softmax", [](const Inputs& x, const Axes&) { return log_softmax(x[0]); }},
      {"softmax_cross_entropy", [](const Inputs& x, const Axes&) { return softmax_cross_entropy(x[0], x[1]); }},
      {"mean_softmax_cross_entropy",
       [](const Inputs& x, const Axes&) { return mean_softmax_cross_entropy(x[0], x[1]); }},
      {"reshape",
       [](const Inputs& x, const Axes&) {
         return reshape(x[0], {x[0].shape()[1], x[0].shape()[0]});
       }},
      {"flatten", [](const Inputs& x, const Axes&) { return flatten(x[0]); }},
      {"squeeze", [](const Inputs& x, const Axes&) { return squeeze(x[0]); }},
      {"unsqueeze", [](const Inputs& x, const Axes&) { return unsqueeze(x[0], 0); }},
      {"broadcast_to", [](const Inputs& x, const Axes&) { return broadcast_to(x[0], x[1].shape()); }},
      {"permute",
       [](const Inputs& x, const Axes&) {
         return permute(x[0], {1, 0});
       }},
      {"transpose", [](const Inputs& x, const Axes&) { return transpose(x[0]); }},
      {"slice", [](const Inputs& x, const Axes&) { return slice(x[0], 1, 0, (x[0].shape()[1] + 1) / 2); }},
      {"concatenate",
       [](const Inputs& x, const Axes&) {
         return xgrad::concatenate({x[0], x[1]});
       }},
      {"stack",
       [](const Inputs& x, const Axes&) {
         return xgrad::stack({x[0], x[1]});
       }},
      {"take", [](const Inputs& x, const Axes&) { return take(x[0], x[1]); }},
      {"scatter_add", [](const Inputs& x, const Axes&) { return scatter_add(x[0], x[1], x[0].shape()[0]); }},
      {"clone", [](const Inputs& x, const Axes&) { return x[0].clone(); }},
      {"to", [](const Inputs& x, const Axes&) { return x[0].to(xgrad::float64); }},
      {"matmul", [](const Inputs& x, const Axes&) { return matmul(x[0], x[1]); }},
      {"linear", [](const Inputs& x, const Axes&) { return linear(x[0], x[1], x[2]); }},
      {"outer", [](const Inputs& x, const Axes&) { return outer(x[0], x[1]); }},
      {"dot", [](const Inputs& x, const Axes&) { return dot(x[0], x[1]); }},
  };
  return table;
}

}  // namespace benchmark
