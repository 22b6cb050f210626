#include <autograd/ops/reduce.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/training/registered.hpp>

#include <algorithm>

namespace xgrad::nn {

namespace {

std::string unregistered_of(const std::vector<Tensor>& leaves, const AnyModel& model,
                            const std::vector<Tensor>& others) {
  if (!model.is_module()) return "";
  const std::vector<NamedTensor> parameters = model.parameters();
  std::string found;
  for (const Tensor& x : leaves) {
    const auto is_x = [&x](const Tensor& other) { return other.is(x); };
    if (std::any_of(parameters.begin(), parameters.end(), [&](const NamedTensor& p) { return is_x(p.tensor); }) ||
        std::any_of(others.begin(), others.end(), is_x))
      continue;
    found += fmt::format("{}{} of shape {}", found.empty() ? "" : ", ", x.label().empty() ? "a tensor" : x.label(),
                         x.shape());
  }
  if (found.empty()) return "";
  return "the loss depends on tensors that require gradients and are no parameters of the model: " + found +
         "; register members where they are initialised, `nn::Linear b = add(\"b\", nn::Linear(3, 2));` or "
         "`nn::Registered w = parameter(\"w\", ...);`, or pass detach(x) for what is not to be learned";
}

}  // namespace

std::string unregistered(const AnyModel& model, const Gradients& gradients, const std::vector<Tensor>& others) {
  std::vector<Tensor> leaves;
  for (const Gradients::Entry& entry : gradients) leaves.push_back(entry.tensor());
  return unregistered_of(leaves, model, others);
}

bool is_recording() { return Recorder::current() != nullptr; }

void require_registered_leaves(const char* operation, const AnyModel& model, TensorList inputs, TensorList targets) {
  const Recorder& recorder = *Recorder::current();
  std::vector<Tensor> leaves, others(inputs.begin(), inputs.end());
  others.insert(others.end(), targets.begin(), targets.end());
  for (const std::uint32_t number : recorder.leaves()) leaves.push_back(recorder.node(number).leaf);
  if (const std::string found = unregistered_of(leaves, model, others); !found.empty())
    throw ValueError(std::string(operation) + ": " + found);
}

void require_registered(const char* operation, const AnyModel& model, TensorList inputs, TensorList targets) {
  std::string found;
  try {
    const BatchPart trial(0, nullptr);
    Tape tape;
    const Tensor loss = model.loss_of(inputs, targets);
    if (!is_recorded(loss)) return;
    found = unregistered(model, tape.backward(loss, ones(loss.shape(), loss.dtype())), {inputs.begin(), inputs.end()});
  } catch (const Error&) {
    return;
  }
  if (!found.empty()) throw ValueError(std::string(operation) + ": " + found);
}

}  // namespace xgrad::nn
