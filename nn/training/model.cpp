#include <autograd/tensor/format.hpp>
#include <nn/training/model.hpp>

#include <string>

namespace xgrad::nn {

std::int64_t rows_of(const char* operation, TensorList inputs, TensorList targets) {
  for (const TensorList list : {inputs, targets})
    for (const Tensor& y : list) check_defined(operation, "an input or target", y);
  if (inputs.empty()) throw_as<ValueError>("{}: no inputs; need one tensor at least", operation);
  const Tensor& x = inputs[0];
  const std::int64_t rows = x.rank() == 0 ? 0 : x.shape(0);
  for (const TensorList list : {targets, inputs})
    for (const Tensor& y : list)
      if (rows == 0 || y.rank() == 0 || y.shape(0) != rows)
        throw_as<ShapeError>("{}: x is {}, y is {}; need the same number of rows, at least one", operation, x.shape(),
                             y.shape());
  return rows;
}

std::vector<Tensor> output_list(const Tensor& one) { return {one}; }

void throw_tensor_count(const char* what, std::size_t given, unsigned counts) {
  std::string taken;
  for (std::size_t n = 1; n <= max_tensor_arguments; ++n)
    if ((counts >> n & 1) != 0) taken += fmt::format("{}{}", taken.empty() ? "" : " or ", n);
  throw_as<ShapeError>("{}: {} tensors are given, its call takes {}", what, given, taken);
}

}  // namespace xgrad::nn
