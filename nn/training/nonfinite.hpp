#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/training/model.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xgrad::nn {

/// Where the first infinity or NaN of a training step comes from, in one line: a parameter, the inputs or the targets
/// that hold one already, or else the operation that gives it, with its module path, found by running the step again on
/// a tape that traces. Rows of the batch count from first_row on. Layers that draw random numbers draw others then;
/// nothing if all is finite this time.
std::optional<std::string> nonfinite_origin(const AnyModel& model, TensorList inputs, TensorList targets,
                                            const std::vector<Tensor>& parameters, std::int64_t first_row = 0);

}  // namespace xgrad::nn
