#include <autograd/kernels/vector.hpp>
#include <autograd/tape/recorder.hpp>
#include <autograd/tensor/error.hpp>

#include <algorithm>
#include <cstring>
#include <string>

namespace xgrad {

void Arena::grow(std::size_t bytes) {
  const std::size_t block_bytes = std::max<std::size_t>(bytes + sizeof(Block), last_ == nullptr ? 8 << 10 : 64 << 10);
  auto* block = new (allocate(block_bytes)) Block{last_, block_bytes};
  last_ = block;
  next_ = reinterpret_cast<char*>(block) + sizeof(Block);
  left_ = block_bytes - sizeof(Block);
}

void Arena::clear() noexcept {
  while (last_ != nullptr) {
    Block* const block = std::exchange(last_, last_->previous);
    deallocate(block, block->bytes);
  }
  next_ = nullptr;
  left_ = 0;
}

Recorder::Recorder(const TapeOptions& options) : thread(&this_thread), options_(options), id_(new_tape_id()) {}

Recorder::~Recorder() {
  close();
  clear();
}

void Recorder::close() noexcept { end_tape_id(id_); }

void Recorder::clear() noexcept {
  for (std::uint32_t i = 0; i < size_; ++i) {
    Node& entry = node(i);
    release_saved(entry);
    if (entry.operation != nullptr) entry.operation->~Operation();
    entry.~Node();
  }
  size_ = 0;
  for (Node* chunk : chunks_) deallocate(chunk, chunk_nodes * sizeof(Node));
  chunks_.clear();
  arena_.clear();
}

void Recorder::grow() {
  if (size_ >= Node::none - chunk_nodes) throw TapeError("tape: more than 4 billion entries");
  chunks_.reserve(std::max(chunks_.size() + 1, std::min(chunks_.capacity() * 2, chunks_.size() * 2)));
  chunks_.push_back(static_cast<Node*>(allocate(chunk_nodes * sizeof(Node))));
}

std::uint32_t Recorder::number_of_leaf(const Tensor& x) {
  const TensorBody& body = x.body();
  if (!body.requires_gradient) return Node::none;
  std::uint32_t number = leaf_index_.find(&body);
  if (number == Node::none) {
    if (leaves_.empty()) leaves_.reserve(16);
    number = size_;
    append(body.dtype, body.shape).leaf = x;
    leaf_index_.insert(&body, number);
    leaves_.push_back(number);
  }
  return number;
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

void Recorder::record(Operation* operation, const Inputs& inputs, std::span<Tensor> outputs, std::string_view path) {
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
    }
    if (!traits.saved_outputs.contains(o)) continue;
    saved[in + o].tensor = Tensor::from_body(body);
    saved[in + o].version = body->storage->version.load(std::memory_order_relaxed);
    saved[in + o].owned = true;
  }
  last->operation = operation;
  last->inputs = numbers;
  last->saved = saved;
  if (!path.empty()) last->path = keep_path(path);
  last->input_count = static_cast<std::uint32_t>(in);
  last->saved_count = static_cast<std::uint32_t>(saved_count);
  last->output_count = static_cast<std::uint16_t>(outputs.size());
  last->contribution = traits.contribution;
  last->recorded_vjp = traits.recorded_vjp;
  if (tracing() && nonfinite_ == nullptr)
    for (const Tensor& output : outputs) {
      std::string remark;
      for (std::size_t i = 0; i < in; ++i)
        if (kernels::count_nonfinite(inputs[i]) > 0)
          remark += " (input " + std::to_string(i) + " was not finite already)";
      trace(size_ - 1, output, false, remark);
    }
  if (options_.observer != nullptr) {
    const Pause pause;
    options_.observer->recorded({size_ - 1, operation->name(), last->path, inputs, outputs});
  }
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

void Recorder::trace(std::uint32_t index, const Tensor& result, bool in_gradient, const std::string& remark) {
  if (nonfinite_ != nullptr || !is_floating(result.dtype()) || kernels::count_nonfinite(result) == 0) return;
  const Node& entry = node(index);
  nonfinite_ = std::make_unique<NonFiniteOrigin>(NonFiniteOrigin{
      index, std::string(entry.operation->name()), entry.path, in_gradient, shapes_of_inputs(entry) + remark});
}

std::string Recorder::shapes_of_inputs(const Node& entry) const {
  std::string text;
  for (std::size_t i = 0; i < entry.input_count; ++i) {
    if (i > 0) text += ", ";
    if (entry.inputs[i] != Node::none)
      text += to_string(node(entry.inputs[i]).shape);
    else if (entry.saved != nullptr && entry.saved[i].tensor.defined())
      text += to_string(entry.saved[i].tensor.shape());
    else
      text += "constant";
  }
  return text;
}

std::size_t Node::saved_bytes() const {
  std::size_t bytes = 0;
  for (std::size_t k = 0; saved != nullptr && k < saved_count; ++k)
    if (saved[k].owned) bytes += saved[k].tensor.bytes();
  return bytes;
}

}  // namespace xgrad
