#pragma once

#include <nn/data/data.hpp>
#include <nn/optimizers/optimizer.hpp>
#include <nn/ranks/agree.hpp>
#include <nn/training/model.hpp>
#include <nn/training/training.hpp>

#include <string>
#include <vector>

namespace xgrad::nn {

/// What ranks that train together must have in common: the program, the model's parameters and buffers, the optimizer's
/// type, the sizes of the data, the options that decide bits. What only the first rank does is not among them.
std::vector<Particular> particulars_of(const AnyModel& model, const Optimizer& optimizer, const Dataset& data,
                                       const FitOptions& options);

}  // namespace xgrad::nn
