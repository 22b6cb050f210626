#pragma once

#include <autograd/tensor/copy_scope.hpp>
#include <nn/layers/module.hpp>

#include <concepts>
#include <vector>

namespace xgrad::nn {

/// While one lives, copies of the model have these tensors in place of its parameters, in their order.
class ParameterExchange {
 public:
  /// ValueError unless there are as many; ShapeError, TypeError for one that does not fit its parameter.
  ParameterExchange(const Module& model, const std::vector<Tensor>& tensors);
  /// ValueError for a parameter that a copy does not hold by itself, but reaches through a pointer.
  void require_complete() const;

 private:
  std::vector<NamedTensor> parameters_;
  CopyScope scope_;
};

/// A model that computes with these tensors in place of the parameters, in the order of `model.parameters()`, and
/// shares all else with it: buffers, modes, random streams. A copy of the model, which must hold its layers by value.
template <class M>
requires std::derived_from<M, Module> && std::copy_constructible<M> M
with_parameters(const M& model, const std::vector<Tensor>& tensors) {
  const ParameterExchange exchange(model, tensors);
  M copy(model);
  exchange.require_complete();
  return copy;
}

/// model(x...) with these tensors in place of its parameters; gradients go to the tensors. So a model is a function of
/// its parameters (Hessians, meta-learning, ensembles):
///
///     hessian([&](const auto& p) { return nn::mse(nn::functional_call(net, p, x), y); }, net.parameters())
template <class M, std::convertible_to<const Tensor&>... X>
requires std::derived_from<M, Module> && std::copy_constructible<M>
auto functional_call(const M& model, const std::vector<Tensor>& tensors, const X&... x) {
  const M exchanged = with_parameters(model, tensors);
  return exchanged(x...);
}

/// All numbers of the tensors in one vector, one tensor after another, recorded.
Tensor parameters_to_vector(const std::vector<Tensor>& parameters);
/// The vector cut into tensors of the parameters' shapes, recorded: what functional_call takes. ShapeError unless it
/// has as many numbers.
std::vector<Tensor> vector_to_tensors(const Tensor& vector, const std::vector<Tensor>& parameters);
/// Writes the vector's numbers into the parameters.
void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters);

}  // namespace xgrad::nn
