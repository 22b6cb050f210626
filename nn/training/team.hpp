#pragma once

#include <autograd/tape/gradients.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/ranks/gradient_sum.hpp>
#include <nn/ranks/message.hpp>
#include <nn/ranks/part_tree.hpp>
#include <nn/ranks/ranks.hpp>
#include <nn/training/model.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xgrad::nn {

/// Ranks that train one model: each has a copy of it, whose tensors and memories of layers they call by number.
class Team {
 public:
  /// parameters: of the optimizer, which the model may not know. The model must outlive it.
  Team(Ranks& ranks, const AnyModel& model, const std::vector<Tensor>& parameters, std::size_t bucket_bytes);

  Ranks& ranks() const { return ranks_; }
  bool first() const { return ranks_.rank() == 0; }
  /// See GradientSum.
  std::size_t bucket_bytes() const { return bucket_bytes_; }
  /// This rank's of so many things.
  Run share(std::int64_t count) const { return share_of(count, ranks_.size(), ranks_.rank()); }

  /// The tensors that have a gradient in these, in the order in which they appear. ValueError for one that is neither a
  /// parameter of the model nor of the optimizer, which other ranks could not find.
  void write_leaves(MessageWriter& message, std::span<const Gradients* const> gradients) const;
  /// Puts those of a message to the others.
  void read_leaves(MessageReader& message, std::vector<SharedLeaf>& leaves) const;
  /// The leaves of the batch before, of which this one's dense gradients are expected: the last ones that its tape met
  /// first, as its sweep passes them. None at first.
  const std::vector<Tensor>& expected() const& { return expected_; }
  std::vector<Tensor> expected() const&& { return expected_; }
  void expect(std::span<const SharedLeaf> leaves);
  /// ValueError for the memory of a layer that the model does not know.
  void write_notes(MessageWriter& message, const BatchPart::Notes& notes) const;
  BatchPart::Notes read_notes(MessageReader& message) const;

 private:
  [[noreturn]] void throw_unknown(const Gradients& gradients, const Tensor& leaf) const;

  Ranks& ranks_;
  const AnyModel& model_;
  std::size_t bucket_bytes_;
  std::vector<Tensor> leaves_;
  TensorIndex index_;
  std::vector<Tensor> expected_;
  std::vector<NamedMemory> memories_;
};

/// Of a batch of so many rows of which one of a team has those of its parts, or all. Without a team all are there.
struct TeamShare {
  Team* team = nullptr;
  std::int64_t rows = 0;
};

}  // namespace xgrad::nn
