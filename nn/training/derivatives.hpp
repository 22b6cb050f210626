#pragma once

#include <autograd/functional/functional.hpp>
#include <autograd/tensor/tensor.hpp>
#include <nn/layers/functional_call.hpp>
#include <nn/losses/losses.hpp>
#include <nn/training/model.hpp>
#include <nn/training/registered.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace xgrad::nn {

// Derivatives of loss(model(x), y) by the model's parameters, frozen ones too, in the order of `model.parameters()`.
// Several inputs or targets are lists, `{ids, age}`. Costs, errors and what a tape records of them:
// autograd/functional/functional.hpp. The model must be copyable and hold its layers by value (see functional_call).
// Where no tape records them, a tensor that requires gradients and is neither parameter, input nor target, such as
// those of a member that was not added, is named by a ValueError.

/// loss(model(x), y) as a function of tensors in place of the parameters; model and loss must outlive it.
template <ClonableModel M, TrainingLoss L>
FunctionOf<std::vector<Tensor>> loss_of_parameters(const char* operation, const M& model, const L& loss, TensorList x,
                                                   TensorList y) {
  return [operation, &model, &loss, inputs = std::vector<Tensor>(x.begin(), x.end()),
          targets = std::vector<Tensor>(y.begin(), y.end()),
          alone = !is_recording()](const std::vector<Tensor>& parameters) {
    const M exchanged = with_parameters(model, parameters);
    const Tensor value = AnyModel(exchanged, loss).loss_of(inputs, targets);
    if (alone) require_registered_leaves(operation, AnyModel(model, loss), inputs, targets);
    return value;
  };
}

/// ∂loss/∂p for each parameter p.
template <ClonableModel M, TrainingLoss L>
std::vector<Tensor> gradient(const M& model, const L& loss, TensorList x, TensorList y) {
  return xgrad::gradient(loss_of_parameters("gradient", model, loss, x, y), model.parameters());
}

/// The blocks H[k][l] = ∂²loss / ∂p_k ∂p_l, of shape p_k.shape + p_l.shape.
template <ClonableModel M, TrainingLoss L>
std::vector<std::vector<Tensor>> hessian(const M& model, const L& loss, TensorList x, TensorList y) {
  return xgrad::hessian(loss_of_parameters("hessian", model, loss, x, y), model.parameters());
}

/// Σ_l H[k][l]·v_l for each k, without H; one v for each parameter.
template <ClonableModel M, TrainingLoss L>
std::vector<Tensor> hessian_vector_product(const M& model, const L& loss, TensorList x, TensorList y,
                                           const std::vector<Tensor>& v) {
  return xgrad::hessian_vector_product(loss_of_parameters("hessian_vector_product", model, loss, x, y),
                                       model.parameters(), v);
}

/// The gradient of each example's loss: g_i for the rows i = 0, ..., n - 1 of a batch. Where the parameters of a model
/// enter by Linear alone, it keeps the factors of g_i = Σ_t x_itᵀ · dy_it (Goodfellow 2015, "Efficient per-example
/// gradient computations"): norms and sums cost little more than one backward, and only [] writes all the g_i down, n
/// times the parameter's size.
class PerExampleGradients {
 public:
  std::int64_t examples() const { return examples_; }
  /// g_i of one parameter, (n, parameter.shape...). TapeError that names it if the loss did not depend on it.
  Tensor operator[](const Tensor& parameter) const;
  bool contains(const Tensor& parameter) const { return find(parameter) != nullptr; }
  /// ‖g_i‖ over all parameters (n,), in their dtype.
  Tensor norms() const;
  /// Σ_i weights[i] · g_i; weights (n,) of their dtype. With min(1, limit/norm_i)/n the mean of clipped gradients
  /// (Abadi et al. 2016).
  Gradients weighted_sum(const Tensor& weights) const;

 private:
  friend class PerExample;
  struct Entry {
    Tensor parameter;
    Tensor all = {};         ///< (n, shape...), or
    Tensor inputs = {};      ///< x (n, t, in) of a weight (in, out); empty for a bias
    Tensor cotangents = {};  ///< dy (n, t, out)
  };
  const Entry* find(const Tensor& parameter) const;

  std::int64_t examples_ = 0;
  std::vector<Entry> entries_;
};

PerExampleGradients per_example_gradients_of(const AnyModel& model, TensorList inputs, TensorList targets,
                                             Reduction reduction);

/// The gradients of loss(model(x_i), y_i) for every row i, by the parameters that are not frozen.
///
/// One backward pass for the whole batch where every parameter enters as weight or bias of `linear` and rows do not
/// meet: the gradients of two rows are worked out singly too, and must agree. Otherwise (batch norm, dropout in
/// training, tables of embeddings) a pass for each row, in parallel, as batch_gradients makes them. reduction: what the
/// loss does with rows. ShapeError unless x and y have the same number of rows, at least one; ValueError for
/// Reduction::none, and for a tensor that requires gradients and was not registered, as above.
template <TrainableModel M, TrainingLoss L>
requires std::derived_from<M, Module> PerExampleGradients per_example_gradients(const M& model, const L& loss,
                                                                                TensorList x, TensorList y,
                                                                                Reduction reduction = Reduction::mean) {
  return per_example_gradients_of(AnyModel(model, loss), x, y, reduction);
}

}  // namespace xgrad::nn
