#pragma once

#include <autograd/tensor/tensor.hpp>

#include <string>
#include <vector>

namespace xgrad::nn {

/// 16 hexadecimal digits from the bits of the tensors' values, in order: equal for bit-identical models (FNV-1a, 64
/// bit; Fowler, Noll, Vo 1991). Shapes and dtypes do not enter.
std::string digest(const std::vector<Tensor>& tensors);

}  // namespace xgrad::nn
