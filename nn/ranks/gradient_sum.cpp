#include <autograd/ops/update.hpp>
#include <autograd/tensor/creation.hpp>
#include <nn/ranks/agree.hpp>
#include <nn/ranks/gradient_sum.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xgrad::nn {

namespace {

constexpr std::size_t line_elements = 16;  // owners' shares begin at cache lines

/// Elements of a leaf's gradient, and where they stand in a bucket.
struct Piece {
  std::size_t leaf;
  std::size_t first;
  std::size_t count;
  std::size_t place;
};

struct Bucket {
  DType dtype;
  std::size_t size = 0;
  std::vector<Piece> pieces = {};
};

/// Of the leaves whose gradients are dense.
std::vector<Bucket> buckets_of(std::span<const SharedLeaf> leaves, std::size_t bytes) {
  std::vector<Bucket> buckets;
  for (const DType dtype : {float32, float64}) {
    const std::size_t capacity = std::max<std::size_t>(1, bytes / size_of(dtype));
    std::size_t room = 0;
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
      const Tensor& tensor = leaves[leaf].tensor;
      if (tensor.dtype() != dtype || leaves[leaf].rows) continue;
      for (std::size_t first = 0; first < tensor.size();) {
        if (room == 0) {
          buckets.push_back({dtype});
          room = capacity;
        }
        Bucket& bucket = buckets.back();
        const std::size_t count = std::min(room, tensor.size() - first);
        bucket.pieces.push_back({leaf, first, count, bucket.size});
        bucket.size += count;
        first += count;
        room -= count;
      }
    }
  }
  return buckets;
}

std::span<const std::byte> bytes_of(const Tensor& x) {
  return {static_cast<const std::byte*>(x.untyped_data()), x.size() * size_of(x.dtype())};
}
std::span<std::byte> writable_bytes_of(Tensor& x) {
  return {static_cast<std::byte*>(x.untyped_fresh_data()), x.size() * size_of(x.dtype())};
}

Tensor list_of(std::size_t count, DType dtype) {
  return Tensor::uninitialized({static_cast<std::int64_t>(count)}, dtype);
}

class RankSum {
 public:
  RankSum(Ranks& ranks, const PartTree& tree, std::span<const Gradients* const> own, std::span<const SharedLeaf> leaves)
      : ranks_(ranks), tree_(tree), own_(own), leaves_(leaves) {
    for (std::int64_t rank = 0; rank < ranks.size(); ++rank) {
      const std::vector<Run> nodes = tree.nodes_of(share_of(tree.parts(), ranks.size(), rank));
      nodes_of_rank_.push_back(nodes.size());
      if (rank == ranks.rank()) own_nodes_ = nodes;
      all_nodes_.insert(all_nodes_.end(), nodes.begin(), nodes.end());
    }
    closings_ = tree.closings(all_nodes_);
    for (const auto& [leaf, rows] : leaves)
      sums_.push_back(rows ? Tensor() : Tensor::uninitialized(leaf.shape(), leaf.dtype()));
  }

  void add(const Bucket& bucket) {
    const std::size_t element = size_of(bucket.dtype);
    const auto here = static_cast<std::size_t>(ranks_.rank());
    std::vector<Share> shares;
    std::vector<std::size_t> to_sizes, from_sizes, result_sizes;
    for (std::int64_t rank = 0; rank < ranks_.size(); ++rank) shares.push_back(share(bucket.size, rank));
    const Share& mine = shares[here];
    for (std::size_t rank = 0; rank < shares.size(); ++rank) {
      to_sizes.push_back(own_nodes_.size() * shares[rank].count * element);
      from_sizes.push_back(nodes_of_rank_[rank] * mine.count * element);
      result_sizes.push_back(shares[rank].count * element);
    }
    Tensor to = list_of(own_nodes_.size() * bucket.size, bucket.dtype);
    for (const Piece& piece : bucket.pieces)
      for (const Share& owner : shares) pack(bucket, piece, owner, to);
    Tensor from = list_of(all_nodes_.size() * mine.count, bucket.dtype), result = list_of(bucket.size, bucket.dtype);
    ranks_.exchange(bytes_of(to), to_sizes, writable_bytes_of(from), from_sizes);
    if (mine.count > 0) {
      std::vector<ValuesFrom> terms;
      for (std::size_t node = 0; node < all_nodes_.size(); ++node) terms.push_back({from, node * mine.count});
      sum_in_tree(result, mine.first, mine.count, terms, closings_);
    }
    ranks_.share(writable_bytes_of(result), result_sizes);
    for (const Piece& piece : bucket.pieces) copy(result, piece.place, piece.count, sums_[piece.leaf], piece.first);
  }

