#include <autograd/tensor/format.hpp>
#include <nn/training/registered.hpp>
#include <nn/training/team.hpp>

#include <algorithm>
#include <utility>

namespace xgrad::nn {

Team::Team(Ranks& ranks, const AnyModel& model, const std::vector<Tensor>& parameters, std::size_t bucket_bytes)
    : ranks_(ranks), model_(model), bucket_bytes_(bucket_bytes), memories_(model.memories()) {
  const auto add = [&](const Tensor& leaf) {
    if (index_.find(leaf.body_or_null()) != TensorIndex::none) return;
    index_.insert(leaf.body_or_null(), static_cast<std::uint32_t>(leaves_.size()));
    leaves_.push_back(leaf);
  };
  for (const NamedTensor& named : model.parameters()) add(named.tensor);
  for (const Tensor& parameter : parameters) add(parameter);
}

void Team::throw_unknown(const Gradients& gradients, const Tensor& leaf) const {
  if (const std::string text = unregistered(model_, gradients, leaves_); !text.empty())
    throw ValueError("fit: " + text);
  throw_as<ValueError>(
      "fit: the loss depends on {} of shape {}, which requires gradients and is no parameter of the optimizer; ranks "
      "share those alone: give it to the optimizer, or pass detach(x)",
      leaf.label().empty() ? "a tensor" : leaf.label(), leaf.shape());
}

void Team::write_leaves(MessageWriter& message, std::span<const Gradients* const> gradients) const {
  struct Leaf {
    std::uint32_t number;
    bool rows;
  };
  std::vector<Leaf> found;
  for (const Gradients* const some : gradients)
    for (const Gradients::Entry& entry : *some) {
      const Tensor& x = entry.tensor();
      const std::uint32_t number = index_.find(x.body_or_null());
      if (number == TensorIndex::none) throw_unknown(*some, x);
      const auto known =
          std::find_if(found.begin(), found.end(), [&](const Leaf& leaf) { return leaf.number == number; });
      Leaf& leaf = known != found.end() ? *known : found.emplace_back(Leaf{number, true});
      leaf.rows = leaf.rows && entry.rows() != nullptr;
    }
  message << std::uint64_t{found.size()};
  for (const Leaf& leaf : found) message << leaf.number << leaf.rows;
}

void Team::read_leaves(MessageReader& message, std::vector<SharedLeaf>& leaves) const {
  for (auto left = message.read<std::uint64_t>(); left > 0; --left) {
    const Tensor& tensor = leaves_.at(message.read<std::uint32_t>());
    const auto rows = message.read<bool>();
    const auto known =
        std::find_if(leaves.begin(), leaves.end(), [&](const SharedLeaf& leaf) { return leaf.tensor.is(tensor); });
    if (known == leaves.end())
      leaves.push_back({tensor, rows});
    else
      known->rows = known->rows && rows;
  }
}

void Team::expect(std::span<const SharedLeaf> leaves) {
  expected_.clear();
  for (auto leaf = leaves.rbegin(); leaf != leaves.rend(); ++leaf)
    if (!leaf->rows) expected_.push_back(leaf->tensor);
}

void Team::write_notes(MessageWriter& message, const BatchPart::Notes& notes) const {
  message << std::uint64_t{notes.size()};
  for (const auto& [memory, calls] : notes) {
    const auto found = std::find_if(memories_.begin(), memories_.end(),
                                    [&memory = memory](const NamedMemory& known) { return known.memory == memory; });
    if (found == memories_.end())
      throw ValueError(
          "fit: a layer keeps something of its calls that the model does not know; ranks share random streams and "
          "running statistics that a module of the model registers (add_stream, add_statistics)");
    message << static_cast<std::uint64_t>(found - memories_.begin()) << std::uint64_t{calls.size()};
    for (const LayerNote& call : calls) message << call.rows << call.mean << call.variance;
  }
}

BatchPart::Notes Team::read_notes(MessageReader& message) const {
  BatchPart::Notes notes;
  for (auto left = message.read<std::uint64_t>(); left > 0; --left) {
    LayerNotes& calls = notes.emplace_back(memories_.at(message.read<std::uint64_t>()).memory, LayerNotes()).second;
    for (auto more = message.read<std::uint64_t>(); more > 0; --more) {
      LayerNote& call = calls.emplace_back();
      message >> call.rows >> call.mean >> call.variance;
    }
  }
  return notes;
}

}  // namespace xgrad::nn
