#include <autograd/ops/layout.hpp>
#include <autograd/ops/update.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/tensor/memory.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/ranks/agree.hpp>
#include <nn/ranks/gradient_sum.hpp>
#include <nn/ranks/part_tree.hpp>
#include <nn/training/batch_parts.hpp>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace xgrad::nn {

namespace {

constexpr std::int64_t rows_per_part = 128;
constexpr std::int64_t max_parts = 16;

struct Part {
  double loss = 0;
  Gradients gradients;
  std::vector<Tensor> outputs;
  BatchPart::Notes notes;
};

template <class T>
using List = std::vector<T, CachedAllocator<T>>;

/// The parts of a batch, in order. A team has the gradients of its own alone, knows which leaves have any, and has the
/// sums of those that it expected.
struct Parts {
  List<Part> list;
  Run own;
  std::vector<SharedLeaf> leaves = {};
  Gradients sums = {};

  std::span<Part> of(const Run& run) {
    return std::span(list).subspan(static_cast<std::size_t>(run.first), static_cast<std::size_t>(run.size()));
  }
};

/// The rows of one part of a batch, from tensors that have those of the run.
std::vector<Tensor> rows_of_part(const BatchCut& cut, std::int64_t part, TensorList list, const Run& run) {
  if (run.size() == 1) return {list.begin(), list.end()};
  std::vector<Tensor> slices;
  const std::int64_t begin = cut.first_row(run.first);
  for (const Tensor& x : list)
    slices.push_back(slice(x, 0, cut.first_row(part) - begin, cut.first_row(part + 1) - begin));
  return slices;
}

/// The sum of the parts' gradients in the order of their tree, in the buffers of the first part that has each; as rows
/// where all are.
Gradients sum_of(const List<Part>& parts) {
  Gradients sum;
  for (const Part& part : parts)
    for (const Gradients::Entry& entry : part.gradients)
      if (!sum.contains(entry.tensor())) sum.set(entry);
  const PartTree tree(std::ssize(parts));
  std::vector<Run> with_gradient, before;
  std::vector<std::uint8_t> closings;
  List<Gradients::Entry> entries;
  for (const Gradients::Entry& first : sum) {
    with_gradient.clear();
    entries.clear();
    bool few = true;
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (const Gradients::Entry* const entry = parts[i].gradients.entry(first.tensor())) {
        with_gradient.push_back({static_cast<std::int64_t>(i), static_cast<std::int64_t>(i) + 1});
        entries.push_back(*entry);
        few = few && entry->rows() != nullptr;
      }
    if (entries.size() == 1) continue;
    if (with_gradient != before) closings = tree.closings(with_gradient);
    before = with_gradient;
    if (few) {
      sum.set(add_up<Gradients::Entry>(entries, closings, [](auto& to, const auto& entry) { to.add(entry); }));
      continue;
    }
    List<ValuesFrom> terms;
    for (const Gradients::Entry& entry : entries) terms.push_back({entry.gradient()});
    Tensor total = entries.front().gradient();
    sum_in_tree(total, 0, total.size(), terms, closings);
    if (first.rows() != nullptr) sum.set(first.tensor(), total);
  }
  return sum;
}

Gradients combine(Parts& parts, const TeamShare& share) {
  if (share.team == nullptr) return sum_of(parts.list);
  const auto is_there = [&](const SharedLeaf& leaf) { return !leaf.rows && parts.sums.contains(leaf.tensor); };
  std::vector<SharedLeaf> others;
  for (const SharedLeaf& leaf : parts.leaves)
    if (!is_there(leaf)) others.push_back(leaf);
  std::vector<const Gradients*> own;
  for (const Part& part : parts.of(parts.own)) own.push_back(&part.gradients);
  const Gradients rest =
      sum_over_ranks(share.team->ranks(), PartTree(std::ssize(parts.list)), own, others, share.team->bucket_bytes());
  Gradients all;
  for (const SharedLeaf& leaf : parts.leaves) all.set(*(is_there(leaf) ? parts.sums : rest).entry(leaf.tensor));
  parts.sums = Gradients();
  share.team->expect(parts.leaves);
  return all;
}

/// The gradients of a team's parts, which leave while the sweeps go on. Without a team, or as long as nothing is known
/// of what will come, they stay.
class Leaving {
 public:
  /// None at all.
  Leaving() = default;
  /// For so many parts.
  Leaving(const TeamShare& share, std::int64_t parts) {
    if (share.team == nullptr) return;
    Team& team = *share.team;
    std::size_t bytes = 0;
    for (const Tensor& leaf : team.expected()) bytes += leaf.size() * size_of(leaf.dtype());
    if (bytes <= team.bucket_bytes()) return;  // one bucket is full at the end of the sweeps, no earlier
    sum_ = std::make_unique<GradientSum>(team.ranks(), PartTree(parts), team.expected(), team.bucket_bytes());
    agree(team.ranks(), [](MessageWriter&) {});  // nobody has thrown: from here on all send what they expect
    sum_->begin();
  }