  Gradients take() {
    std::vector<RowGradient> of_rows = sums_of_rows();
    Gradients gradients;
    for (std::size_t leaf = 0; leaf < leaves_.size(); ++leaf)
      if (leaves_[leaf].rows)
        gradients.set(leaves_[leaf].tensor, std::move(of_rows[leaf]));
      else
        gradients.set(leaves_[leaf].tensor, std::move(sums_[leaf]));
    return gradients;
  }

 private:
  struct Share {
    std::size_t first;
    std::size_t count;
  };
  Share share(std::size_t size, std::int64_t rank) const {
    const std::size_t lines = (size + line_elements - 1) / line_elements;
    const Run run = share_of(static_cast<std::int64_t>(lines), ranks_.size(), rank);
    const std::size_t first = std::min(size, static_cast<std::size_t>(run.first) * line_elements);
    return {first, std::min(size, static_cast<std::size_t>(run.last) * line_elements) - first};
  }

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

  /// Of the leaves that have rows alone.
  std::vector<RowGradient> sums_of_rows() {
    std::vector<RowGradient> sums(leaves_.size());
    if (std::none_of(leaves_.begin(), leaves_.end(), [](const SharedLeaf& leaf) { return leaf.rows; })) return sums;
    const std::vector<std::string> messages = agree(ranks_, [this](MessageWriter& message) {
      for (const auto& [leaf, rows] : leaves_)
        if (rows)
          for (const Run& node : own_nodes_) {
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
        for (const std::size_t end = node + nodes_of_rank_[rank]; node < end; ++node)
          if (readers[rank].read<bool>()) {
            auto numbers = readers[rank].read<Tensor>();
            Gradients one;
            one.set(leaves_[leaf].tensor, RowGradient{std::move(numbers), readers[rank].read<Tensor>()});
            entries.push_back(*one.begin());
            nodes.push_back(all_nodes_[node]);
          }
      const Gradients::Entry sum = sum_of(entries, tree_.closings(nodes));
      sums[leaf] = *sum.rows();
    }
    return sums;
  }

  static void copy(const Tensor& from, std::size_t at, std::size_t count, Tensor& to, std::size_t first) {
    constexpr std::uint8_t alone = 0;
    const ValuesFrom values = {from, at};
    sum_in_tree(to, first, count, {&values, 1}, {&alone, 1});
  }

  const Gradients& gradients_of(std::int64_t part) const {
    return *own_[static_cast<std::size_t>(part - own_nodes_.front().first)];
  }

  /// The sums of this rank's nodes over what the owner has of the piece, to where the owner's stand.
  void pack(const Bucket& bucket, const Piece& piece, const Share& owner, Tensor& to) const {
    const std::size_t begin = std::max(piece.place, owner.first);
    const std::size_t end = std::min(piece.place + piece.count, owner.first + owner.count);
    if (begin >= end) return;
    const std::size_t in_leaf = piece.first + begin - piece.place;
    for (std::size_t node = 0; node < own_nodes_.size(); ++node) {
      const std::size_t place = own_nodes_.size() * owner.first + node * owner.count + begin - owner.first;
      std::vector<Run> parts;
      std::vector<ValuesFrom> terms;
      for (std::int64_t part = own_nodes_[node].first; part < own_nodes_[node].last; ++part) {
        const Tensor* const gradient = gradients_of(part).find(leaves_[piece.leaf].tensor);
        if (gradient == nullptr) continue;
        parts.push_back({part, part + 1});
        terms.push_back({*gradient, in_leaf});
      }
      if (terms.empty())  // -0.0 is what changes no number that it is added to
        copy(full({static_cast<std::int64_t>(end - begin)}, -0.0, bucket.dtype), 0, end - begin, to, place);
      else
        sum_in_tree(to, place, end - begin, terms, tree_.closings(parts));
    }
  }

  Ranks& ranks_;
  const PartTree& tree_;
  std::span<const Gradients* const> own_;
  std::span<const SharedLeaf> leaves_;
  std::vector<Run> own_nodes_, all_nodes_;  // of the tree, whose sums are sent
  std::vector<std::size_t> nodes_of_rank_;
  std::vector<std::uint8_t> closings_;
  std::vector<Tensor> sums_;
};

}  // namespace

Gradients sum_over_ranks(Ranks& ranks, const PartTree& tree, std::span<const Gradients* const> own,
                         std::span<const SharedLeaf> leaves, std::size_t bucket_bytes) {
  RankSum sum(ranks, tree, own, leaves);
  for (const Bucket& bucket : buckets_of(leaves, bucket_bytes)) sum.add(bucket);
  return sum.take();
}

}  // namespace xgrad::nn
