#include <autograd/tensor/format.hpp>
#include <nn/training/batch_gradients.hpp>
#include <nn/training/batch_parts.hpp>

namespace xgrad::nn {

BatchGradients batch_gradients_of(const AnyModel& model, TensorList inputs, TensorList targets,
                                  const BatchGradientsOptions& options) {
  if (options.parts < 0) throw_as<ValueError>("batch_gradients: {} parts; need 0 (chosen) or more", options.parts);
  if (options.reduction == Reduction::none)
    throw ValueError("batch_gradients: reduction none; need mean or sum, as the function reduces its losses");
  return gradients_in_parts(model, inputs, targets, options);
}

}  // namespace xgrad::nn
