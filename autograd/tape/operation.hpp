#pragma once

#include <autograd/tensor/scopes.hpp>
#include <autograd/tensor/tensor.hpp>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace xgrad {

/// A few tensors by value, three of them in place.
class Tensors {
 public:
  Tensors() = default;
  Tensors(Tensor only) : size_(1) { few_[0] = std::move(only); }
  Tensors(std::initializer_list<Tensor> list);
  /// Empty handles, to be assigned.
  explicit Tensors(std::size_t count) : many_(count > in_place ? new Tensor[count] : nullptr), size_(count) {}
  Tensors(Tensors&& other) noexcept;
  Tensors& operator=(Tensors&& other) noexcept;
  Tensors(const Tensors& other);
  Tensors& operator=(const Tensors& other) { return *this = Tensors(other); }
  ~Tensors() {
    if (many_ != nullptr) [[unlikely]]
      delete[] many_;
  }

  std::size_t size() const { return size_; }
  const Tensor& operator[](std::size_t i) const { return begin()[i]; }
  Tensor& operator[](std::size_t i) { return begin()[i]; }
  const Tensor* begin() const { return many_ != nullptr ? many_ : few_.data(); }
  const Tensor* end() const { return begin() + size_; }
  Tensor* begin() { return many_ != nullptr ? many_ : few_.data(); }
  Tensor* end() { return begin() + size_; }

 private:
  static constexpr std::size_t in_place = 3;
  std::array<Tensor, in_place> few_;
  Tensor* many_ = nullptr;
  std::size_t size_ = 0;
};

/// The inputs of a call, by reference.
class Inputs {
 public:
  Inputs(const Tensor* const* tensors, std::size_t count) : tensors_(tensors), size_(count) {}
  std::size_t size() const { return size_; }
  const Tensor& operator[](std::size_t i) const { return *tensors_[i]; }
  Inputs first(std::size_t count) const { return {tensors_, count}; }

 private:
  const Tensor* const* tensors_;
  std::size_t size_;
};

/// Which shape a vjp's results have.
enum class Contribution : std::uint8_t {
  exact,        ///< the input's own (what a user's operation gives)
  unbroadcast,  ///< one of its rank that broadcasts to the input's; extents of 1 may stand for equal values
  broadcast,    ///< the result's, or one that broadcasts to it; the engine sums it back to the input's
};

/// A set of input or output numbers.
struct Which {
  std::uint64_t bits = 0;
  static constexpr Which none() { return {0}; }
  static constexpr Which all() { return {~std::uint64_t{0}}; }
  static constexpr Which only(std::size_t i) { return {std::uint64_t{1} << i}; }
  constexpr bool contains_first(std::size_t count) const { return ~bits << (64 - count) == 0; }  ///< 1 to 64 of them
  constexpr bool contains(std::size_t i) const { return i < 64 ? ((bits >> i) & 1) != 0 : bits == ~std::uint64_t{0}; }
};

struct OperationTraits {
  Which saved_inputs = Which::all();  ///< what the vjp reads; kept alive, and checked for changes, until the sweep
  Which saved_outputs = Which::all();
  Contribution contribution = Contribution::exact;
  bool recorded_vjp = false;  ///< the vjp is built from recorded operations: its gradients can be differentiated again
};

class Operation;
class Recorder;

/// A value kept for a vjp, with its version at that time. Values of leaves are kept alive by the leaf's node.
struct Saved {
  Tensor tensor;  // counted if owned; the tape's memory destroys nothing
  std::uint32_t version = 0;
  bool owned = false;
};

/// One entry of a tape.
struct Node {
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  Operation* operation = nullptr;   // none for a leaf, and for all but the last output of an operation
  std::uint32_t* inputs = nullptr;  // node numbers, none for constants
  Saved* saved = nullptr;           // inputs, then outputs if the vjp reads any
  const char* path = "";
  Tensor leaf;
  Tensor cotangent;
  std::uint32_t input_count = 0;
  std::uint32_t saved_count = 0;
  std::uint16_t output_count = 1;  // the operation's results are this node and the output_count - 1 before it
  DType dtype = DType::float32;
  Contribution contribution = Contribution::exact;
  bool recorded_vjp = false;
  Shape shape;

  std::size_t saved_bytes() const;
};

/// What a vjp sees of the call that it reverses.
class Call {
 public:
  // References are good while the vjp runs.

