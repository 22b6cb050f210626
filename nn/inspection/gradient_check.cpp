#include <autograd/tensor/format.hpp>
#include <nn/inspection/gradient_check.hpp>
#include <nn/layers/batch_part.hpp>

#include <utility>
#include <vector>

namespace xgrad::nn {

Tensor in_float64(const Tensor& x) {
  check_defined("in_float64", "x", x);
  const Pause pause;
  return is_floating(x.dtype()) ? x.to(float64) : x;
}

GradientSubject model_subject(const Module& model, std::function<Tensor()> f, TensorList inputs) {
  GradientSubject subject;
  subject.f = [f = std::move(f)] {
    // Within a part of a batch, layers leave notes instead of moving their streams and statistics on.
    const BatchPart part(0, nullptr);
    return f();
  };
  for (const NamedTensor& parameter : model.named_parameters())
    subject.tensors.emplace_back(parameter.path, parameter.tensor);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (is_floating(inputs[i].dtype()))
      subject.tensors.emplace_back(inputs.size() == 1 ? "input" : fmt::format("input {}", i), inputs[i]);
  for (const NamedTensor& buffer : model.named_buffers()) subject.companions.push_back(buffer.tensor);
  return subject;
}

GradientReport check_gradients_of(const AnyModel& model, TensorList inputs, TensorList targets,
                                  const GradientCheckOptions& options) {
  const auto subject_of_copy = [&] {
    const AnyModel copy = model.clone();
    copy.module().to(float64);
    std::vector<Tensor> x, y;
    for (const Tensor& input : inputs) x.push_back(in_float64(input));
    for (const Tensor& target : targets) y.push_back(in_float64(target));
    GradientSubject subject = model_subject(
        copy.module(), [=] { return copy.loss_of(x, y); }, x);
    subject.companions.insert(subject.companions.end(), y.begin(), y.end());
    return subject;
  };
  return check_gradients_of_copies(subject_of_copy, options);
}

}  // namespace xgrad::nn
