#include <autograd/kernels/vector.hpp>
#include <autograd/tape/broadcasting.hpp>
#include <autograd/tape/identities.hpp>
#include <autograd/tape/listing.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tape/outputs.hpp>
#include <autograd/tape/sweep.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>

namespace xgrad {

Sweep::Sweep(Recorder& recorder, const BackwardOptions& options, Slots slots)
    : hold_(recorder, slots == Slots::of_tape),
      options_(options),
      keep_(options.keep || options.differentiable),
      keeps_intermediates_(!options.also.empty() || !options.only.empty()),
      scope_(options.differentiable ? &recorder : nullptr),
      own_(slots == Slots::own ? recorder.size() : 0) {
  if (options.on_final || options.on_final_rows) final_.emplace(options);
}

Sweep::~Sweep() {
  if (!complete_ && own_.empty())
    for (std::uint32_t i = 0; i < recorder_.size(); ++i) {
      cotangent(i) = Tensor();
      vanishing(i) = false;
    }
  if (keep_) return;
  recorder_.close();
  if (close_scope(recorder_.scope)) release_scope(recorder_.scope);
}

Gradients Sweep::run(std::span<const Tensor> outputs, std::span<const Tensor> cotangents) {
  std::uint32_t number = begin(outputs, cotangents) + 1;
  while (number > wanted_.lowest()) pass(--number);
  while (!keep_ && number > 0) recorder_.release_saved(node(--number));  // what nobody wanted
  Gradients gradients = collect();
  complete_ = true;
  return gradients;
}

/// Gives the outputs their cotangents; the number of the last operation that takes part.
[[gnu::always_inline]] inline std::uint32_t Sweep::begin(std::span<const Tensor> outputs,
                                                         std::span<const Tensor> cotangents) {
  check_outputs(recorder_, outputs, cotangents);
  if (keeps_intermediates_) wanted_.choose(recorder_, options_);
  std::uint32_t last = 0;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const std::uint32_t number = recorder_.number_of(outputs[k]);
    if (!wanted_.contains(number)) continue;
    last = std::max(last, number);
    Tensor given = cotangents[k].defined() ? cotangents[k] : one_like(outputs[k]);
    Tensor& slot = cotangent(number);
    slot = slot.defined() ? accumulate(slot, given) : std::move(given);
  }
  while (node(last).operation == nullptr && !node(last).leaf.defined()) ++last;  // to the operation of several outputs
  return last;
}

/// Passes the cotangents of an operation's outputs on to its inputs, and lets go of what it saved.
[[gnu::always_inline]] inline void Sweep::pass(std::uint32_t number) {
  Node& entry = node(number);
  if (entry.operation == nullptr) {
    if (options_.on_final && entry.leaf.defined() && take(number, final_->passed))
      options_.on_final(*(final_->passed.end() - 1));
    return;
  }
  const std::uint32_t first = number + 1 - entry.output_count;
  Tensor& last = cotangent(number);
  bool reached = last.defined();
  bool has_zeros = vanishing(number);
  for (std::uint32_t output = first; output < number; ++output) {
    reached |= cotangent(output).defined();
    has_zeros |= vanishing(output);
  }
  if (has_zeros) [[unlikely]]
    pass_zeros(entry, first, number, !reached);
  if (reached) {
    if (wanted_.all() || wanted_.contains_input_of(entry)) run_vjp(entry, number, last);
    for (std::uint32_t output = first; output < number; ++output) let_go(output, cotangent(output));
    let_go(number, last);
  }
  if (!keep_) recorder_.release_saved(entry);
}

void Sweep::pass_zeros(const Node& entry, std::uint32_t first, std::uint32_t last, bool nothing_else) {
  for (std::uint32_t output = first; output <= last; ++output) {
    vanishing(output) = false;
    if (nothing_else && keeps_intermediates_) keep_intermediate(output, zeros(node(output).shape, node(output).dtype));
  }
  for (std::size_t i = 0; nothing_else && i < entry.input_count; ++i)
    if (wanted_.contains(entry.inputs[i])) vanishing(entry.inputs[i]) = true;
}

[[gnu::always_inline]] inline void Sweep::run_vjp(Node& entry, std::uint32_t number, Tensor& cotangent) {
  const Operation& operation = *entry.operation;
  if (options_.differentiable && !entry.recorded_vjp)
    throw_as<TapeError>("backward: {} cannot be differentiated twice; its vjp is not built from recorded operations",
                        operation.name());
  if (entry.saved == nullptr)
    throw_as<TapeError>("backward: the saved values of {} are released already", operation.name());
  for (const Saved& saved : std::span(entry.saved, entry.saved_count)) {
    if (!saved.tensor.defined()) continue;
    if (const std::uint32_t now = saved.tensor.version(); now != saved.version)
      throw_as<TapeError>(
          "backward: {} saved a tensor of shape {} at version {}, which is at version {} now; modify it after "
          "backward, or give the operation a clone()",
          operation.name(), saved.tensor.shape(), saved.version, now);
  }
  if (!absent_cotangents_.empty()) absent_cotangents_.clear();
  Tensors gradients = operation.vjp(Call(*this, entry, number, cotangent, options_.differentiable, wanted_.marks()));
  if (!tape_is_alive(recorder_.id()))
    throw_as<TapeError>("backward: the vjp of {} ended the tape that calls it", operation.name());
  if (gradients.size() != entry.input_count)
    throw_as<TapeError>("backward: the vjp of {} gives {} gradients for {} inputs; need one for each", operation.name(),
                        gradients.size(), entry.input_count);
  for (std::size_t i = 0; i < entry.input_count; ++i) {
    if (!wanted_.contains(entry.inputs[i])) continue;
    if (!gradients[i].defined()) {
      vanishing(entry.inputs[i]) = true;
      continue;
    }
    if (tracing()) recorder_.nonfinite.look_at(recorder_, number, gradients[i]);
    contribute(entry, i, std::move(gradients[i]));
  }
}