  /// Of the sweep of a part.
  BackwardOptions options(std::int64_t part) const {
    if (sum_ == nullptr) return {};
    return {.on_final = [this, part](const Gradients::Entry& leaf) { sum_->add(part, leaf); },
            .on_final_rows = [this, part](const Tensor& leaf, const Tensor& gradient,
                                          std::int64_t rows) { sum_->add(part, leaf, gradient, rows); }};
  }
  /// The part has no more.
  void end(std::int64_t part) const {
    if (sum_ != nullptr) sum_->end(part);
  }
  /// When all parts have ended.
  Gradients take() { return sum_ != nullptr ? std::exchange(sum_, nullptr)->take() : Gradients(); }

 private:
  std::unique_ptr<GradientSum> sum_;
};

/// Tells the other ranks what this one's parts gave, all but the gradients, and hears of theirs. run: runs the parts.
template <class RunParts>
void exchange(Parts& parts, const Team& team, const RunParts& run) {
  const std::vector<std::string> messages = agree(team.ranks(), [&](MessageWriter& message) {
    run();
    std::vector<const Gradients*> gradients;
    for (const Part& part : parts.of(parts.own)) {
      message << part.loss << part.outputs;
      team.write_notes(message, part.notes);
      gradients.push_back(&part.gradients);
    }
    team.write_leaves(message, gradients);
  });
  for (std::size_t rank = 0; rank < messages.size(); ++rank) {
    MessageReader message(messages[rank]);
    for (Part& part :
         parts.of(share_of(std::ssize(parts.list), std::ssize(messages), static_cast<std::int64_t>(rank)))) {
      message >> part.loss >> part.outputs;
      part.notes = team.read_notes(message);
    }
    team.read_leaves(message, parts.leaves);
  }
}

/// Calls work(part, i) for the parts in parallel, each with a BatchPart of its own, whose notes are merged at the end.
template <class Work>
Parts in_parts(std::int64_t count, const TeamShare& share, Leaving& leaving, const Work& work) {
  const BatchPart* const outer = BatchPart::current();
  Parts parts{List<Part>(static_cast<std::size_t>(count)),
              share.team != nullptr ? share.team->share(count) : Run{0, count}};
  const std::span<Part> own = parts.of(parts.own);
  const auto run = [&] {
    parallel_parts(own.size(), [&](std::size_t i) {
      const std::int64_t number = parts.own.first + static_cast<std::int64_t>(i);
      BatchPart scope(static_cast<std::uint64_t>(number), outer);
      work(own[i], number);
      leaving.end(number);
      own[i].notes = scope.take_notes();
    });
    parts.sums = leaving.take();
  };
  if (share.team != nullptr)
    exchange(parts, *share.team, run);
  else
    run();
  std::vector<BatchPart::Notes> notes;
  for (Part& part : parts.list) notes.push_back(std::move(part.notes));
  BatchPart::merge(notes);
  return parts;
}

/// Of the whole batch.
std::int64_t rows_in_all(TensorList inputs, TensorList targets, const TeamShare& share) {
  const bool none = share.team != nullptr && inputs[0].extent(0) == 0;  // a rank may have no part of a small batch
  const std::int64_t given = none ? 0 : rows_of("batch_gradients", inputs, targets);
  return share.team != nullptr ? share.rows : given;
}

}  // namespace