  /// A saved input or output. TapeError if the traits do not save it.
  const Tensor& input(std::size_t i) const { return saved(i, i < input_count(), "input", i); }
  const Tensor& output(std::size_t i = 0) const { return saved(input_count() + i, true, "output", i); }
  /// ∂loss/∂output, with the output's shape; zeros for an output that the loss does not depend on.
  const Tensor& cotangent(std::size_t i = 0) const;
  /// The same while extents of 1 stand for equal values: a shape of the output's rank that broadcasts to it.
  const Tensor& unbroadcast_cotangent(std::size_t i = 0) const { return cotangent_slot(i); }
  /// Whether the gradient of input i is wanted; if not, leave that result empty.
  bool needs(std::size_t i) const { return node_.inputs[i] != Node::none; }
  std::size_t input_count() const { return node_.input_count; }
  const Shape& output_shape(std::size_t i = 0) const { return output_node(i).shape; }
  /// Whether the sweep itself is being recorded, so that only recorded operations may be used.
  bool recording() const { return recording_; }
  bool tracing() const;
  /// For tracing: tells that `count` non-finite slopes met zero cotangents and were masked.
  void report_masked(std::size_t count) const;

 private:
  friend class Recorder;
  Call(Recorder& recorder, Node& node, std::uint32_t number, bool recording)
      : recorder_(recorder), node_(node), number_(number), recording_(recording) {}
  const Tensor& saved(std::size_t place, bool exists, const char* kind, std::size_t i) const {
    if (!exists || place >= node_.saved_count || !node_.saved[place].tensor.defined()) [[unlikely]]
      throw_not_saved(kind, i);
    return node_.saved[place].tensor;
  }
  Node& output_node(std::size_t i) const { return node_.output_count == 1 ? node_ : earlier_output_node(i); }
  Tensor& cotangent_slot(std::size_t i) const {
    Tensor& cotangent = output_node(i).cotangent;
    return cotangent.defined() ? cotangent : absent_cotangent(i);
  }
  Node& earlier_output_node(std::size_t i) const;
  Tensor& absent_cotangent(std::size_t i) const;
  [[noreturn]] void throw_not_saved(const char* kind, std::size_t i) const;
  Recorder& recorder_;
  Node& node_;
  std::uint32_t number_;
  bool recording_;
};

/// A differentiable operation: the one mechanism for built-in and user operations. Derive, write `name`, `forward` and
/// `vjp`, and call `apply_operation(YourOperation{...}, inputs...)`. Members are the call's parameters and whatever
/// forward leaves for vjp. The engine pauses recording around forward, keeps the saved values, skips what needs no
/// gradient, checks the number, shapes and dtypes of what vjp returns, and adds the contributions up.
class Operation {
 public:
  virtual ~Operation() = default;
  /// As it appears in messages and listings; must outlive the tape (a literal).
  virtual std::string_view name() const = 0;
  /// The outputs. Throws an xgrad::Error for inputs that do not fit; then nothing is recorded.
  virtual Tensors forward(const Inputs& inputs) = 0;
  /// vector-Jacobian product: one gradient per input, empty where `!call.needs(i)` or where it is zero everywhere.
  virtual Tensors vjp(const Call& call) const = 0;
  virtual OperationTraits traits() const { return {}; }

 protected:
  Operation() = default;
  Operation(const Operation&) = default;
  Operation(Operation&&) = default;
  Operation& operator=(const Operation&) = default;
  Operation& operator=(Operation&&) = default;
};

/// The recorder of this call's tape, nullptr if no input needs a gradient. TapeError for a tensor of another living
/// tape.
Recorder* recorder_for(const Operation& operation, const Inputs& inputs);
/// Runs forward, paused.
Tensors run_forward(Operation& operation, const Inputs& inputs);
/// Memory on the tape for an operation, and its entry once it stands there.
void* place_operation(Recorder& recorder, std::size_t bytes);
void record(Recorder& recorder, Operation* operation, const Inputs& inputs, std::span<Tensor> outputs);

template <class Op>
requires std::is_base_of_v<Operation, Op> Tensors apply_all(Op operation, const Inputs& inputs) {
  static_assert(alignof(Op) <= 16, "an Operation on the tape is aligned to 16 bytes");
  Recorder* const recorder = recorder_for(operation, inputs);
  Tensors outputs = run_forward(operation, inputs);
  if (recorder != nullptr)
    record(*recorder, new (place_operation(*recorder, sizeof(Op))) Op(std::move(operation)), inputs,
           {outputs.begin(), outputs.size()});
  return outputs;
}

/// Calls the operation and records it if any input needs a gradient. For operations of one output.
template <class Op, class... In>
requires(std::is_base_of_v<Operation, Op> && (std::is_convertible_v<const In&, const Tensor&> && ...)) Tensor
    apply_operation(Op operation, const In&... inputs) {
  const Tensor* const list[] = {&inputs...};
  return std::move(apply_all(std::move(operation), Inputs(list, sizeof...(In)))[0]);
}

/// float32 or float64 if all inputs agree on it; TypeError that names the operation and both dtypes otherwise.
DType common_floating_dtype(std::string_view operation, const Inputs& inputs);
template <class... In>
requires(sizeof...(In) >= 1 && (std::is_convertible_v<const In&, const Tensor&> && ...)) DType
    common_floating_dtype(std::string_view operation, const In&... inputs) {
  const Tensor* const list[] = {&inputs...};
  return common_floating_dtype(operation, Inputs(list, sizeof...(In)));
}

}  // namespace xgrad
