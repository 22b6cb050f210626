#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/losses/penalties.hpp>

namespace xgrad::nn {

namespace {

/// Σ f(θ) over all entries of all parameters.
template <class F>
Tensor summed(const char* name, const std::vector<Tensor>& parameters, const F& f) {
  if (parameters.empty()) throw_as<ValueError>("{}: no parameters; need at least one", name);
  for (const Tensor& parameter : parameters) common_floating_dtype(name, parameters.front(), parameter);
  Tensor total = sum(f(parameters.front()));
  for (std::size_t i = 1; i < parameters.size(); ++i) total = total + sum(f(parameters[i]));
  return total;
}

}  // namespace

Tensor l1_penalty(const std::vector<Tensor>& parameters) {
  return summed("l1_penalty", parameters, [](const Tensor& x) { return abs(x); });
}

Tensor l2_penalty(const std::vector<Tensor>& parameters) {
  return 0.5 * summed("l2_penalty", parameters, [](const Tensor& x) { return square(x); });
}

}  // namespace xgrad::nn
