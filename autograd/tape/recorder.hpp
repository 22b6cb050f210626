#pragma once

#include <autograd/tape/tape.hpp>
#include <autograd/tensor/tape_id.hpp>

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace xgrad {

// The inside of a tape. Nodes stand in the order of recording, in chunks that never move; what belongs to a node
// (operation, input numbers, saved values) stands in a bump arena. Nothing here follows a pointer from tensor to
// tensor, so nothing recurses.

static_assert(Node::none == TensorIndex::none, "leaves are numbered by a TensorIndex");

/// Memory given out in order and taken back at once.
class Arena {
 public:
  Arena() = default;
  ~Arena() { clear(); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* take(std::size_t bytes) {
    bytes = (bytes + 15) / 16 * 16;
    if (bytes > left_) grow(bytes);
    left_ -= bytes;
    return std::exchange(next_, next_ + bytes);
  }
  /// Elements that nobody destroys.
  template <class T>
  T* take_array(std::size_t count) {
    T* array = static_cast<T*>(take(count * sizeof(T)));
    for (std::size_t i = 0; i < count; ++i) new (array + i) T();
    return array;
  }
  void clear() noexcept;

 private:
  struct Block {
    Block* previous;
    std::size_t bytes;
  };
  void grow(std::size_t bytes);
  char* next_ = nullptr;
  std::size_t left_ = 0;
  Block* last_ = nullptr;
};

class Recorder {
 public:
  explicit Recorder(const TapeOptions& options);
  ~Recorder();
  /// Who records the operations of this thread: the innermost open tape's; nullptr while paused or without a tape.
  static Recorder* current() {
    RecordingScope* const scope = this_thread.innermost;
    if (scope == nullptr || scope->recorder == nullptr) return nullptr;
    return scope->recorder->orphaned.load(std::memory_order_relaxed) ? current_without_orphans() : scope->recorder;
  }
  /// Ends one that stands in memory of allocate().
  static void destroy(Recorder* recorder) noexcept;

  std::uint64_t id() const { return id_; }
  std::uint32_t size() const { return size_; }
  Node& node(std::size_t i) const { return chunks_[i / chunk_nodes][i % chunk_nodes]; }
  Arena& arena() { return arena_; }
  bool tracing() const { return options_.trace_nonfinite; }

  void record(Operation* operation, const Inputs& inputs, std::span<Tensor> outputs, std::string_view path);
  /// An empty cotangent stands for 1, for an output of one element.
  Gradients backward(std::span<const Tensor> outputs, std::span<const Tensor> cotangents,
                     const BackwardOptions& options);
  /// Ends recording: tensors of this tape are constants from now on. Any thread.
  void close() noexcept;
  /// Frees nodes and what they keep.
  void clear() noexcept;

  void print(std::ostream& stream) const;

  RecordingScope scope{this, nullptr};
  const ThreadScopes* thread;         // of the owner
  std::atomic<bool> orphaned{false};  // its Tape ended on another thread; the owner unlinks it

 private:
  friend class Call;
  friend class Tape;
  static Recorder* current_without_orphans();
  static constexpr std::size_t chunk_nodes = 256;

  Node& append(DType dtype, const Shape& shape) {
    if (size_ == chunks_.size() * chunk_nodes) grow();
    Node* const entry = new (&node(size_)) Node;
    entry->dtype = dtype;
    entry->shape = shape;
    ++size_;
    return *entry;
  }
  void grow();
  /// The number of a tensor that no operation of this tape made: none for a constant. A leaf that is met for the first
  /// time gets its node.
  std::uint32_t number_of_leaf(const Tensor& x);
  std::uint32_t output_number(const Tensor& output) const;
  /// Its number, if backward can begin there.
  std::uint32_t check_output(const Tensor& output, const Tensor& cotangent, std::size_t k) const;
  void sweep(std::uint32_t last, const BackwardOptions& options, Gradients& also);
  void run_vjp(Node& entry, std::uint32_t number, bool recording);
  void contribute(const Node& from, std::size_t input, Tensor&& gradient, bool recording);
  void drop_cotangents() noexcept;
  void release_saved(Node& node) noexcept;
  void trace(std::uint32_t index, const Tensor& result, bool in_gradient, const std::string& remark);
  const char* keep_path(std::string_view path);
  std::string shapes_of_inputs(const Node& node) const;

  TapeOptions options_;
  std::uint64_t id_;
  std::vector<Node*, CachedAllocator<Node*>> chunks_;
  std::uint32_t size_ = 0;
  Arena arena_;
  TensorIndex leaf_index_;
  std::vector<std::uint32_t, CachedAllocator<std::uint32_t>> leaves_;
  std::string_view last_path_;
  std::unique_ptr<NonFiniteOrigin> nonfinite_;
  std::size_t masked_slopes_ = 0;
  std::vector<Tensor> absent_cotangents_;  // of the operation whose vjp runs, as it asks for them
};

}  // namespace xgrad
