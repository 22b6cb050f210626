#include <autograd/tensor/format.hpp>
#include <nn/training/model.hpp>

#include <string>

namespace xgrad::nn {

std::vector<Tensor> output_list(const Tensor& one) { return {one}; }

void throw_tensor_count(const char* what, std::size_t given, unsigned counts) {
  std::string taken;
  for (std::size_t n = 1; n <= max_tensor_arguments; ++n)
    if ((counts >> n & 1) != 0) taken += fmt::format("{}{}", taken.empty() ? "" : " or ", n);
  throw_as<ShapeError>("{}: {} tensors are given, its call takes {}", what, given, taken);
}

}  // namespace xgrad::nn
