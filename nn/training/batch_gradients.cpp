#include <autograd/ops/layout.hpp>
#include <autograd/ops/update.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/tensor/memory.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/ranks/part_tree.hpp>
#include <nn/training/batch_gradients.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace xgrad::nn {

namespace {

constexpr std::int64_t rows_per_part = 128;
constexpr std::int64_t max_parts = 16;

void check(const BatchGradientsOptions& options) {
  if (options.parts < 0) throw_as<ValueError>("batch_gradients: {} parts; need 0 (chosen) or more", options.parts);
  if (options.reduction == Reduction::none)
    throw ValueError("batch_gradients: reduction none; need mean or sum, as the function reduces its losses");
}

/// How a batch is cut: the first rows % parts of the parts have one row more.
struct Cut {
  std::int64_t rows, parts;

  Cut(std::int64_t all, std::int64_t wanted)
      : rows(all),
        parts(std::min(wanted > 0 ? wanted : std::clamp<std::int64_t>(all / rows_per_part, 1, max_parts), all)) {}
  std::int64_t first_row(std::int64_t part) const { return part * (rows / parts) + std::min(part, rows % parts); }
  std::int64_t size(std::int64_t part) const { return first_row(part + 1) - first_row(part); }
  std::vector<Tensor> of(TensorList list, std::int64_t part) const {
    if (parts == 1) return {list.begin(), list.end()};
    std::vector<Tensor> slices;
    for (const Tensor& x : list) slices.push_back(slice(x, 0, first_row(part), first_row(part + 1)));
    return slices;
  }
};

struct Part {
  double loss = 0;
  Gradients gradients;
  std::vector<Tensor> outputs;
  BatchPart::Notes notes;
};

template <class T>
using List = std::vector<T, CachedAllocator<T>>;

/// The sum of the parts' gradients in the order of their tree, in the buffers of the first part that has each; as rows
/// where all are.
Gradients combine(List<Part>& parts) {
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

/// Calls work(part, i) for the parts in parallel, each with a BatchPart of its own, whose notes are merged at the end.
template <class Work>
List<Part> in_parts(std::int64_t count, const Work& work) {
  const BatchPart* const outer = BatchPart::current();
  List<Part> parts(static_cast<std::size_t>(count));
  parallel_parts(parts.size(), [&](std::size_t i) {
    BatchPart scope(i, outer);
    work(parts[i], static_cast<std::int64_t>(i));
    parts[i].notes = scope.take_notes();
  });
  std::vector<BatchPart::Notes> notes;
  for (Part& part : parts) notes.push_back(std::move(part.notes));
  BatchPart::merge(notes);
  return parts;
}

}  // namespace

BatchGradients batch_gradients_of(const AnyModel& model, TensorList inputs, TensorList targets,
                                  const BatchGradientsOptions& options) {
  check(options);
  const Cut cut(rows_of("batch_gradients", inputs, targets), options.parts);
  List<Part> parts = in_parts(cut.parts, [&](Part& part, std::int64_t i) {
    const double weight =
        options.reduction == Reduction::sum ? 1.0 : static_cast<double>(cut.size(i)) / static_cast<double>(cut.rows);
    Tape tape;
    const Tensor loss =
        cut.parts == 1 ? model.loss_of(inputs, targets) : model.loss_of(cut.of(inputs, i), cut.of(targets, i));
    // The weight goes into the sweep's cotangent, so that the gradients come out weighted.
    part.gradients =
        loss.size() == 1 ? tape.backward(loss, full(loss.shape(), weight, loss.dtype())) : tape.backward(loss);
    part.loss = weight * loss.item();
  });
  std::vector<double> losses;
  for (const Part& part : parts) losses.push_back(part.loss);
  const PartTree tree(cut.parts);
  return {tree.sum(PartTree::parts_of({0, cut.parts}), losses), combine(parts)};
}

std::vector<Tensor> outputs_in_parts(const AnyModel& model, TensorList inputs, std::int64_t parts) {
  const Cut cut(rows_of("batch_gradients", inputs, inputs), parts);
  List<Part> found = in_parts(cut.parts, [&](Part& part, std::int64_t i) {
    const Pause pause;
    part.outputs = model.outputs(cut.of(inputs, i));
  });
  std::vector<std::vector<Tensor>> outputs;
  for (Part& part : found) outputs.push_back(std::move(part.outputs));
  return concatenated(outputs);
}

Gradients gradients_of_outputs(const AnyModel& model, TensorList inputs, TensorList cotangents, std::int64_t parts) {
  const Cut cut(rows_of("batch_gradients", inputs, cotangents), parts);
  List<Part> found = in_parts(cut.parts, [&](Part& part, std::int64_t i) {
    Tape tape;
    const std::vector<Tensor> outputs = model.outputs(cut.of(inputs, i));
    part.gradients = tape.backward(outputs, cut.of(cotangents, i));
  });
  return combine(found);
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
