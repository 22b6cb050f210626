#pragma once

#include <cstddef>
#include <cstdint>

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
  static constexpr Which only(std::size_t i) { return {std::uint64_t{1} << i}; }
  constexpr bool contains_first(std::size_t count) const { return ~bits << (64 - count) == 0; }  ///< 1 to 64 of them
  constexpr bool contains(std::size_t i) const { return i < 64 ? ((bits >> i) & 1) != 0 : bits == ~std::uint64_t{0}; }
};

/// What the engine should know about an operation.
struct OperationTraits {
  Which saved_inputs = Which::all();  ///< what the vjp reads; kept alive, and checked for changes, until the sweep
  Which saved_outputs = Which::all();
  Contribution contribution = Contribution::exact;
  bool recorded_vjp = false;  ///< the vjp is built from recorded operations: its gradients can be differentiated again
};

}  // namespace xgrad
