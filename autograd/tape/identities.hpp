#pragma once

#include <autograd/tensor/tensor.hpp>

namespace xgrad {

// Operations of the engine's own, which change no value.

class Recorder;

/// x as a result of the tape, whether it needs a gradient or not, so that gradients can be asked of it alone (`only`):
/// a tensor of its own with x's values. TapeError for a tensor of another living tape.
Tensor argument(Recorder& recorder, const Tensor& x);

/// A gradient that is the same wherever x is, on the tape all the same: its own derivative along x is zero.
Tensor constant_gradient(const Tensor& gradient, const Tensor& x);

}  // namespace xgrad
