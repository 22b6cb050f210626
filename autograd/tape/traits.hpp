#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace xgrad {

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
  static constexpr Which only(std::size_t i) {
    return {i < 64 ? std::uint64_t{1} << i : all().bits};
  }  ///< all from 64 on
  constexpr bool contains_first(std::size_t count) const {
    return count == 0 || ~bits << (count < 64 ? 64 - count : 0) == 0;
  }
  constexpr bool contains(std::size_t i) const { return i < 64 ? ((bits >> i) & 1) != 0 : bits == ~std::uint64_t{0}; }
};

/// What an operation makes of values, for those who listen to a tape and know no operation by its name.
enum class OperationKind : std::uint8_t {
  function,           ///< anything; with one input, whose shape it keeps, an activation
  activation,         ///< one with more inputs: prelu
  arithmetic,         ///< a step of a formula, no activation: square, sqrt
  arrangement,        ///< values in other places, and perhaps zeros: reshape, slice, concatenate
  linear,             ///< in all inputs together: add, sum
  product,            ///< linear in the first input for a constant second: mul, div
  matrix_product,     ///< matmul, linear
  probabilities,      ///< of the numbers of a row: softmax
  log_probabilities,  ///< log_softmax, and losses that take logits: softmax_cross_entropy
};

/// The infimum and the supremum of a function's values, near which its derivative vanishes.
struct Bounds {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};

/// What the engine should know about an operation; kind and bounds are for listeners.
struct OperationTraits {
  Which saved_inputs = Which::all();  ///< what the vjp reads; kept alive, and checked for changes, until the sweep
  Which saved_outputs = Which::all();
  Contribution contribution = Contribution::exact;
  bool recorded_vjp = false;  ///< the vjp is built from recorded operations: its gradients can be differentiated again
  OperationKind kind = OperationKind::function;
  Bounds bounds = {};
};

}  // namespace xgrad
