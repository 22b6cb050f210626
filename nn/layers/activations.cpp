#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/softmax.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/activations.hpp>

#include <cmath>

namespace xgrad::nn {

namespace {

double finite(const char* layer, const char* option, double value) {
  if (!std::isfinite(value)) throw_as<ValueError>("{}: {} {}; need a finite number", layer, option, value);
  return value;
}

}  // namespace

Tensor Identity::apply(const Tensor& x) const {
  check_defined("identity", "x", x);
  return reshape(x, x.shape());
}

PReLU::PReLU(std::int64_t features, double initial_slope) {
  if (features < 1) throw_as<ValueError>("PReLU: {} slopes; need at least one", features);
  slope = parameter("slope", full({features}, initial_slope), {.name = "weight"});
}

Tensor PReLU::apply(const Tensor& x) const {
  check_defined("prelu", "x", x);
  if (slope.size() != 1) check_last_extent("prelu", x.shape(), slope.shape(0));
  return prelu(x, slope);
}

Swish::Swish(double factor) : beta(finite("Swish", "beta", factor)) {}

Tensor Swish::apply(const Tensor& x) const {
  if (beta == 1) return swish(x);
  if (beta == 0)
    return pointwise(
        "swish", [](auto a) { return 0.5 * a; }, x);
  return pointwise(
      "swish", [b = beta](auto a) { return swish(b * a) / b; }, x);
}

Sigmoid::Sigmoid(double steepness) : slope(finite("Sigmoid", "slope", steepness)) {}

Tensor Sigmoid::apply(const Tensor& x) const {
  if (slope == 1) return sigmoid(x);
  return pointwise_with(
      {.bounds = {0, 1}}, "sigmoid", [s = slope](auto a) { return sigmoid(s * a); }, x);
}

Tanh::Tanh(double steepness) : slope(finite("Tanh", "slope", steepness)) {}

Tensor Tanh::apply(const Tensor& x) const {
  if (slope == 1) return tanh(x);
  return pointwise_with(
      {.bounds = {-1, 1}}, "tanh", [s = slope](auto a) { return tanh(s * a); }, x);
}

Maxout::Maxout(std::int64_t count) : pieces(count) {
  if (count < 1) throw_as<ValueError>("Maxout: {} pieces; need at least one", count);
}

}  // namespace xgrad::nn
