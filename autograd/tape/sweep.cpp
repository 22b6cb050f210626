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
      own_(slots == Slots::own ? recorder.size() : 0) {}

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
  while (number > lowest_) pass(--number);
  while (!keep_ && number > 0) recorder_.release_saved(node(--number));  // what nobody wanted
  Gradients gradients = collect();
  complete_ = true;
  return gradients;
}

/// Gives the outputs their cotangents; the number of the last operation that takes part.
[[gnu::always_inline]] inline std::uint32_t Sweep::begin(std::span<const Tensor> outputs,
                                                         std::span<const Tensor> cotangents) {
  check_outputs(recorder_, outputs, cotangents);
  if (keeps_intermediates_) check_asked_for(recorder_, options_);
  choose();
  std::uint32_t last = 0;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const std::uint32_t number = recorder_.number_of(outputs[k]);
    if (!wants(number)) continue;
    last = std::max(last, number);
    Tensor given = cotangents[k].defined() ? cotangents[k] : ones(outputs[k].shape(), outputs[k].dtype());
    Tensor& slot = cotangent(number);
    slot = slot.defined() ? accumulate(slot, given) : std::move(given);
  }
  while (node(last).operation == nullptr && !node(last).leaf.defined()) ++last;  // to the operation of several outputs
  return last;
}

/// With `only`: marks its tensors, and in the order of recording all that is made from them.
void Sweep::choose() {
  if (options_.only.empty()) return;
  wanted_.assign(recorder_.size(), 0);
  lowest_ = recorder_.size();
  for (const auto* list : {&options_.also, &options_.only})
    for (const Tensor& x : *list) {
      const std::uint32_t number = recorder_.number_of(x);
      wanted_[number] = 1;
      lowest_ = std::min(lowest_, number);
    }
  for (std::uint32_t number = lowest_; number < recorder_.size(); ++number) {
    const Node& entry = node(number);
    if (entry.operation == nullptr) continue;
    if (!wants_any_input(entry)) continue;
    for (std::uint32_t output = number + 1 - entry.output_count; output <= number; ++output) wanted_[output] = 1;
  }
}

bool Sweep::wants_any_input(const Node& entry) const {
  return wanted_.empty() || std::any_of(entry.inputs, entry.inputs + entry.input_count,
                                        [this](std::uint32_t input) { return wants(input); });
}

/// Passes the cotangents of an operation's outputs on to its inputs, and lets go of what it saved.
[[gnu::always_inline]] inline void Sweep::pass(std::uint32_t number) {
  Node& entry = node(number);
  if (entry.operation == nullptr) {
    if (options_.on_final && entry.leaf.defined()) finish(number);
    return;
  }
  const std::uint32_t first = number + 1 - entry.output_count;
  bool reached = cotangent(number).defined();
  bool has_zeros = vanishing(number);
  for (std::uint32_t output = first; output < number; ++output) {
    reached |= cotangent(output).defined();
    has_zeros |= vanishing(output);
  }
  if (has_zeros) [[unlikely]]
    pass_zeros(entry, first, number, !reached);
  if (reached) {
    if (wants_any_input(entry)) run_vjp(entry, number);
    for (std::uint32_t output = first; output <= number; ++output) {
      Tensor passed_on = std::move(cotangent(output));
      if (keeps_intermediates_ && passed_on.defined()) keep_intermediate(output, std::move(passed_on));
    }
  }
  if (!keep_) recorder_.release_saved(entry);
}

void Sweep::pass_zeros(const Node& entry, std::uint32_t first, std::uint32_t last, bool nothing_else) {
  for (std::uint32_t output = first; output <= last; ++output) {
    vanishing(output) = false;
    if (nothing_else && keeps_intermediates_) keep_intermediate(output, zeros(node(output).shape, node(output).dtype));
  }
  for (std::size_t i = 0; nothing_else && i < entry.input_count; ++i)
    if (wants(entry.inputs[i])) vanishing(entry.inputs[i]) = true;
}

[[gnu::always_inline]] inline void Sweep::run_vjp(Node& entry, std::uint32_t number) {
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
  Tensors gradients = operation.vjp(Call(*this, entry, number, cotangent(number), options_.differentiable,
                                         wanted_.empty() ? nullptr : wanted_.data()));
  if (!tape_is_alive(recorder_.id()))
    throw_as<TapeError>("backward: the vjp of {} ended the tape that calls it", operation.name());
  if (gradients.size() != entry.input_count)
    throw_as<TapeError>("backward: the vjp of {} gives {} gradients for {} inputs; need one for each", operation.name(),
                        gradients.size(), entry.input_count);
  for (std::size_t i = 0; i < entry.input_count; ++i) {
    if (!wants(entry.inputs[i])) continue;
    if (!gradients[i].defined()) {
      vanishing(entry.inputs[i]) = true;
      continue;
    }
    if (tracing()) recorder_.trace(number, gradients[i], true, "");
    contribute(entry, i, std::move(gradients[i]));
  }
}

