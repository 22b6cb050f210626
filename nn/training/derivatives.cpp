#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/linear_algebra.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/training/derivatives.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace xgrad::nn {

namespace {

/// The calls of `linear` that parameters of a model enter.
class LinearCalls final : public TapeObserver {
 public:
  struct Use {
    std::size_t parameter;
    Tensor x;  // none for a bias
    Tensor y;
  };

  LinearCalls(const std::vector<NamedTensor>& parameters, std::int64_t rows) : parameters_(parameters), rows_(rows) {}

  void recorded(const RecordedOperation& operation) override {
    const Tensor& y = operation.outputs[0];
    const bool is_linear = operation.operation == "linear" && y.rank() >= 2 && y.shape(0) == rows_;
    for (std::size_t i = 0; i < operation.inputs.size(); ++i)
      for (std::size_t p = 0; p < parameters_.size(); ++p) {
        if (!operation.inputs[i].is(parameters_[p].tensor)) continue;
        only_linear &= is_linear && i > 0;
        if (only_linear) uses.push_back({p, i == 1 ? operation.inputs[0] : Tensor(), y});
      }
  }

  std::vector<Use> uses;
  bool only_linear = true;

 private:
  const std::vector<NamedTensor>& parameters_;
  const std::int64_t rows_;
};

std::vector<Tensor> row_of(TensorList list, std::int64_t row) {
  std::vector<Tensor> rows;
  for (const Tensor& x : list) rows.push_back(slice(x, 0, row, row + 1));
  return rows;
}

/// (n, ..., features) as (n, t, features).
Tensor in_steps(const Tensor& x) { return reshape(x, {x.shape(0), -1, x.shape().back()}); }

/// (n, t, features) as (n·t, features).
Tensor flatten_rows(const Tensor& x) { return reshape(x, {-1, x.shape().back()}); }

Tensor column(const Tensor& weights, std::size_t rank) {
  Shape shape = repeated<Shape>(rank, 1);
  shape[0] = weights.shape(0);
  return reshape(weights, shape);
}

}  // namespace

/// One call of per_example_gradients_of.
class PerExample {
 public:
  PerExample(const AnyModel& model, TensorList inputs, TensorList targets, Reduction reduction)
      : model_(model),
        inputs_(inputs),
        targets_(targets),
        rows_(rows_of("per_example_gradients", inputs, targets)),
        scale_(reduction == Reduction::mean ? static_cast<double>(rows_) : 1.0),
        parameters_(model.parameters()) {
    if (reduction == Reduction::none)
      throw ValueError("per_example_gradients: reduction none; need mean or sum, as the loss reduces its rows");
    std::erase_if(parameters_, [](const NamedTensor& parameter) { return !parameter.tensor.is_leaf(); });
  }

  PerExampleGradients run() {
    const Pause pause;  // a caller's tape
    if (std::optional<PerExampleGradients> found = of_batch()) return *std::move(found);
    return row_by_row();
  }

