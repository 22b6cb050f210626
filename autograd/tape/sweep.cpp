#include <autograd/kernels/vector.hpp>
#include <autograd/tape/broadcasting.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tensor/error.hpp>

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

template <class E>
[[noreturn]] void throw_contribution(const Node& from, std::size_t input, const Node& to, const Tensor& gradient,
                                     const char* rule) {
  throw E("backward: the vjp of " + std::string(from.operation->name()) + " gives input " + std::to_string(input) +
          " of shape " + to_string(to.shape) + " and dtype " + std::string(name_of(to.dtype)) +
          " a gradient of shape " + to_string(gradient.shape()) + " and dtype " +
          std::string(name_of(gradient.dtype())) + "; " + rule);
}

}  // namespace

void Call::throw_not_saved(const char* kind, std::size_t i) const {
  throw TapeError("backward: the vjp of " + std::string(node_.operation->name()) + " asks for " + kind + " " +
                  std::to_string(i) + ", which its traits do not save");
}

Node& Call::earlier_output_node(std::size_t i) const { return recorder_.node(number_ - node_.output_count + 1 + i); }

Tensor& Call::absent_cotangent(std::size_t i) const {
  recorder_.absent_cotangents_.resize(node_.output_count);
  Tensor& absent = recorder_.absent_cotangents_[i];
  if (!absent.defined()) absent = zeros(Shape(output_shape(i).rank(), 1), output_node(i).dtype);
  return absent;
}

const Tensor& Call::cotangent(std::size_t i) const {
  Tensor& g = cotangent_slot(i);
  if (!(g.shape() == output_shape(i))) g = broadcast_to(g, output_shape(i));
  return g;
}

bool Call::tracing() const { return recorder_.tracing(); }
void Call::report_masked(std::size_t count) const { recorder_.masked_slopes_ += count; }

void Recorder::contribute(const Node& from, std::size_t input, Tensor&& gradient, bool recording) {
  Node& to = node(from.inputs[input]);
  if (gradient.dtype() != to.dtype) throw_contribution<TypeError>(from, input, to, gradient, "need equal dtypes");
  const Shape& shape = gradient.shape();
  if (!(shape == to.shape)) {
    if (from.contribution == Contribution::exact)
      throw_contribution<ShapeError>(from, input, to, gradient, "need equal shapes");
    if (from.contribution == Contribution::unbroadcast &&
        (shape.rank() != to.shape.rank() || !broadcasts_to(shape, to.shape)))
      throw_contribution<ShapeError>(from, input, to, gradient, "need one of its rank that broadcasts to it");
  }
  if (from.contribution == Contribution::broadcast) {
    if (!(shape == from.shape) && !broadcasts_to(shape, from.shape))
      throw_contribution<ShapeError>(from, input, to, gradient, "need one that broadcasts to the result");
    if (!(from.shape == to.shape)) gradient = sum_back(gradient, from.shape, to.shape);
  }
  if (!to.cotangent.defined())
    to.cotangent = std::move(gradient);
  else if (!recording && to.cotangent.shape() == gradient.shape() && to.cotangent.unique())
    kernels::add_scaled(to.cotangent, gradient, 1.0);
  else
    to.cotangent = accumulate(to.cotangent, gradient);
}

