#include <nn/ranks/agree.hpp>
#include <nn/ranks/rank_nodes.hpp>
#include <nn/ranks/row_sum.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace xgrad::nn {

namespace {

/// Of the leaves that have rows alone.
class RowSum {
 public:
  RowSum(Ranks& ranks, const PartTree& tree, std::span<const Gradients* const> own, std::span<const SharedLeaf> leaves)
      : ranks_(ranks), tree_(tree), nodes_(ranks, tree), own_(own), leaves_(leaves) {}

  std::vector<RowGradient> take() {
    std::vector<RowGradient> sums(leaves_.size());
    if (std::none_of(leaves_.begin(), leaves_.end(), [](const SharedLeaf& leaf) { return leaf.rows; })) return sums;
    const std::vector<std::string> messages = agree(ranks_, [this](MessageWriter& message) {
      for (const auto& [leaf, rows] : leaves_)
        if (rows)
          for (const Run& node : nodes_.own) {
            const std::optional<Gradients::Entry> sum = node_sum(node, leaf);
            message << sum.has_value();
            if (sum) message << sum->rows()->rows << sum->rows()->values;
          }
    });
    std::vector<MessageReader> readers(messages.begin(), messages.end());
    for (std::size_t leaf = 0; leaf < leaves_.size(); ++leaf) {
      if (!leaves_[leaf].rows) continue;
      std::vector<Run> nodes;
      std::vector<Gradients::Entry> entries;
      for (std::size_t rank = 0, node = 0; rank < readers.size(); ++rank)
        for (const std::size_t end = node + nodes_.of_rank[rank]; node < end; ++node)
          if (readers[rank].read<bool>()) {
            auto numbers = readers[rank].read<Tensor>();
            Gradients one;
            one.set(leaves_[leaf].tensor, RowGradient{std::move(numbers), readers[rank].read<Tensor>()});
            entries.push_back(*one.begin());
            nodes.push_back(nodes_.all[node]);
          }
      const Gradients::Entry sum = sum_of(entries, tree_.closings(nodes));
      sums[leaf] = *sum.rows();
    }
    return sums;
  }

 private:
  /// The entries that parts of a node have of a leaf, added up; none if there are none.
  std::optional<Gradients::Entry> node_sum(const Run& node, const Tensor& leaf) const {
    std::vector<Run> parts;
    std::vector<Gradients::Entry> entries;
    for (std::int64_t part = node.first; part < node.last; ++part)
      if (const Gradients::Entry* const entry = gradients_of(part).entry(leaf)) {
        parts.push_back({part, part + 1});
        entries.push_back(*entry);
      }
    if (entries.empty()) return std::nullopt;
    return sum_of(entries, tree_.closings(parts));
  }
  static Gradients::Entry sum_of(std::vector<Gradients::Entry>& entries, const std::vector<std::uint8_t>& closings) {
    return add_up<Gradients::Entry>(entries, closings, [](auto& to, const auto& entry) { to.add(entry); });
  }

  const Gradients& gradients_of(std::int64_t part) const {
    return *own_[static_cast<std::size_t>(part - nodes_.own.front().first)];
  }

  Ranks& ranks_;
  const PartTree& tree_;
  const RankNodes nodes_;
  std::span<const Gradients* const> own_;
  std::span<const SharedLeaf> leaves_;
};

}  // namespace

std::vector<RowGradient> sum_of_rows(Ranks& ranks, const PartTree& tree, std::span<const Gradients* const> own,
                                     std::span<const SharedLeaf> leaves) {
  return RowSum(ranks, tree, own, leaves).take();
}

}  // namespace xgrad::nn
