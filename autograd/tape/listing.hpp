#pragma once

#include <autograd/tape/recorder.hpp>

#include <iosfwd>
#include <string>

namespace xgrad {

// What a tape says of its entries.

/// A line for each entry: number, operation, inputs, shape, dtype, saved bytes, path.
void print(const Recorder& recorder, std::ostream& stream);
/// `(2, 3), constant`.
std::string shapes_of_inputs(const Recorder& recorder, const Node& entry);
/// Of a result of the tape: that it was written.
std::string written_since(const Recorder& recorder, const Tensor& x);

}  // namespace xgrad