 private:
  /// By one pass; none where that does not tell the rows apart.
  std::optional<PerExampleGradients> of_batch() {
    BatchPart part(0, outer_);
    LinearCalls calls(parameters_, rows_);
    Tape tape({.observer = &calls});
    const Tensor loss = model_.loss_of(inputs_, targets_);
    if (!calls.only_linear || calls.uses.empty() || loss.size() != 1) return std::nullopt;
    std::vector<Tensor> results;
    for (const LinearCalls::Use& use : calls.uses) results.push_back(use.y);
    const Gradients cotangents = tape.backward(loss, full(loss.shape(), scale_, loss.dtype()), {.only = results});
    PerExampleGradients list = empty();
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      std::vector<Tensor> x, dy;
      for (const auto& [parameter, input, result] : calls.uses)
        if (parameter == p && cotangents.contains(result)) {
          if (input.defined()) x.push_back(in_steps(input));
          dy.push_back(in_steps(cotangents[result]));
        }
      if (dy.empty()) continue;
      if (!x.empty() && x.size() != dy.size()) return std::nullopt;  // a weight here, a bias there
      list.entries_.push_back({.parameter = parameters_[p].tensor,
                               .inputs = x.empty()       ? Tensor()
                                         : x.size() == 1 ? x[0]
                                                         : concatenate(x, 1),
                               .cotangents = dy.size() == 1 ? dy[0] : concatenate(dy, 1)});
    }
    for (const std::int64_t row : {std::int64_t{0}, rows_ - 1})
      if (!agrees(list, row)) return std::nullopt;
    BatchPart::merge({part.take_notes()});
    return list;
  }

  Gradients of_row(std::int64_t row) const {
    Tape tape;
    const Tensor loss = model_.loss_of(row_of(inputs_, row), row_of(targets_, row));
    if (row == 0) require_registered_leaves("per_example_gradients", model_, inputs_, targets_);
    return tape.backward(loss);
  }

  bool agrees(const PerExampleGradients& list, std::int64_t row) const {
    const BatchPart part(0, outer_);  // leaves nothing behind
    const Gradients alone = of_row(row);
    for (const NamedTensor& parameter : parameters_) {
      const Tensor* const expected = alone.find(parameter.tensor);
      const PerExampleGradients::Entry* const entry = list.find(parameter.tensor);
      if (expected == nullptr && entry == nullptr) continue;
      if (expected == nullptr || entry == nullptr) return false;
      const Tensor found = product(*entry, row, row + 1);
      const double largest = max(abs(*expected)).item();
      const double rounding =
          expected->dtype() == float32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
      const double off = max(abs(*expected - reshape(found, expected->shape()))).item();
      if (!(off <= std::sqrt(rounding) * largest)) return false;
    }
    return true;
  }

  PerExampleGradients row_by_row() const {
    std::vector<Gradients> rows(static_cast<std::size_t>(rows_));
    std::vector<BatchPart::Notes> notes(rows.size());
    parallel_parts(rows.size(), [&](std::size_t i) {
      BatchPart part(i, outer_);
      rows[i] = of_row(static_cast<std::int64_t>(i));
      notes[i] = part.take_notes();
    });
    BatchPart::merge(notes);
    PerExampleGradients list = empty();
    for (const NamedTensor& parameter : parameters_) {
      std::vector<Tensor> all;
      bool any = false;
      for (const Gradients& row : rows) {
        const Tensor* const gradient = row.find(parameter.tensor);
        any |= gradient != nullptr;
        all.push_back(gradient != nullptr ? *gradient : zeros(parameter.tensor.shape(), parameter.tensor.dtype()));
      }
      if (any) list.entries_.push_back({.parameter = parameter.tensor, .all = stack(all)});
    }
    return list;
  }

  PerExampleGradients empty() const {
    PerExampleGradients list;
    list.examples_ = rows_;
    return list;
  }

 public:
  /// g_i for the rows i in [first, last), (last - first, shape...).
  static Tensor product(const PerExampleGradients::Entry& entry, std::int64_t first, std::int64_t last) {
    if (entry.all.defined()) return slice(entry.all, 0, first, last);
    const Tensor dy = slice(entry.cotangents, 0, first, last);
    if (!entry.inputs.defined()) return sum(dy, {1});
    return matmul(slice(entry.inputs, 0, first, last), dy, true, false);
  }

 private:
  const AnyModel& model_;
  const TensorList inputs_;
  const TensorList targets_;
  const std::int64_t rows_;
  const double scale_;
  std::vector<NamedTensor> parameters_;
  const BatchPart* const outer_ = BatchPart::current();
};

const PerExampleGradients::Entry* PerExampleGradients::find(const Tensor& parameter) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.parameter.is(parameter); });
  return found == entries_.end() ? nullptr : &*found;
}

Tensor PerExampleGradients::operator[](const Tensor& parameter) const {
  const Pause pause;
  const Entry* const entry = find(parameter);
  if (entry == nullptr)
    throw_as<TapeError>("per_example_gradients: the loss did not depend on {} of shape {}",
                        parameter.label().empty() ? "a tensor" : parameter.label(), parameter.shape());
  return PerExample::product(*entry, 0, examples_);
}

Tensor PerExampleGradients::norms() const {
  const Pause pause;
  Tensor squares;
  for (const Entry& entry : entries_) {
    Tensor own;
    if (entry.all.defined()) {
      own = sum(square(flatten(entry.all, 1)), {1});
    } else {
      // ‖Σ_t x_tᵀ·dy_t‖² = Σ_{s,t} <x_s, x_t>·<dy_s, dy_t>
      Tensor products = matmul(entry.cotangents, entry.cotangents, false, true);
      if (entry.inputs.defined()) products = products * matmul(entry.inputs, entry.inputs, false, true);
      own = sum(products, {1, 2});
    }
    squares = squares.defined() ? squares + own : own;
  }
  return squares.defined() ? sqrt(squares) : zeros({examples_});
}

Gradients PerExampleGradients::weighted_sum(const Tensor& weights) const {
  if (weights.shape() != Shape{examples_})
    throw_as<ShapeError>("per_example_gradients: the weights are {}; need ({},)", weights.shape(), examples_);
  const Pause pause;
  Gradients gradients;
  for (const Entry& entry : entries_) {
    const Tensor& rows = entry.all.defined() ? entry.all : entry.cotangents;
    const Tensor weighted = rows * column(weights, rows.rank());
    if (entry.all.defined())
      gradients.set(entry.parameter, sum(weighted, {0}));
    else if (!entry.inputs.defined())
      gradients.set(entry.parameter, sum(weighted, {0, 1}));
    else
      gradients.set(entry.parameter, matmul(flatten_rows(entry.inputs), flatten_rows(weighted), true, false));
  }
  return gradients;
}

PerExampleGradients per_example_gradients_of(const AnyModel& model, TensorList inputs, TensorList targets,
                                             Reduction reduction) {
  return PerExample(model, inputs, targets, reduction).run();
}

}  // namespace xgrad::nn
