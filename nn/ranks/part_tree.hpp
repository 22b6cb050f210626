#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// Parts of a batch that follow one another, or other things in a row.
struct Run {
  std::int64_t first = 0;
  std::int64_t last = 0;  ///< behind the last one
  std::int64_t size() const { return last - first; }
  bool operator==(const Run&) const = default;
};

/// Share i of `shares` that are as equal as can be: ⌊i·count/shares⌋ to ⌊(i + 1)·count/shares⌋.
constexpr Run share_of(std::int64_t count, std::int64_t shares, std::int64_t i) {
  return {i * count / shares, (i + 1) * count / shares};
}

/// The order in which the parts of a batch are added up: a binary tree that their number alone decides, so that the
/// bits of a sum do not depend on who has added which of them. Node i of level k holds share i of 2^k, and adds what
/// its halves, nodes 2i and 2i + 1 of the next level, hold. With 2^k ranks, each has one node.
class PartTree {
 public:
  explicit PartTree(std::int64_t parts) : parts_(parts) {}
  std::int64_t parts() const { return parts_; }

  /// The largest nodes that lie in the run, in order: it is their union. At most 2·log2(parts).
  std::vector<Run> nodes_of(const Run& run) const;
  /// How the sums of these nodes, in order and without overlap, are added to that of all of them, as sum_in_tree wants
  /// it. What belongs to none adds nothing.
  std::vector<std::uint8_t> closings(std::span<const Run> nodes) const;
  /// The sum of numbers, one for each of the nodes.
  double sum(std::span<const Run> nodes, std::span<const double> numbers) const;
  /// Each part by itself, the smallest nodes.
  static std::vector<Run> parts_of(const Run& run);

 private:
  std::int64_t parts_;
};

/// The sum of terms in the order that closings say (sum_in_tree); add(to, term) adds one to another.
template <class T, class Add>
T add_up(std::span<T> terms, std::span<const std::uint8_t> closings, const Add& add) {
  std::size_t open = 0;
  for (std::size_t i = 0; i < terms.size(); ++i, ++open) {
    if (open != i) terms[open] = std::move(terms[i]);
    for (std::size_t closing = closings[i]; closing > 0; --closing, --open) add(terms[open - 1], terms[open]);
  }
  return std::move(terms.front());
}

}  // namespace xgrad::nn
