#pragma once

#include <autograd/tensor/tensor.hpp>

namespace xgrad {

// Operations of the engine's own, which change no value.

class Recorder;

/// x as a result of the tape, whether it needs a gradient or not, so that gradients can be asked of it alone (`only`):
/// a tensor of its own with x's values. TapeError for a tensor of another living tape.
Tensor argument(Recorder& recorder, const Tensor& x);

/// A gradient of x in x's shape and in a buffer that nobody else writes. With `differentiable` it is on the tape: one
/// that is the same wherever x is has a derivative of zero along x.
Tensor own_gradient(const Tensor& x, Tensor gradient, bool differentiable);

}  // namespace xgrad
