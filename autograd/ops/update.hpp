#pragma once

#include <autograd/kernels/update.hpp>
#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <span>

namespace xgrad {

// Updates of tensors in place, unrecorded: one pass over the memory, all terms in one parallel region, the same bits
// for every number of threads. They raise the version of what they write. ShapeError and TypeError, before anything is
// written, unless the tensors of a term have one shape and floating dtype; ValueError for rows that do not rise or that
// there are not.

using kernels::AdamRule;
using kernels::AdamRuleOf;
using kernels::SgdRule;

// The gradient of a term is dense, or that of the rows of the parameter (entries of axis 0) with these numbers, which
// rise: int64 (k,), and the gradient (k, ...). Then the others are left alone with all that is kept for them, as a
// parameter without a gradient is (the lazy rule, PyTorch's SparseAdam): no decay, no step by their momentum. The same
// bits as with zeros for the others as long as the rule has neither.

/// What sgd_update does to one parameter. An empty velocity is made, unless there is no momentum, and means "at first";
/// rows that were not named then begin with 0.
struct SgdTerm {
  Tensor& parameter;
  const Tensor& gradient;
  Tensor& velocity;
  const SgdRule& rule;
  const Tensor* rows = nullptr;
};

/// One step of stochastic gradient descent.
void sgd_update(std::span<const SgdTerm> terms);

/// What adam_update does to one parameter. Empty moments are made and stand for zeros.
struct AdamTerm {
  Tensor& parameter;
  const Tensor& gradient;
  Tensor& first_moment;
  Tensor& second_moment;
  std::int64_t update;  ///< t, this parameter's updates with the present one, whatever their rows: from 1 on
  const AdamRule& rule;
  const Tensor* rows = nullptr;
};

/// One step of Adam. ValueError for one moment without the other, and for updates below 1.
void adam_update(std::span<const AdamTerm> terms);

}  // namespace xgrad
