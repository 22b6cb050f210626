#include <autograd/error.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/recorder.hpp>

#include <algorithm>
#include <string>

namespace xgrad {

namespace {

[[noreturn]] void throw_modified(const Node& node, const Saved& saved, std::uint32_t now) {
  throw TapeError("backward: " + std::string(node.operation->name()) + " saved a tensor of shape " +
                  to_string(saved.tensor.shape()) + " at version " + std::to_string(saved.version) +
                  ", which is at version " + std::to_string(now) +
                  " now; modify it after backward, or give the operation a clone()");
}

}  // namespace

const Tensor& Call::saved(std::size_t place, bool exists, std::string_view kind, std::size_t i) const {
  const Node& node = recorder_.node(node_);
  if (!exists || place >= node.saved_count || !node.saved[place].tensor.defined())
    throw TapeError("backward: the vjp of " + std::string(node.operation->name()) + " asks for " + std::string(kind) +
                    " " + std::to_string(i) + ", which its traits do not save");
  return node.saved[place].tensor;
}

const Shape& Call::output_shape(std::size_t i) const {
  return recorder_.node(node_ - recorder_.node(node_).output_count + 1 + i).shape;
}

Tensor& Call::cotangent_slot(std::size_t i) const {
  const std::size_t count = recorder_.node(node_).output_count;
  Node& node = recorder_.node(node_ - count + 1 + i);
  if (node.cotangent.defined()) return node.cotangent;
  recorder_.absent_cotangents_.resize(count);
  Tensor& absent = recorder_.absent_cotangents_[i];
  if (!absent.defined()) absent = zeros(Shape(node.shape.rank(), 1), node.dtype);
  return absent;
}

const Tensor& Call::cotangent(std::size_t i) const {
  Tensor& g = cotangent_slot(i);
  if (!(g.shape() == output_shape(i))) g = broadcast_to(g, output_shape(i));
  return g;
}

bool Call::needs(std::size_t i) const { return recorder_.node(node_).inputs[i] != Node::none; }
std::size_t Call::input_count() const { return recorder_.node(node_).input_count; }
bool Call::tracing() const { return recorder_.tracing(); }
void Call::report_masked(std::size_t count) const { recorder_.masked_slopes_ += count; }

void Recorder::contribute(const Node& from, std::size_t input, Tensor gradient, bool recording) {
  Node& to = node(from.inputs[input]);
  const auto fail = [&](const std::string& rule) {
    return "backward: the vjp of " + std::string(from.operation->name()) + " gives input " + std::to_string(input) +
           " of shape " + to_string(to.shape) + " and dtype " + std::string(name_of(to.dtype)) +
           " a gradient of shape " + to_string(gradient.shape()) + " and dtype " +
           std::string(name_of(gradient.dtype())) + "; " + rule;
  };
  if (gradient.dtype() != to.dtype) throw TypeError(fail("need equal dtypes"));
  switch (from.contribution) {
    case Contribution::exact:
      if (gradient.shape() != to.shape) throw ShapeError(fail("need equal shapes"));
      break;
    case Contribution::unbroadcast:
      if (gradient.rank() != to.shape.rank() || !broadcasts_to(gradient.shape(), to.shape))
        throw ShapeError(fail("need one of its rank that broadcasts to it"));
      break;
    case Contribution::broadcast:
      if (!broadcasts_to(gradient.shape(), from.shape))
        throw ShapeError(fail("need one that broadcasts to the result"));
      if (from.shape != to.shape) gradient = sum_back(gradient, from.shape, to.shape);
      break;
  }
  if (!to.cotangent.defined())
    to.cotangent = std::move(gradient);
  else if (!recording && to.cotangent.shape() == gradient.shape() && to.cotangent.unique())
    kernels::add_scaled(to.cotangent, gradient, 1.0);
  else
    to.cotangent = accumulate(to.cotangent, gradient);
}

void Recorder::run_vjp(std::uint32_t last, bool recording) {
  const Node& entry = node(last);
  if (recording && !entry.recorded_vjp)
    throw TapeError("backward: " + std::string(entry.operation->name()) +
                    " cannot be differentiated twice; its vjp is not built from recorded operations");
  if (entry.saved == nullptr)
    throw TapeError("backward: the saved values of " + std::string(entry.operation->name()) + " are released already");
  for (std::size_t i = 0; i < entry.saved_count; ++i) {
    const Saved& saved = entry.saved[i];
    if (!saved.tensor.defined()) continue;
    const std::uint32_t now = saved.tensor.version();
    if (now != saved.version) throw_modified(entry, saved, now);
  }
  Tensors gradients = entry.operation->vjp(Call(*this, last, recording));
  if (!absent_cotangents_.empty()) absent_cotangents_.clear();
  if (gradients.size() != entry.input_count)
    throw TapeError("backward: the vjp of " + std::string(entry.operation->name()) + " gives " +
                    std::to_string(gradients.size()) + " gradients for " + std::to_string(entry.input_count) +
                    " inputs; need one for each");
  for (std::size_t i = 0; i < entry.input_count; ++i) {
    if (entry.inputs[i] == Node::none || !gradients[i].defined()) continue;
    if (tracing()) trace(last, gradients[i], true, "");
    contribute(entry, i, std::move(gradients[i]), recording);
  }
}

void Recorder::sweep(std::uint32_t last, const BackwardOptions& options, Gradients& also) {
  const bool keep = options.keep || options.differentiable;
  for (std::uint32_t i = last + 1; i-- > 0;) {
    Node& entry = node(i);
    if (entry.operation == nullptr) continue;
    const std::uint32_t first = i + 1 - entry.output_count;
    bool reached = false;
    for (std::uint32_t o = first; o <= i; ++o) reached = reached || node(o).cotangent.defined();
    if (reached) {
      run_vjp(i, options.differentiable);
      for (std::uint32_t o = first; o <= i; ++o) {
        Tensor cotangent = std::move(node(o).cotangent);
        if (!options.also.empty() && cotangent.defined())
          for (const Tensor& x : options.also)
            if (x.body().node == o && x.body().tape == id_) also.append(x, std::move(cotangent));
      }
    }
    if (!keep) release_saved(entry);
  }
}

void Recorder::drop_cotangents() noexcept {
  for (std::uint32_t i = 0; i < size_; ++i) node(i).cotangent = Tensor();
}

std::uint32_t Recorder::output_number(const Tensor& output) const {
  const TensorBody& body = output.body();
  const std::uint32_t number = body.tape == id_ ? body.node : leaf_index_.find(&body);
  if (number != Node::none) return number;
  if (is_recorded(output))
    throw TapeError("backward: the output of shape " + to_string(output.shape()) + " was recorded by another tape");
  throw TapeError("backward: the output of shape " + to_string(output.shape()) +
                  " does not depend on any tensor that requires a gradient and was used on this tape");
}

Gradients Recorder::backward(const std::vector<Tensor>& outputs, std::vector<Tensor> cotangents,
                             const BackwardOptions& options) {
  if (outputs.empty() || outputs.size() != cotangents.size())
    throw TapeError("backward: " + std::to_string(outputs.size()) + " outputs and " +
                    std::to_string(cotangents.size()) + " cotangents; need as many of both, at least one");
  std::uint32_t last = 0;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const Tensor& output = outputs[k];
    if (!cotangents[k].defined()) {
      if (output.size() != 1)
        throw ShapeError("backward: the output is " + to_string(output.shape()) +
                         ", not one number; give a cotangent of that shape, or reduce it with sum or mean");
      cotangents[k] = ones(output.shape(), output.dtype());
    }
    if (cotangents[k].shape() != output.shape())
      throw ShapeError("backward: output " + std::to_string(k) + " is " + to_string(output.shape()) +
                       ", its cotangent is " + to_string(cotangents[k].shape()) + "; need equal shapes");
    if (cotangents[k].dtype() != output.dtype())
      throw TypeError("backward: output " + std::to_string(k) + " is " + std::string(name_of(output.dtype())) +
                      ", its cotangent is " + std::string(name_of(cotangents[k].dtype())) + "; need equal dtypes");
    last = std::max(last, output_number(output));
  }
  while (node(last).operation == nullptr && !node(last).leaf.defined()) ++last;  // to the operation of several outputs
  for (const Tensor& x : options.also)
    if (x.body().tape != id_ && leaf_index_.find(&x.body()) == Node::none)
      throw TapeError("backward: a tensor of `also`, of shape " + to_string(x.shape()) + ", is not on this tape");
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    Tensor& slot = node(output_number(outputs[k])).cotangent;
    slot = slot.defined() ? accumulate(slot, cotangents[k]) : cotangents[k];
  }
  Gradients intermediate;
  sweep(last, options, intermediate);
  Gradients gradients;
  const auto add = [&](const Tensor& x, Tensor gradient) {
    if (gradient.shape() != x.shape()) gradient = broadcast_to(gradient, x.shape());
    if (!options.differentiable && !gradient.unique()) gradient = gradient.clone();
    gradients.append(x, std::move(gradient));
  };
  for (const std::uint32_t number : leaves_)
    if (node(number).cotangent.defined()) add(node(number).leaf, std::move(node(number).cotangent));
  for (Gradients::Entry& entry : intermediate.entries_) add(entry.first, std::move(entry.second));
  return gradients;
}

}  // namespace xgrad
