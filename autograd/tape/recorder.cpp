#include <autograd/tape/listing.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <cstring>

namespace xgrad {

namespace {

[[noreturn, gnu::noinline]] void refuse_empty(const Operation& operation, const Inputs& inputs) {
  for (std::size_t i = 0;; ++i)
    if (!inputs[i].defined()) throw_undefined(operation.name(), fmt::format("input {}", i));
}

[[gnu::noinline]] void refuse_foreign(const Operation& operation, const Inputs& inputs, std::uint64_t id) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    if (x.body().tape != id && tape_is_alive(x.body().tape))
      throw_as<TapeError>(
          "{}: an input of shape {} was recorded by another tape that is still open; pass detach(x), or open a Pause",
          operation.name(), x.shape());
  }
}

[[noreturn, gnu::noinline]] void refuse_written(const Operation& operation, const Inputs& inputs, const Recorder& by) {
  for (std::size_t i = 0;; ++i)
    if (inputs[i].body().tape == by.id() && inputs[i].version() != inputs[i].body().recorded)
      throw_as<TapeError>("{}: input {}, {}", operation.name(), i, written_since(by, inputs[i]));
}

}  // namespace

bool records_everything() noexcept {
  const Recorder* const recorder = Recorder::current();
  return recorder != nullptr && recorder->records_everything();
}

Recorder* Recorder::of_call(const Operation& operation, const Inputs& inputs) {
  Recorder* const recorder = current();
  if (recorder == nullptr && this_thread.innermost != nullptr) {  // paused
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (!inputs[i].defined()) [[unlikely]]
        refuse_empty(operation, inputs);
    return nullptr;
  }
  const std::uint64_t id = recorder == nullptr ? 0 : recorder->id();
  bool needed = false, others = false, written = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorBody* const body = inputs[i].body_or_null();
    if (body == nullptr) [[unlikely]]
      refuse_empty(operation, inputs);
    const bool made_here = body->tape == id;
    needed |= made_here | body->requires_gradient;
    others |= !made_here & (body->tape != 0);
    written |= made_here && body->storage->version.load(std::memory_order_relaxed) != body->recorded;
  }
  if (others) [[unlikely]]
    refuse_foreign(operation, inputs, id);
  if (written && recorder != nullptr) [[unlikely]]
    refuse_written(operation, inputs, *recorder);
  return needed || (recorder != nullptr && recorder->options_.everything) ? recorder : nullptr;
}

void Recorder::record(Operation* operation, const Inputs& inputs, std::span<Tensor> outputs) {
  const OperationTraits traits = operation->traits();
  const std::size_t in = inputs.size();
  const std::size_t saved_count = in + (traits.saved_outputs.bits != 0 ? outputs.size() : 0);
  auto* const saved = arena_.take_array<Saved>(saved_count);
  auto* const numbers = static_cast<std::uint32_t*>(arena_.take(in * sizeof(std::uint32_t)));
  for (std::size_t i = 0; i < in; ++i) {
    TensorBody* const body = inputs[i].body_or_null();
    const bool made_here = body->tape == id_;
    numbers[i] = made_here ? body->node : number_of_leaf(inputs[i]);
    if (!traits.saved_inputs.contains(i)) continue;
    saved[i].owned = made_here || numbers[i] == Node::none;
    saved[i].tensor = saved[i].owned ? Tensor::from_body(body) : Tensor::from_reference(body);
    saved[i].version = body->storage->version.load(std::memory_order_relaxed);
  }
  Node* last = nullptr;
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    TensorBody* const body = outputs[o].body_or_null();
    last = &append(body->dtype, body->shape);
    if (is_floating(body->dtype)) {
      body->tape = id_;
      body->node = size_ - 1;
      body->recorded = body->storage->version.load(std::memory_order_relaxed);
    }
    if (!traits.saved_outputs.contains(o)) continue;
    saved[in + o].tensor = Tensor::from_body(body);
    saved[in + o].version = body->storage->version.load(std::memory_order_relaxed);
    saved[in + o].owned = true;
  }
  last->operation = operation;
  last->inputs = numbers;
  last->saved = saved;
  if (!PathScope::current().empty()) last->path = keep_path(PathScope::current());
  last->input_count = static_cast<std::uint32_t>(in);
  last->saved_count = static_cast<std::uint32_t>(saved_count);
  last->output_count = static_cast<std::uint32_t>(outputs.size());
  last->contribution = traits.contribution;
  last->recorded_vjp = traits.recorded_vjp;
  if (tracing()) nonfinite.look_at(*this, size_ - 1, inputs, outputs);
  if (options_.observer != nullptr) {
    const Pause pause;
    options_.observer->recorded({size_ - 1, operation->name(), last->path, inputs, outputs, traits, *operation});
  }
}

