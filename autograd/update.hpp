#pragma once

#include <autograd/tensor.hpp>

#include <span>

namespace xgrad {

// Updates of tensors in place, unrecorded: one pass over the memory, parallel for large tensors, the same bits for
// every number of threads. They raise the version of what they write.

struct SgdRule {
  double learning_rate = 0.01;
  double momentum = 0.0;
  double dampening = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;
};

/// One step of stochastic gradient descent, as PyTorch 1.13 defines it (Sutskever et al. 2013 with the rate outside of
/// the velocity):
///
///     d = gradient + weight_decay · parameter
///     velocity = d at first, then momentum · velocity + (1 - dampening) · d
///     parameter -= learning_rate · (nesterov ? d + momentum · velocity : velocity)
///
/// An empty velocity is made here and means "at first"; without momentum it is not touched and stands for d.
/// ShapeError and TypeError unless all have the parameter's shape and floating dtype.
void sgd_update(Tensor& parameter, const Tensor& gradient, Tensor& velocity, const SgdRule& rule);

/// sum += terms[0] + terms[1] + ..., added to each element in this order. ShapeError and TypeError for terms that
/// differ from the sum.
void add_in_order(Tensor& sum, std::span<const Tensor* const> terms);

}  // namespace xgrad
