#include <autograd/tensor/format.hpp>
#include <autograd/text/words.hpp>
#include <nn/inspection/gradient_check.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/training/registered.hpp>

#include <algorithm>
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

namespace {

void require_tensors(const char* side, TensorList list) {
  if (list.empty()) throw_as<ValueError>("check_gradients: no {}; need at least one tensor", side);
  for (std::size_t i = 0; i < list.size(); ++i)
    if (!list[i].defined()) throw_as<ValueError>("check_gradients: {} {} is an empty handle; need a tensor", side, i);
}

/// Leaves out what was not chosen.
void choose(NamedTensors& tensors, std::size_t parameters, const CheckedTensors& checked) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < parameters; ++i) names.push_back(tensors[i].first);
  const auto is_below = [](const std::string& name, const std::string& path) {
    return name == path || name.starts_with(path + ".");
  };
  for (const std::string& path : checked.parameters)
    if (std::none_of(names.begin(), names.end(), [&](const std::string& name) { return is_below(name, path); }))
      throw_as<ValueError>("check_gradients: the model has no parameter or module '{}'{}", path,
                           did_you_mean(path, names));
  std::size_t place = 0;
  std::erase_if(tensors, [&](const auto& named) {
    if (place++ >= parameters) return !checked.inputs;
    return !checked.parameters.empty() &&
           std::none_of(checked.parameters.begin(), checked.parameters.end(),
                        [&](const std::string& path) { return is_below(named.first, path); });
  });
  if (tensors.empty()) throw ValueError("check_gradients: no tensors are left to check: no parameters and no inputs");
}

}  // namespace

GradientReport check_gradients_of(const AnyModel& model, TensorList inputs, TensorList targets,
                                  const GradientCheckOptions& options, const CheckedTensors& checked) {
  require_tensors("inputs", inputs);
  require_tensors("targets", targets);
  require_registered("check_gradients", model.clone(), inputs, targets);
  const auto subject_of_copy = [&] {
    const AnyModel copy = model.clone();
    copy.module().to(float64);
    std::vector<Tensor> x, y;
    for (const Tensor& input : inputs) x.push_back(in_float64(input));
    for (const Tensor& target : targets) y.push_back(in_float64(target));
    GradientSubject subject = model_subject(
        copy.module(), [=] { return copy.loss_of(x, y); }, x);
    choose(subject.tensors, copy.parameters().size(), checked);
    subject.companions.insert(subject.companions.end(), y.begin(), y.end());
    return subject;
  };
  return check_gradients_of_copies(subject_of_copy, options);
}

}  // namespace xgrad::nn