void Recorder::run_vjp(Node& entry, std::uint32_t number, bool recording) {
  if (recording && !entry.recorded_vjp)
    throw TapeError("backward: " + std::string(entry.operation->name()) +
                    " cannot be differentiated twice; its vjp is not built from recorded operations");
  if (entry.saved == nullptr)
    throw TapeError("backward: the saved values of " + std::string(entry.operation->name()) + " are released already");
  for (const Saved& saved : std::span(entry.saved, entry.saved_count)) {
    if (!saved.tensor.defined()) continue;
    const std::uint32_t now = saved.tensor.version();
    if (now != saved.version) throw_modified(entry, saved, now);
  }
  Tensors gradients = entry.operation->vjp(Call(*this, entry, number, recording));
  if (!absent_cotangents_.empty()) absent_cotangents_.clear();
  if (gradients.size() != entry.input_count)
    throw TapeError("backward: the vjp of " + std::string(entry.operation->name()) + " gives " +
                    std::to_string(gradients.size()) + " gradients for " + std::to_string(entry.input_count) +
                    " inputs; need one for each");
  for (std::size_t i = 0; i < entry.input_count; ++i) {
    if (entry.inputs[i] == Node::none || !gradients[i].defined()) continue;
    if (tracing()) trace(number, gradients[i], true, "");
    contribute(entry, i, std::move(gradients[i]), recording);
  }
}

void Recorder::sweep(std::uint32_t last, const BackwardOptions& options, Gradients& also) {
  const bool keep = options.keep || options.differentiable;
  for (std::uint32_t i = last + 1; i-- > 0;) {
    Node& entry = node(i);
    if (entry.operation == nullptr) continue;
    const std::uint32_t first = i + 1 - entry.output_count;
    bool reached = entry.cotangent.defined();
    for (std::uint32_t o = first; o < i; ++o) reached = reached || node(o).cotangent.defined();
    if (reached) {
      run_vjp(entry, i, options.differentiable);
      for (std::uint32_t o = first; o <= i; ++o) {
        Tensor cotangent = std::move((o == i ? entry : node(o)).cotangent);
        if (!options.also.empty() && cotangent.defined())
          for (const Tensor& x : options.also)
            if (x.body().node == o && x.body().tape == id_ && !also.contains(x)) also.append(x, std::move(cotangent));
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

std::uint32_t Recorder::check_output(const Tensor& output, const Tensor& cotangent, std::size_t k) const {
  if (!cotangent.defined()) {
    if (output.size() != 1)
      throw ShapeError("backward: the output is " + to_string(output.shape()) +
                       ", not one number; give a cotangent of that shape, or reduce it with sum or mean");
    return output_number(output);
  }
  if (cotangent.shape() != output.shape())
    throw ShapeError("backward: output " + std::to_string(k) + " is " + to_string(output.shape()) +
                     ", its cotangent is " + to_string(cotangent.shape()) + "; need equal shapes");
  if (cotangent.dtype() != output.dtype())
    throw TypeError("backward: output " + std::to_string(k) + " is " + std::string(name_of(output.dtype())) +
                    ", its cotangent is " + std::string(name_of(cotangent.dtype())) + "; need equal dtypes");
  return output_number(output);
}

Gradients Recorder::backward(std::span<const Tensor> outputs, std::span<const Tensor> cotangents,
                             const BackwardOptions& options) {
  if (outputs.empty() || outputs.size() != cotangents.size())
    throw TapeError("backward: " + std::to_string(outputs.size()) + " outputs and " +
                    std::to_string(cotangents.size()) + " cotangents; need as many of both, at least one");
  std::uint32_t last = 0;
  for (std::size_t k = 0; k < outputs.size(); ++k) last = std::max(last, check_output(outputs[k], cotangents[k], k));
  while (node(last).operation == nullptr && !node(last).leaf.defined()) ++last;  // to the operation of several outputs
  for (const Tensor& x : options.also)
    if (x.body().tape != id_ && leaf_index_.find(&x.body()) == Node::none)
      throw TapeError("backward: a tensor of `also`, of shape " + to_string(x.shape()) + ", is not on this tape");
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const Tensor& output = outputs[k];
    Tensor& slot = node(output_number(output)).cotangent;
    Tensor cotangent = cotangents[k].defined() ? cotangents[k] : ones(output.shape(), output.dtype());
    slot = slot.defined() ? accumulate(slot, cotangent) : std::move(cotangent);
  }
  Gradients intermediate;
  sweep(last, options, intermediate);
  Gradients gradients;
  gradients.entries_.reserve(leaves_.size());
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