BatchCut::BatchCut(std::int64_t all, std::int64_t wanted)
    : rows(all),
      parts(std::min(wanted > 0 ? wanted : std::clamp<std::int64_t>(all / rows_per_part, 1, max_parts), all)) {}

std::int64_t BatchCut::first_row(std::int64_t part) const {
  return part * (rows / parts) + std::min(part, rows % parts);
}

Run BatchCut::given(TensorList inputs, const TeamShare& share) const {
  return share.team != nullptr && inputs[0].shape(0) != rows ? share.team->share(parts) : Run{0, parts};
}

BatchGradients gradients_in_parts(const AnyModel& model, TensorList inputs, TensorList targets,
                                  const BatchGradientsOptions& options, const TeamShare& share) {
  const BatchCut cut(rows_in_all(inputs, targets, share), options.parts);
  const Run given = cut.given(inputs, share);
  Leaving leaving(share, cut.parts);
  Parts parts = in_parts(cut.parts, share, leaving, [&](Part& part, std::int64_t i) {
    const double weight =
        options.reduction == Reduction::sum ? 1.0 : static_cast<double>(cut.size(i)) / static_cast<double>(cut.rows);
    Tape tape;
    const Tensor loss = given.size() == 1
                            ? model.loss_of(inputs, targets)
                            : model.loss_of(rows_of_part(cut, i, inputs, given), rows_of_part(cut, i, targets, given));
    // The weight goes into the sweep's cotangent, so that the gradients come out weighted.
    part.gradients = loss.size() == 1
                         ? tape.backward(loss, full(loss.shape(), weight, loss.dtype()), leaving.options(i))
                         : tape.backward(loss);
    part.loss = weight * loss.item();
  });
  std::vector<double> losses;
  for (const Part& part : parts.list) losses.push_back(part.loss);
  const PartTree tree(cut.parts);
  return {tree.sum(PartTree::parts_of({0, cut.parts}), losses), combine(parts, share)};
}

std::vector<Tensor> outputs_in_parts(const AnyModel& model, TensorList inputs, std::int64_t parts,
                                     const TeamShare& share, TensorList others) {
  const BatchCut cut(rows_in_all(inputs, inputs, share), parts);
  const Run given = cut.given(inputs, share);
  Leaving nothing;
  Parts found = in_parts(cut.parts, share, nothing, [&](Part& part, std::int64_t i) {
    const Pause pause;
    part.outputs = model.outputs(rows_of_part(cut, i, inputs, given));
    for (Tensor& x : rows_of_part(cut, i, others, given)) part.outputs.push_back(std::move(x));
  });
  std::vector<std::vector<Tensor>> outputs;
  for (Part& part : found.list) outputs.push_back(std::move(part.outputs));
  return concatenated(outputs);
}

Gradients gradients_of_outputs(const AnyModel& model, TensorList inputs, TensorList cotangents, std::int64_t parts,
                               const TeamShare& share) {
  const BatchCut cut(rows_in_all(inputs, inputs, share), parts);
  const Run given = cut.given(inputs, share);
  Leaving leaving(share, cut.parts);
  Parts found = in_parts(cut.parts, share, leaving, [&](Part& part, std::int64_t i) {
    Tape tape;
    const std::vector<Tensor> outputs = model.outputs(rows_of_part(cut, i, inputs, given));
    part.gradients = tape.backward(outputs, rows_of_part(cut, i, cotangents, {0, cut.parts}), leaving.options(i));
  });
  return combine(found, share);
}

std::vector<Tensor> concatenated(std::span<const std::vector<Tensor>> lists) {
  std::vector<Tensor> result;
  for (std::size_t k = 0; !lists.empty() && k < lists.front().size(); ++k) {
    std::vector<Tensor> pieces;
    for (const std::vector<Tensor>& list : lists) pieces.push_back(list[k]);
    result.push_back(pieces.size() == 1 ? pieces.front() : concatenate(pieces, 0));
  }
  return result;
}

}  // namespace xgrad::nn
