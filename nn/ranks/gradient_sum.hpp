#pragma once

#include <autograd/tape/gradients.hpp>
#include <autograd/tensor/tensor.hpp>
#include <nn/ranks/part_tree.hpp>
#include <nn/ranks/ranks.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace xgrad::nn {

/// A tensor that has a gradient in some part of some rank.
struct SharedLeaf {
  Tensor tensor;
  bool rows = true;  ///< wherever it has one, it is one of rows
};

/// Dense gradients of a batch whose parts several ranks have, added up while the parts' sweeps go on: the bits that one
/// process gets from all parts. Every rank gets all sums.
///
/// Gradients travel in buckets of at most so many bytes, of which each rank owns an equal share. A rank adds up its own
/// parts as far as the tree lets it (PartTree::nodes_of) and sends each owner its share of these sums; the owner adds
/// them in the order of the tree and sends the result to all. Where each rank has one node, as with 2^k ranks, a rank
/// sends (R - 1)/R of the gradients' bytes twice.
///
/// Buckets leave in the order of the leaves, each as soon as all parts of this rank have told of what is in it. Large
/// leaves have buckets of their own, which leave and reach the gradients' own memory if the rank has one part. A thread
/// of its own carries them on, which sleeps while there is nothing to do, and keeps few of them under way at a time.
///
/// All ranks make one with the same arguments, and once one has begun with it the others must: who cannot go on
/// destroys it, which sends what others wait for.
class GradientSum {
 public:
  /// leaves: without those of which there are rows alone.
  GradientSum(Ranks& ranks, const PartTree& tree, std::span<const Tensor> leaves, std::size_t bucket_bytes);
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  /// Begins to send.
  void begin();
  /// The gradient that a part of this rank has of a leaf; there is none to come. Any thread may call. What is no leaf
  /// of these is left out.
  void add(std::int64_t part, const Gradients::Entry& entry);
  /// The same of one that is still being computed: its first `rows` entries of axis 0 are final.
  void add(std::int64_t part, const Tensor& leaf, const Tensor& gradient, std::int64_t rows);
  /// A part has told of all that it has: for the other leaves it has nothing.
  void end(std::int64_t part);
  /// Of all leaves, when all parts have ended. Waits, and throws what the transport does.
  Gradients take();

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

/// The same of parts that are done, and of rows: each rank sends its sums of those to all.
///
/// own: of the parts that this rank has, share_of(parts, ranks, rank), in order. leaves: in one order on all ranks,
/// that of the sums.
Gradients sum_over_ranks(Ranks& ranks, const PartTree& tree, std::span<const Gradients* const> own,
                         std::span<const SharedLeaf> leaves, std::size_t bucket_bytes);

}  // namespace xgrad::nn
