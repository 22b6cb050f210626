#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstdint>
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

/// What sgd_update does to one parameter.
struct SgdTerm {
  Tensor& parameter;
  const Tensor& gradient;
  Tensor& velocity;
  const SgdRule& rule;
};

/// One step of stochastic gradient descent, as PyTorch 1.13 defines it (Sutskever et al. 2013 with the rate outside of
/// the velocity):
///
///     d = gradient + weight_decay · parameter
///     velocity = d at first, then momentum · velocity + (1 - dampening) · d
///     parameter -= learning_rate · (nesterov ? d + momentum · velocity : velocity)
///
/// An empty velocity is made here and means "at first"; without momentum it is not touched and stands for d.
/// All terms are one parallel region. ShapeError and TypeError, before anything is written, unless the tensors of a
/// term have the parameter's shape and floating dtype.
void sgd_update(std::span<const SgdTerm> terms);

struct AdamRule {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  bool decoupled_decay = false;
};

/// What adam_update does to one parameter.
struct AdamTerm {
  Tensor& parameter;
  const Tensor& gradient;
  Tensor& first_moment;
  Tensor& second_moment;
  std::int64_t update;  ///< t, this parameter's updates with the present one: from 1 on
  const AdamRule& rule;
};

/// One step of Adam (Kingma and Ba 2015, algorithm 1), as PyTorch 1.13 writes it, with epsilon outside of the root:
///
///     g = gradient + weight_decay · parameter, or, decoupled (Loshchilov and Hutter 2019, algorithm 2), g = gradient
///         after parameter -= learning_rate · weight_decay · parameter
///     m = beta1 · m + (1 - beta1) · g,   v = beta2 · v + (1 - beta2) · g²
///     parameter -= learning_rate / (1 - beta1^t) · m / (√v / √(1 - beta2^t) + epsilon)
///
/// Empty moments m and v are made here and stand for zeros. All terms are one parallel region. ShapeError and
/// TypeError, before anything is written, unless the tensors of a term have the parameter's shape and floating dtype.
void adam_update(std::span<const AdamTerm> terms);

/// sum += terms[0] + terms[1] + ..., added to each element in this order. ShapeError and TypeError for terms that
/// differ from the sum.
void add_in_order(Tensor& sum, std::span<const Tensor* const> terms);

}  // namespace xgrad
