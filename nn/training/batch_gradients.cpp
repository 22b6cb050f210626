#include <autograd/ops/layout.hpp>
#include <autograd/ops/update.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/tensor/memory.hpp>
#include <nn/layers/batch_part.hpp>
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

/// The rows that all of these tensors have.
std::int64_t rows_of(TensorList inputs, TensorList targets) {
  const Tensor& x = inputs[0];
  const std::int64_t rows = x.rank() == 0 ? 0 : x.shape(0);
  for (const TensorList list : {targets, inputs})
    for (const Tensor& y : list)
      if (rows == 0 || y.rank() == 0 || y.shape(0) != rows)
        throw_as<ShapeError>("batch_gradients: x is {}, y is {}; need the same number of rows, at least one", x.shape(),
                             y.shape());
  return rows;
}

/// Where part i of n rows begins: the first n % parts of them have one row more.
std::int64_t first_row(std::int64_t rows, std::int64_t parts, std::int64_t part) {
  return part * (rows / parts) + std::min(part, rows % parts);
}

std::vector<Tensor> slices(TensorList list, std::int64_t first, std::int64_t last) {
  std::vector<Tensor> rows;
  for (const Tensor& x : list) rows.push_back(slice(x, 0, first, last));
  return rows;
}

struct Part {
  double loss = 0;
  Gradients gradients;
  BatchPart::Notes notes;
};

template <class T>
using List = std::vector<T, CachedAllocator<T>>;

/// The sum of the parts' gradients in their order, in the buffers of the first part that has each.
Gradients combine(List<Part>& parts) {
  Gradients sum = std::move(parts.front().gradients);
  List<const Tensor*> terms;
  for (std::size_t i = 1; i < parts.size(); ++i)
    for (const auto& [x, gradient] : parts[i].gradients)
      if (!sum.contains(x)) sum.set(x, gradient);
  for (const auto& [x, own] : sum) {
    Tensor total = own;
    terms.clear();
    for (std::size_t i = 1; i < parts.size(); ++i)
      if (const Tensor* gradient = parts[i].gradients.find(x); gradient != nullptr && !gradient->is(total))
        terms.push_back(gradient);
    add_in_order(total, terms);
  }
  return sum;
}

}  // namespace

BatchGradients batch_gradients_of(const AnyModel& model, TensorList inputs, TensorList targets,
                                  const BatchGradientsOptions& options) {
  check(options);
  const std::int64_t rows = rows_of(inputs, targets);
  const std::int64_t wanted =
      options.parts > 0 ? options.parts : std::clamp<std::int64_t>(rows / rows_per_part, 1, max_parts);
  const std::int64_t count = std::min(wanted, rows);
  const BatchPart* const outer = BatchPart::current();
  List<Part> parts(static_cast<std::size_t>(count));
  parallel_parts(parts.size(), [&](std::size_t i) {
    const auto part = static_cast<std::int64_t>(i);
    const std::int64_t first = first_row(rows, count, part);
    const std::int64_t last = first_row(rows, count, part + 1);
    const double weight =
        options.reduction == Reduction::sum ? 1.0 : static_cast<double>(last - first) / static_cast<double>(rows);
    BatchPart scope(i, outer);
    Tape tape;
    const Tensor loss = count == 1 ? model.loss_of(inputs, targets)
                                   : model.loss_of(slices(inputs, first, last), slices(targets, first, last));
    // The weight goes into the sweep's cotangent, so that the gradients come out weighted.
    parts[i].gradients =
        loss.size() == 1 ? tape.backward(loss, full(loss.shape(), weight, loss.dtype())) : tape.backward(loss);
    parts[i].loss = weight * loss.item();
    parts[i].notes = scope.take_notes();
  });
  BatchGradients result;
  std::vector<BatchPart::Notes> notes;
  for (Part& part : parts) {
    result.loss += part.loss;
    notes.push_back(std::move(part.notes));
  }
  BatchPart::merge(notes);
  result.gradients = combine(parts);
  return result;
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
