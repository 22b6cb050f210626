#pragma once

#include <autograd/tape/recorder.hpp>

#include <span>

namespace xgrad {

/// Refuses what a sweep cannot start from. TapeError for no outputs, for a number of cotangents that differs, and for
/// an output that is not the tape's or was written since; ShapeError and TypeError for a cotangent that does not fit
/// its output, and for an output of several elements without one.
void check_outputs(const Recorder& recorder, std::span<const Tensor> outputs, std::span<const Tensor> cotangents);
/// The cotangent of an output of one element that comes without one.
Tensor one_like(const Tensor& output);

}  // namespace xgrad
