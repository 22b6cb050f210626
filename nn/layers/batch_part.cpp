#include <autograd/tape/replay.hpp>
#include <nn/layers/batch_part.hpp>

#include <algorithm>

namespace xgrad::nn {

namespace {

constinit thread_local BatchPart* part_of_thread = nullptr;

}  // namespace

BatchPart::BatchPart(std::uint64_t index, const BatchPart* outer)
    : index_(index), outer_(outer), previous_(std::exchange(part_of_thread, this)) {}
BatchPart::~BatchPart() { part_of_thread = previous_; }
BatchPart* BatchPart::current() noexcept { return part_of_thread; }

std::size_t BatchPart::calls_of(const LayerMemory& memory) const {
  for (const auto& [known, calls] : notes_)
    if (known.get() == &memory) return calls.size();
  return 0;
}

LayerNotes& BatchPart::notes_of(const std::shared_ptr<LayerMemory>& memory) {
  for (auto& [known, calls] : notes_)
    if (known == memory) return calls;
  return notes_.emplace_back(memory, LayerNotes()).second;
}

void BatchPart::note(const std::shared_ptr<LayerMemory>& memory, LayerNote call) {
  if (Replay::again()) return;
  if (BatchPart* const part = current())
    part->notes_of(memory).push_back(std::move(call));
  else
    memory->remember(call);
}

void BatchPart::merge(const std::vector<Notes>& parts) {
  std::vector<std::shared_ptr<LayerMemory>> memories;
  for (const Notes& part : parts)
    for (const auto& [memory, calls] : part)
      if (std::find(memories.begin(), memories.end(), memory) == memories.end()) memories.push_back(memory);
  for (const auto& memory : memories) {
    std::vector<LayerNotes> calls_in_parts(parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i)
      for (const auto& [known, calls] : parts[i])
        if (known == memory) calls_in_parts[i] = calls;
    for (LayerNote& call : memory->merge(calls_in_parts)) note(memory, std::move(call));
  }
}

}  // namespace xgrad::nn
