#include <autograd/error.hpp>
#include <autograd/ops/activations.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/reduce.hpp>
#include <nn/activations.hpp>

#include <string>

namespace xgrad::nn {

Tensor ReLU::apply(const Tensor& x) const { return relu(x); }
Tensor LeakyReLU::apply(const Tensor& x) const { return leaky_relu(x, slope); }
Tensor ELU::apply(const Tensor& x) const { return elu(x, alpha); }
Tensor Swish::apply(const Tensor& x) const { return swish(x); }
Tensor Sigmoid::apply(const Tensor& x) const { return sigmoid(x); }
Tensor Tanh::apply(const Tensor& x) const { return tanh(x); }
Tensor HardTanh::apply(const Tensor& x) const { return hard_tanh(x); }
Tensor Softplus::apply(const Tensor& x) const { return softplus(x); }
Tensor LogSigmoid::apply(const Tensor& x) const { return log_sigmoid(x); }
Tensor Softmax::apply(const Tensor& x) const { return softmax(x, axis); }
Tensor LogSoftmax::apply(const Tensor& x) const { return log_softmax(x, axis); }

PReLU::PReLU(std::int64_t features, double initial_slope) {
  if (features < 1) throw ValueError("PReLU: " + std::to_string(features) + " slopes; need at least one");
  slope = parameter("slope", full({features}, initial_slope));
}

Tensor PReLU::apply(const Tensor& x) const {
  const std::int64_t features = slope.shape()[0];
  if (features != 1 && (x.rank() == 0 || x.shape().back() != features))
    throw ShapeError("prelu expects (…, " + std::to_string(features) + "), got " + to_string(x.shape()));
  return prelu(x, slope);
}

}  // namespace xgrad::nn
