#pragma once

#include <autograd/tape/gradients.hpp>
#include <autograd/tensor/tensor.hpp>
#include <nn/ranks/part_tree.hpp>
#include <nn/ranks/ranks.hpp>

#include <cstddef>
#include <span>

namespace xgrad::nn {

/// A tensor that has a gradient in some part of some rank.
struct SharedLeaf {
  Tensor tensor;
  bool rows = true;  ///< wherever it has one, it is one of rows
};

/// The gradients of a batch whose parts several ranks have, added up in the order of the parts' tree: the bits that one
/// process gets from all parts. Every rank gets all sums.
///
/// Gradients travel in buckets, of which each rank owns an equal share. A rank adds up its own parts as far as the tree
/// lets it (PartTree::nodes_of) and sends each owner its share of these sums; the owner adds them in the order of the
/// tree and sends the result to all. Where each rank has one node, as with 2^k ranks, a rank sends (R - 1)/R of the
/// gradients' bytes twice. Gradients of rows do not travel in buckets: each rank sends its sums to all.
///
/// own: of the parts that this rank has, share_of(parts, ranks, rank), in order. leaves: in one order on all ranks,
/// that of the sums.
Gradients sum_over_ranks(Ranks& ranks, const PartTree& tree, std::span<const Gradients* const> own,
                         std::span<const SharedLeaf> leaves, std::size_t bucket_bytes);

}  // namespace xgrad::nn