std::uint32_t Recorder::number_of_leaf(const Tensor& x) {
  const TensorBody& body = x.body();
  if (!body.requires_gradient) return Node::none;
  std::uint32_t number = leaf_index_.find(&body);
  if (number == Node::none) {
    if (leaves_.empty()) leaves_.reserve(16);
    number = size_;
    append(body.dtype, body.shape).leaf = Tensor::from_body(x.body_or_null());
    leaf_index_.insert(&body, number);
    leaves_.push_back(number);
  }
  return number;
}

std::uint32_t Recorder::number_of(const Tensor& x) const {
  const TensorBody& body = x.body();
  return body.tape == id_ ? body.node : leaf_index_.find(&body);
}

const char* Recorder::keep_path(std::string_view path) {
  if (path != last_path_) {
    char* const copy = static_cast<char*>(arena_.take(path.size() + 1));
    std::memcpy(copy, path.data(), path.size());
    copy[path.size()] = '\0';
    last_path_ = std::string_view(copy, path.size());
  }
  return last_path_.data();
}

void Recorder::grow() {
  if (size_ >= Node::none - chunk_nodes) throw TapeError("tape: more than 4 billion entries");
  chunks_.reserve(std::max(chunks_.size() + 1, std::min(chunks_.capacity() * 2, chunks_.size() * 2)));
  chunks_.push_back(static_cast<Node*>(allocate(chunk_bytes)));
}

void Recorder::release_saved(Node& entry) noexcept {
  if (entry.saved == nullptr) return;
  for (std::size_t i = 0; i < entry.saved_count; ++i) {
    Saved& saved = entry.saved[i];
    if (saved.owned)
      saved.tensor = Tensor();
    else
      saved.tensor.release_reference();
  }
  entry.saved = nullptr;
}

Recorder::Recorder(const TapeOptions& options)
    : thread(&this_thread),
      options_(options),
      chunks_(1, reinterpret_cast<Node*>(this + 1)),
      id_(new_tape_id()),
      arena_(reinterpret_cast<char*>(this + 1) + chunk_bytes, arena_bytes) {
  scope.recorder = this;
  scope.destroy = [](RecordingScope& of) noexcept {
    of.recorder->ended_ = true;
    if (!of.recorder->sweeping) of.recorder->destroy();
  };
}

void Recorder::end_sweep() noexcept {
  sweeping = false;
  if (ended_) destroy();
}

void Recorder::destroy() noexcept {
  this->~Recorder();
  deallocate(this, sizeof(Recorder) + bytes_behind);
}

Recorder* Recorder::make(const TapeOptions& options) {
  void* const memory = allocate(sizeof(Recorder) + bytes_behind);
  try {
    return new (memory) Recorder(options);
  } catch (...) {  // too many tapes
    deallocate(memory, sizeof(Recorder) + bytes_behind);
    throw;
  }
}

Recorder::~Recorder() {
  close();
  for (std::uint32_t i = 0; i < size_; ++i) {
    Node& entry = node(i);
    release_saved(entry);
    if (entry.operation != nullptr) entry.operation->~Operation();
    entry.~Node();
  }
  for (std::size_t k = 1; k < chunks_.size(); ++k) deallocate(chunks_[k], chunk_bytes);
}

}  // namespace xgrad
