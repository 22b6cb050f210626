#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

// A call of a layer is const and safe from several threads. What it changes all the same (the counter of a random
// stream, running statistics) is a LayerMemory, which the layer's copies share. A call in a part of a batch does not
// touch it: it leaves a note with the part. When all parts are done, the thread that began the batch merges their notes
// in part order and hands the result to the memory, so that it does not depend on which thread ran which part, and
// nothing changes when a part throws.

/// What a call leaves: that it happened and, for running statistics, what it saw.
struct LayerNote {
  std::int64_t rows = 0;
  Tensor mean = {};      ///< of the rows
  Tensor variance = {};  ///< Σ (x - mean)² / rows
};
using LayerNotes = std::vector<LayerNote>;

class LayerMemory {
 public:
  virtual ~LayerMemory() = default;
  /// Takes in a call. Safe from several threads.
  virtual void remember(const LayerNote& call) = 0;
  /// The calls as which a batch counts, from those in each part, in part order.
  virtual LayerNotes merge(const std::vector<LayerNotes>& parts) const = 0;

 protected:
  LayerMemory() = default;
  LayerMemory(const LayerMemory&) = default;
  LayerMemory& operator=(const LayerMemory&) = default;
};

/// A memory with its path from a module: `encoder.dropout.stream`.
struct NamedMemory {
  std::string path;
  std::shared_ptr<LayerMemory> memory;
};

/// While one lives, this thread runs part `index` of a batch, and calls of layers leave their notes here.
/// batch_gradients opens them. One whose notes nobody takes leaves layers as they were: so a gradient check sees the
/// same function at each call.
class BatchPart {
 public:
  /// outer: the part in which the batch itself was begun, if any.
  BatchPart(std::uint64_t index, const BatchPart* outer);
  ~BatchPart();
  BatchPart(const BatchPart&) = delete;
  BatchPart& operator=(const BatchPart&) = delete;
  /// Of this thread, nullptr outside of any.
  static BatchPart* current() noexcept;

  std::uint64_t index() const { return index_; }
  const BatchPart* outer() const { return outer_; }
  /// How many calls left notes for this memory.
  std::size_t calls_of(const LayerMemory& memory) const;

  /// A call of a layer: noted in this thread's part, remembered at once outside of any. Nothing while `recompute` calls
  /// a layer again.
  static void note(const std::shared_ptr<LayerMemory>& memory, LayerNote call);
  using Notes = std::vector<std::pair<std::shared_ptr<LayerMemory>, LayerNotes>>;
  Notes take_notes() { return std::exchange(notes_, {}); }
  /// Merges what the parts of a batch noted, in their order; called by the thread that began it, when all are done.
  static void merge(const std::vector<Notes>& parts);

 private:
  LayerNotes& notes_of(const std::shared_ptr<LayerMemory>& memory);

  std::uint64_t index_;
  const BatchPart* outer_;
  BatchPart* previous_;
  Notes notes_;
};

}  // namespace xgrad::nn