[[gnu::always_inline]] inline void Sweep::contribute(const Node& from, std::size_t input, Tensor&& gradient) {
  const Node& to = node(from.inputs[input]);
  const bool broadcast = from.contribution == Contribution::broadcast;
  if (gradient.dtype() != to.dtype || !(gradient.shape() == (broadcast ? from.shape : to.shape)))
    check_contribution(from, input, to, gradient);
  if (broadcast && !(from.shape == to.shape)) gradient = sum_back(gradient, from.shape, to.shape);
  add(from.inputs[input], std::move(gradient));
}

[[gnu::always_inline]] inline void Sweep::add(std::uint32_t number, Tensor&& gradient) {
  Tensor& sum = cotangent(number);
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
  if (tracing()) recorder_.trace(from_number, values, true, "");
  if (to.leaf.defined() && !options_.differentiable)
    rows_.add(number, {rows, values});
  else
    add(number, scatter_rows(values, rows, to.shape));
}

bool Sweep::tells_rows(const Node& from, std::uint32_t from_number, std::size_t input) {
  if (!options_.on_final_rows || options_.differentiable || tracing()) return false;
  const std::uint32_t leaf = from.inputs[input], first_output = from_number + 1 - from.output_count;
  const Node& to = node(leaf);
  if (!to.leaf.defined() || from.contribution != Contribution::exact) return false;
  if (std::count(from.inputs, from.inputs + from.input_count, leaf) > 1) return false;
  for (std::uint32_t number = leaf + 1; number < first_output; ++number)  // no operation has used it before
    if (!node(number).leaf.defined()) return false;
  const bool used_later = cotangent(leaf).defined() || (!rows_.empty() && !rows_.of(leaf).empty());
  return !used_later;
}

void Sweep::tell_rows(const Node& from, std::size_t input, const Tensor& gradient, std::size_t rows) {
  const std::uint32_t leaf = from.inputs[input];
  const Node& to = node(leaf);
  if (gradient.dtype() != to.dtype || gradient.shape() != to.shape) check_contribution(from, input, to, gradient);
  if (to.shape.rank() == 0 || rows > to.shape.extent(0))
    throw_as<ValueError>("backward: the vjp of {} tells of {} rows of the gradient of input {}, whose shape is {}",
                         from.operation->name(), rows, input, to.shape);
  if (told_.empty() || told_.back().first != leaf) told_.emplace_back(leaf, gradient);
  if (rows > 0) options_.on_final_rows(to.leaf, gradient, static_cast<std::int64_t>(rows));
}

bool Sweep::is_told(std::uint32_t leaf, const Tensor& gradient) const {
  const auto told = std::find_if(told_.begin(), told_.end(), [leaf](const auto& known) { return known.first == leaf; });
  if (told == told_.end()) return false;
  if (!told->second.is(gradient))
    throw_as<TapeError>("backward: a vjp told of rows of another gradient of a leaf of shape {} than it gave",
                        gradient.shape());
  return true;
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
    if (const Gradients::Entry* const known = final_ ? final_->entry(node(number).leaf) : nullptr)
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
  if (!wants(number)) return false;
  const bool zero = std::exchange(vanishing(number), false);
  Tensor gradient = std::move(cotangent(number));
  const auto rows = rows_.empty() ? RowContributions::Terms() : rows_.of(number);
  if (!gradient.defined() && !rows.empty())
    return into.append({entry.leaf, kernels::sum_rows(rows, entry.shape)}), true;
  if (!gradient.defined() && !zero) return false;
  if (!gradient.defined()) gradient = zeros(entry.shape, entry.dtype);
  const bool told = !told_.empty() && is_told(number, gradient);  // then those who have heard hold it, too
  if (options_.differentiable || (!told && !gradient.unique()) || gradient.shape() != entry.shape)
    gradient = own_gradient(entry.leaf, std::move(gradient), options_.differentiable);
  if (!rows.empty()) kernels::add_rows(gradient, rows);
  return into.append({entry.leaf, std::move(gradient)}), true;
}

void Sweep::finish(std::uint32_t number) {
  if (!final_) final_.emplace();
  if (take(number, *final_)) options_.on_final(*(final_->end() - 1));
}

}  // namespace xgrad
