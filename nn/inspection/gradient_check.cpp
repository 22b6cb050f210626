#include <nn/inspection/gradient_check.hpp>
#include <nn/layers/batch_part.hpp>

#include <utility>

namespace xgrad::nn {

Tensor in_float64(const Tensor& x) {
  const Pause pause;
  return is_floating(x.dtype()) ? x.to(float64) : x;
}

GradientSubject model_subject(const Module& model, std::function<Tensor()> f, const Tensor& x) {
  GradientSubject subject;
  subject.f = [f = std::move(f)] {
    // Within a part of a batch, layers leave notes instead of moving their streams and statistics on.
    const BatchPart part(0, nullptr);
    return f();
  };
  for (const NamedTensor& parameter : model.named_parameters())
    subject.tensors.emplace_back(parameter.path, parameter.tensor);
  if (is_floating(x.dtype())) subject.tensors.emplace_back("input", x);
  for (const NamedTensor& buffer : model.named_buffers()) subject.companions.push_back(buffer.tensor);
  return subject;
}

GradientReport check_models(const std::function<ModelAndLoss()>& make, const Tensor& x, const Tensor& y,
                            const GradientCheckOptions& options) {
  const auto subject_of_copy = [&] {
    const ModelAndLoss copy = make();
    copy.model->to(float64);
    const Tensor input = in_float64(x);
    const Tensor target = in_float64(y);
    GradientSubject subject = model_subject(
        *copy.model, [=] { return copy.loss(input, target); }, input);
    subject.companions.push_back(target);
    return subject;
  };
  return check_gradients_of_copies(subject_of_copy, options);
}

}  // namespace xgrad::nn
