#pragma once

#include <autograd/tape/arena.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/tape_id.hpp>

#include <atomic>
#include <span>
#include <string_view>
#include <vector>

namespace xgrad {

static_assert(Node::none == TensorIndex::none, "leaves are numbered by a TensorIndex");

/// The inside of a tape. Nodes stand in the order of recording, in chunks that never move; what belongs to a node
/// (operation, input numbers, saved values) stands in a bump arena. Nothing here follows a pointer from tensor to
/// tensor, so nothing recurses.
class alignas(16) Recorder {
 public:
  /// In memory of allocate(), with bytes_behind more; to be ended by its scope.
  static Recorder* make(const TapeOptions& options);
  ~Recorder();

  /// Of the innermost tape of this thread; nullptr while paused or without a tape.
  static Recorder* current() {
    if (this_thread.innermost == nullptr) return nullptr;
    if (this_thread.innermost->holders.load(std::memory_order_relaxed) < RecordingScope::both) [[unlikely]] {
      drop_ended_scopes();
      return current();
    }
    return this_thread.innermost->recorder;
  }
  /// Whoever is to record this call: nullptr if no input needs a gradient. TapeError for a tensor of another living
  /// tape.
  static Recorder* of_call(const Operation& operation, const Inputs& inputs);

  /// Memory for an operation that record() is called with.
  void* place(std::size_t bytes) { return arena_.take(bytes); }
  /// Appends the call: what its vjp reads, the numbers of its inputs, and a node for each output.
  void record(Operation* operation, const Inputs& inputs, std::span<Tensor> outputs);

  std::uint64_t id() const { return id_; }
  std::uint32_t size() const { return size_; }
  Node& node(std::size_t i) const { return chunks_[i / chunk_nodes][i % chunk_nodes]; }
  /// The numbers of the leaves, in the order in which they were met.
  std::span<const std::uint32_t> leaves() const { return leaves_; }
  /// The number of a leaf or of a result of this tape; none for others.
  std::uint32_t number_of(const Tensor& x) const;
  void release_saved(Node& node) noexcept;

  bool tracing() const { return options_.trace_nonfinite; }
  bool records_everything() const { return options_.everything; }

  /// Ends recording: tensors of this tape are constants from now on. Any thread.
  void close() noexcept { end_tape_id(id_); }

  RecordingScope scope;
  const ThreadScopes* const thread;  // that records
  bool sweeping = false;             // alone: a tape that ends in it is destroyed at its end
  void end_sweep() noexcept;
  NonFiniteTrace nonfinite;

 private:
  static constexpr std::size_t chunk_nodes = 256;
  static constexpr std::size_t chunk_bytes = chunk_nodes * sizeof(Node);
  static constexpr std::size_t arena_bytes = 8 << 10;
  static constexpr std::size_t bytes_behind = chunk_bytes + arena_bytes;  // the first nodes, and the arena's beginning
  explicit Recorder(const TapeOptions& options);
  Node& append(DType dtype, const Shape& shape) {
    if (size_ == chunks_.size() * chunk_nodes) grow();
    Node* const entry = new (&node(size_)) Node;
    entry->dtype = dtype;
    entry->shape = shape;
    ++size_;
    return *entry;
  }
  void grow();
  void destroy() noexcept;
  /// The number of a tensor that no operation of this tape made: none for a constant. A leaf that is met for the first
  /// time gets its node.
  std::uint32_t number_of_leaf(const Tensor& x);
  const char* keep_path(std::string_view path);

  bool ended_ = false;  // its tape, and no scope is left of it
  TapeOptions options_;
  std::vector<Node*, CachedAllocator<Node*>> chunks_;
  std::uint64_t id_;
  std::uint32_t size_ = 0;
  Arena arena_;
  TensorIndex leaf_index_;
  std::vector<std::uint32_t, CachedAllocator<std::uint32_t>> leaves_;
  std::string_view last_path_;
};

}  // namespace xgrad
