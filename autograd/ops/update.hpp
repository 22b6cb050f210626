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

/// The values of a tensor from element `first` on.
struct ValuesFrom {
  const Tensor& tensor;
  std::size_t first = 0;
};

/// Writes to so many elements of sum, from `first` on, the sums of the terms' elements. They are added as the closings
/// say: after term i the last closings[i] sums that are open are added, each to the one before it, and one is left at
/// the end. {0, 1, 0, 2} is (t0 + t1) + (t2 + t3), {0, 1, 1, 1} their order. A term may be where the sum goes.
///
/// TypeError unless all have one floating dtype; ShapeError for elements that one of them does not have; ValueError for
/// no terms, closings that do not leave one sum, or that have more than 64 open.
void sum_in_tree(Tensor& sum, std::size_t first, std::size_t count, std::span<const ValuesFrom> terms,
                 std::span<const std::uint8_t> closings);

}  // namespace xgrad
