#include <autograd/ops/layout.hpp>
#include <autograd/ops/update.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/memory.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/training/batch_gradients.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

namespace {

constexpr std::int64_t rows_per_part = 128;
constexpr std::int64_t max_parts = 16;

void check(const Tensor& x, const Tensor& y, const BatchGradientsOptions& options) {
  if (x.rank() == 0 || y.rank() == 0 || x.shape()[0] != y.shape()[0] || x.shape()[0] == 0)
    throw ShapeError("batch_gradients: x is " + to_string(x.shape()) + ", y is " + to_string(y.shape()) +
                     "; need as many rows of both, at least one");
  if (options.parts < 0)
    throw ValueError("batch_gradients: " + std::to_string(options.parts) + " parts; need 0 (chosen) or more");
  if (options.reduction == Reduction::none)
    throw ValueError("batch_gradients: reduction none; need mean or sum, as the function reduces its losses");
}

/// Where part i of n rows begins: the first n % parts of them have one row more.
std::int64_t first_row(std::int64_t rows, std::int64_t parts, std::int64_t part) {
  return part * (rows / parts) + std::min(part, rows % parts);
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

BatchGradients batch_gradients_of(LossFunction function, const Tensor& x, const Tensor& y,
                                  const BatchGradientsOptions& options) {
  check(x, y, options);
  const std::int64_t rows = x.shape()[0];
  const std::int64_t wanted =
      options.parts > 0 ? options.parts : std::clamp<std::int64_t>(rows / rows_per_part, 1, max_parts);
  const std::int64_t count = std::min(wanted, rows);
  const BatchPart* const outer = BatchPart::current();
  List<Part> parts(static_cast<std::size_t>(count));
  parallel_parts(parts.size(), [&](std::size_t i) {
    const auto part = static_cast<std::int64_t>(i);
    const std::int64_t first = first_row(rows, count, part);
    const std::int64_t size = first_row(rows, count, part + 1) - first;
    const double weight =
        options.reduction == Reduction::sum ? 1.0 : static_cast<double>(size) / static_cast<double>(rows);
    BatchPart scope(i, outer);
    Tape tape;
    const Tensor loss =
        count == 1 ? function(x, y) : function(slice(x, 0, first, first + size), slice(y, 0, first, first + size));
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

}  // namespace xgrad::nn
