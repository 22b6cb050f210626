#pragma once

#include <autograd/kernels/update.hpp>
#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <span>

namespace xgrad {

// Updates of tensors in place, unrecorded: one pass over the memory, all terms in one parallel region, the same bits
// for every number of threads. They raise the version of what they write. ShapeError and TypeError, before anything is
// written, unless the tensors of a term have one shape and floating dtype.

using kernels::AdamRule;
using kernels::AdamRuleOf;
using kernels::SgdRule;

/// What sgd_update does to one parameter. An empty velocity is made, unless there is no momentum, and means "at first".
struct SgdTerm {
  Tensor& parameter;
  const Tensor& gradient;
  Tensor& velocity;
  const SgdRule& rule;
};

/// One step of stochastic gradient descent.
void sgd_update(std::span<const SgdTerm> terms);

/// What adam_update does to one parameter. Empty moments are made and stand for zeros.
struct AdamTerm {
  Tensor& parameter;
  const Tensor& gradient;
  Tensor& first_moment;
  Tensor& second_moment;
  std::int64_t update;  ///< t, this parameter's updates with the present one: from 1 on
  const AdamRule& rule;
};

/// One step of Adam. ValueError for one moment without the other, and for updates below 1.
void adam_update(std::span<const AdamTerm> terms);

/// sum += terms[0] + terms[1] + ..., added to each element in this order.
void add_in_order(Tensor& sum, std::span<const Tensor* const> terms);

}  // namespace xgrad
