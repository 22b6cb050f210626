#include <nn/dropout.hpp>
#include <nn/gradient_check.hpp>

namespace xgrad::nn {

Tensor in_float64(const Tensor& x) {
  const Pause pause;
  return is_floating(x.dtype()) ? x.to(float64) : x;
}

GradientReport check_model(const Module& model, const std::function<Tensor()>& loss, const Tensor& x,
                           const GradientCheckOptions& options) {
  if (!options.names.empty()) throw ValueError("check_gradients: names for a model, whose parameters have their own");
  NamedTensors tensors;
  for (const NamedTensor& parameter : model.named_parameters()) tensors.emplace_back(parameter.path, parameter.tensor);
  if (is_floating(x.dtype())) tensors.emplace_back("input", x);
  const auto repeatable = [&] {
    // Within a part of a batch, streams draw by part and call, and are not moved on.
    const BatchPart part(0, BatchPart::current());
    return loss();
  };
  return check_gradients_in_place(repeatable, tensors, options);
}

}  // namespace xgrad::nn
