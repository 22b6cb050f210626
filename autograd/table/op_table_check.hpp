#pragma once

#include <autograd/check/gradient_check.hpp>
#include <autograd/table/op_table.hpp>

#include <cstddef>
#include <cstdint>

namespace xgrad {

// How the gradients of what the tables list are checked.

/// Multiples of 1/16 in [-1, 1], none of them 0: exact in every dtype, as are their sums. Few are negative, so that
/// sums do not cancel.
Tensor cotangent_like(const Tensor& y, std::size_t which = 0);

/// Whether gradients flow to input i of a sample.
bool takes_gradient(const OpRow& row, const OpInputs& inputs, std::size_t i);

/// A sample's operation as a function of the inputs to which gradients flow, `input 0`, `input 2`, ...; float64.
GradientSubject op_subject(const OpRow& row, const OpSample& sample, std::uint64_t seed = 0);

/// Checks a function whose result has any shape, for the cotangent of cotangent_like, at every entry unless the options
/// say otherwise. Order n looks at y + y²/2 + ... + yⁿ/n!, where the cotangent of y depends on the inputs too: for
/// order 2 its second derivative along an input is (1 + y)·y'' + y'², which a linear function has as well. Of the
/// options, order and cotangent are set here.
GradientReport check_table_gradients(const GradientSubject& subject, int order, GradientCheckOptions options = {});

/// Whether a report about a smooth sample is as it should be: kinks, which could hide a wrong derivative, do not pass.
bool passes_as_smooth(const GradientReport& report);

}  // namespace xgrad
