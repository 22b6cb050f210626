#pragma once

#include <nn/ranks/part_tree.hpp>
#include <nn/ranks/ranks.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xgrad::nn {

/// The nodes of the parts' tree whose sums are sent: this rank's, and those of all ranks in order.
struct RankNodes {
  std::vector<Run> own, all;
  std::vector<std::size_t> of_rank;    // how many of `all`
  std::vector<std::uint8_t> closings;  // of `all`

  RankNodes(const Ranks& ranks, const PartTree& tree) {
    for (std::int64_t rank = 0; rank < ranks.size(); ++rank) {
      const std::vector<Run> nodes = tree.nodes_of(share_of(tree.parts(), ranks.size(), rank));
      of_rank.push_back(nodes.size());
      if (rank == ranks.rank()) own = nodes;
      all.insert(all.end(), nodes.begin(), nodes.end());
    }
    closings = tree.closings(all);
  }
};

}  // namespace xgrad::nn
