#include <autograd/ops/linear_algebra.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/init.hpp>
#include <nn/layers/linear.hpp>

namespace xgrad::nn {

Linear::Linear(std::int64_t in, std::int64_t out, const LinearOptions& options, Generator& generator) {
  if (in < 1 || out < 1) throw_as<ValueError>("Linear: {} inputs and {} outputs; need at least one of each", in, out);
  weight = parameter("weight", zeros({in, out}), {.transposed = true});
  init::linear_default(weight, in, generator);
  if (!options.bias) return;
  bias = parameter("bias", zeros({out}));
  init::linear_default(bias, in, generator);
}

Tensor Linear::operator()(const Tensor& x) const {
  const double flops = 2.0 * static_cast<double>(x.defined() ? x.size() : 0) * static_cast<double>(weight.shape()[1]);
  const auto product = [&] { return bias.defined() ? linear(x, weight, bias) : linear(x, weight); };
  return LayerCall(*this, "Linear").run(product, flops);
}

}  // namespace xgrad::nn