[[gnu::always_inline]] inline void Sweep::contribute(const Node& from, std::size_t input, Tensor&& gradient) {
  const std::uint32_t number = from.inputs[input];
  Node& to = node(number);
  const bool broadcast = from.contribution == Contribution::broadcast;
  if (gradient.dtype() != to.dtype || !(gradient.shape() == (broadcast ? from.shape : to.shape)))
    check_contribution(from, input, to, gradient);
  if (broadcast && !(from.shape == to.shape)) gradient = sum_back(gradient, from.shape, to.shape);
  add(own_.empty() ? to.cotangent : own_[number].cotangent, std::move(gradient));
}

[[gnu::always_inline]] inline void Sweep::add(Tensor& sum, Tensor&& gradient) {
  if (!sum.defined())
    sum = std::move(gradient);
  else if (!options_.differentiable && sum.shape() == gradient.shape() && sum.unique())
    kernels::add_scaled(sum, gradient, 1.0);
  else
    sum = accumulate(sum, gradient);
}

void Sweep::add_rows(const Node& from, std::uint32_t from_number, std::size_t input, const Tensor& rows,
                     const Tensor& values) {
  const std::uint32_t number = from.inputs[input];
  const Node& to = node(number);
  check_rows(from, input, to, rows, values);
  if (tracing()) recorder_.nonfinite.look_at(recorder_, from_number, values);
  if (to.leaf.defined() && !options_.differentiable)
    rows_.add(number, {rows, values});
  else
    add(cotangent(number), scatter_rows(values, rows, to.shape));
}

bool Sweep::tells_rows(const Node& from, std::uint32_t from_number, std::size_t input) {
  const std::uint32_t to = from.inputs[input];
  return final_ && !options_.differentiable && !tracing() && !cotangent(to).defined() && rows_.of(to).empty() &&
         final_->is_first_use(recorder_, from, from_number, input);
}

void Sweep::keep_intermediate(std::uint32_t number, Tensor cotangent) {
  for (const auto* list : {&options_.also, &options_.only})
    for (const Tensor& x : *list)
      if (cotangent.defined() && recorder_.number_of(x) == number) intermediate_.emplace_back(x, std::move(cotangent));
}

Tensor& Sweep::absent_cotangent(std::size_t i, std::size_t outputs, const Node& output) {
  absent_cotangents_.resize(outputs);
  if (!absent_cotangents_[i].defined())
    absent_cotangents_[i] = zeros(repeated<Shape>(output.shape.rank(), 1), output.dtype);
  return absent_cotangents_[i];
}

/// The leaves' gradients, and those asked for, each with a buffer of its own.
[[gnu::always_inline]] inline Gradients Sweep::collect() {
  Gradients gradients;
  gradients.entries_.reserve(recorder_.leaves().size());
  for (const std::uint32_t number : recorder_.leaves()) {
    if (const Gradients::Entry* const known = final_ ? final_->passed.entry(node(number).leaf) : nullptr)
      gradients.append(Gradients::Entry(*known));
    else
      take(number, gradients);
  }
  for (auto& [x, gradient] : intermediate_)
    gradients.append({x, own_gradient(x, std::move(gradient), options_.differentiable)});
  return gradients;
}

[[gnu::always_inline]] inline bool Sweep::take(std::uint32_t number, Gradients& into) {
  Node& entry = node(number);
  if (!wanted_.contains(number)) return false;
  const bool zero = std::exchange(vanishing(number), false);
  Tensor gradient = std::move(cotangent(number));
  const auto rows = rows_.empty() ? RowContributions::Terms() : rows_.of(number);
  if (!gradient.defined() && !rows.empty())
    return into.append({entry.leaf, kernels::sum_rows(rows, entry.shape)}), true;
  if (!gradient.defined() && !zero) return false;
  if (!gradient.defined()) gradient = zeros(entry.shape, entry.dtype);
  const bool told = final_ && final_->is_told(number, gradient);  // then those who have heard hold it, too
  if (options_.differentiable || (!told && !gradient.unique()) || gradient.shape() != entry.shape)
    gradient = own_gradient(entry.leaf, std::move(gradient), options_.differentiable);
  if (!rows.empty()) kernels::add_rows(gradient, rows);
  return into.append({Tensor::from_body(entry.leaf.body_or_null()), std::move(gradient)}), true;
}

}  // namespace xgrad
