#pragma once

#include <autograd/tape/gradients.hpp>
#include <nn/ranks/gradient_sum.hpp>
#include <nn/ranks/part_tree.hpp>
#include <nn/ranks/ranks.hpp>

#include <span>
#include <vector>

namespace xgrad::nn {

/// The sums of gradients that are rows on all ranks, each of which sends its own to all; see sum_over_ranks. One for
/// each leaf, empty for those of which there are dense ones.
std::vector<RowGradient> sum_of_rows(Ranks& ranks, const PartTree& tree, std::span<const Gradients* const> own,
                                     std::span<const SharedLeaf> leaves);

}  // namespace xgrad::nn
