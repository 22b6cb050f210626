#pragma once

#include <autograd/tape/traits.hpp>
#include <autograd/tensor/tensors.hpp>

#include <cstddef>
#include <cstdint>

namespace xgrad {

class Operation;
class Sweep;

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
  std::uint32_t output_count = 1;  // the operation's results are this node and the output_count - 1 before it
  DType dtype = DType::float32;
  Contribution contribution = Contribution::exact;
  bool recorded_vjp = false;
  bool vanishing = false;  // in a sweep: depended on, with a gradient that is zero everywhere and takes no tensor
  Shape shape;

  std::size_t saved_bytes() const;
};

/// What a vjp sees of the call that it reverses. References are good while the vjp runs; ValueError for an input or
/// output that there is not.
class Call {
 public:
  /// A saved input or output. TapeError if the traits do not save it.
  const Tensor& input(std::size_t i) const { return saved(i, i < input_count(), "input", i); }
  const Tensor& output(std::size_t i = 0) const {
    return saved(input_count() + i, i < node_.output_count, "output", i);
  }
  /// ∂loss/∂output, with the output's shape; zeros for an output that the loss does not depend on.
  const Tensor& cotangent(std::size_t i = 0) const;
  /// The same while extents of 1 stand for equal values: a shape of the output's rank that broadcasts to it.
  const Tensor& unbroadcast_cotangent(std::size_t i = 0) const { return cotangent_slot(i); }
  /// Whether the gradient of input i is wanted; if not, leave that result empty.
  bool needs(std::size_t i) const {
    if (i >= input_count()) [[unlikely]]
      throw_missing("input", i, input_count());
    return node_.inputs[i] != Node::none && (wanted_ == nullptr || wanted_[node_.inputs[i]] != 0);
  }
  /// For a gradient of input i that is zero but for some rows (entries of axis 0), as a lookup's is, in place of result
  /// i: adds values (rows..., ...) to the rows of these numbers, int64 of any shape and order. The engine keeps it as
  /// rows as long as nobody needs it dense. ShapeError, TypeError and ValueError for what does not fit the input.
  void add_rows(std::size_t i, const Tensor& rows, const Tensor& values) const;
  /// Whether somebody hears of input i's gradient while the vjp computes it: it is a leaf's, nothing else adds to it,
  /// and BackwardOptions::on_final_rows asks.
  bool tells_rows(std::size_t i) const;
  /// Tells that the first `rows` entries of axis 0 of the gradient that will be result i, a tensor of its own, are
  /// final; nothing where tells_rows is false. One thread at a time. ShapeError, TypeError or ValueError for what does
  /// not fit the input.
  void tell_rows(std::size_t i, const Tensor& gradient, std::size_t rows) const;
  std::size_t input_count() const { return node_.input_count; }
  const Shape& output_shape(std::size_t i = 0) const { return output_node(i).shape; }
  /// Whether the sweep itself is being recorded, so that only recorded operations may be used.
  bool recording() const { return recording_; }
  bool tracing() const;
  /// For tracing: tells that `count` non-finite derivatives met zero cotangents and were masked.
  void report_masked(std::size_t count) const;

 private:
  friend class Sweep;
  Call(Sweep& sweep, Node& node, std::uint32_t number, Tensor& cotangent, bool recording, const char* wanted)
      : sweep_(sweep), node_(node), number_(number), cotangent_(cotangent), recording_(recording), wanted_(wanted) {}
  const Tensor& saved(std::size_t place, bool exists, const char* kind, std::size_t i) const {
    if (!exists || place >= node_.saved_count || !node_.saved[place].tensor.defined()) [[unlikely]]
      throw_not_saved(kind, i);
    return node_.saved[place].tensor;
  }
  Node& output_node(std::size_t i) const { return i + 1 == node_.output_count ? node_ : earlier_output_node(i); }
  Tensor& cotangent_slot(std::size_t i) const {
    Tensor& cotangent = i + 1 == node_.output_count ? cotangent_ : cotangent_of(number_of_output(i));
    return cotangent.defined() ? cotangent : absent_cotangent(i);
  }
  std::uint32_t number_of_output(std::size_t i) const;
  Node& earlier_output_node(std::size_t i) const;
  Tensor& cotangent_of(std::uint32_t number) const;
  Tensor& absent_cotangent(std::size_t i) const;
  [[noreturn]] void throw_not_saved(const char* kind, std::size_t i) const;
  [[noreturn]] void throw_missing(const char* kind, std::size_t i, std::size_t count) const;

  Sweep& sweep_;
  Node& node_;
  std::uint32_t number_;
  Tensor& cotangent_;  // of the last output
  bool recording_;
  const char* wanted_;  // by number of a node, or none: all are
};

}  // namespace xgrad
