#include <autograd/ops/layout.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/training/accumulation.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace xgrad::nn {

namespace {

std::vector<Tensor> leaves_of(const std::vector<Tensor>& outputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& output : outputs) leaves.push_back(output.clone().requires_gradient());
  return leaves;
}

}  // namespace

Accumulation::Accumulation(const AnyModel& model, const AccumulationOptions& options)
    : model_(model),
      options_(options),
      together_(options.reduction == Reduction::mean && !model.mean_over_rows() && (options.several || options.parts)),
      loss_(options.reduction) {}

void Accumulation::add(const Batch& batch) {
  rows_ += batch.rows();
  if (together_)
    batches_.push_back(batch);
  else if (loss_.state().rows == 0 || std::isfinite(loss_.value()))
    add_to_sum(batch);
}

BatchGradients Accumulation::take() {
  if (together_) return take_together();
  // The gradients were weighted by the first batch's rows.
  if (options_.reduction == Reduction::mean && rows_ != first_rows_)
    sum_ *= static_cast<double>(first_rows_) / static_cast<double>(rows_);
  return {loss_.value(), std::move(sum_)};
}

BatchGradients Accumulation::gradients_of(const Batch& batch) const {
  if (options_.parts)
    return batch_gradients_of(model_, batch.inputs, batch.targets, {*options_.parts, options_.reduction});
  Tape tape;
  const Tensor loss = model_.loss_of(batch.inputs, batch.targets);
  BatchGradients result;
  result.loss = loss.size() == 1 ? loss.item() : 0;  // backward refuses the others
  if (std::isfinite(result.loss)) result.gradients = tape.backward(loss);
  return result;
}

Gradients Accumulation::gradients_of(TensorList inputs, const std::vector<Tensor>& cotangents) const {
  if (options_.parts) return gradients_of_outputs(model_, inputs, cotangents, *options_.parts);
  Tape tape;
  const std::vector<Tensor> outputs = model_.outputs(inputs);
  return tape.backward(outputs, cotangents);
}

void Accumulation::add_to_sum(const Batch& batch) {
  BatchGradients found = gradients_of(batch);
  loss_.add(found.loss, batch.rows());
  batches_.assign(1, batch);
  if (sum_.empty()) {
    sum_ = std::move(found.gradients);
    first_rows_ = rows_;
    return;
  }
  const double share = static_cast<double>(batch.rows()) / static_cast<double>(first_rows_);
  sum_.add(found.gradients, options_.reduction == Reduction::sum ? 1.0 : share);
}

BatchGradients Accumulation::take_together() {
  const BatchPart* const outer = BatchPart::current();
  std::vector<std::vector<Tensor>> outputs, targets;
  {
    // Nobody takes the notes of this part: layers stay as they were, and the second pass draws the same numbers.
    const BatchPart trial(0, outer);
    const Pause pause;
    for (const Batch& batch : batches_) {
      outputs.push_back(options_.parts ? outputs_in_parts(model_, batch.inputs, *options_.parts)
                                       : model_.outputs(batch.inputs));
      targets.emplace_back(batch.targets.tensors().begin(), batch.targets.tensors().end());
    }
  }
  const std::vector<Tensor> leaves = leaves_of(concatenated(outputs));
  BatchGradients result;
  Gradients of_outputs;
  {
    Tape tape;
    const Tensor loss = model_.loss(leaves, concatenated(targets));
    result.loss = loss.size() == 1 ? loss.item() : 0;
    if (!std::isfinite(result.loss)) return result;
    of_outputs = tape.backward(loss);
  }
  const auto is_output = [&](const Tensor& x) {
    return std::any_of(leaves.begin(), leaves.end(), [&](const Tensor& leaf) { return leaf.is(x); });
  };
  for (const Gradients::Entry& entry : of_outputs)
    if (!is_output(entry.tensor())) result.gradients.set(entry);  // what the loss says of parameters itself: penalties
  BatchPart::Notes notes;
  {
    BatchPart part(0, outer);
    std::vector<std::int64_t> rows(leaves.size());  // of each output, so far
    for (std::size_t i = 0; i < batches_.size(); ++i) {
      std::vector<Tensor> cotangents;
      for (std::size_t k = 0; k < leaves.size(); ++k) {
        const std::int64_t first = std::exchange(rows[k], rows[k] + outputs[i][k].shape(0));
        const Tensor* const cotangent = of_outputs.find(leaves[k]);
        cotangents.push_back(cotangent != nullptr ? slice(*cotangent, 0, first, rows[k])
                                                  : zeros(outputs[i][k].shape(), outputs[i][k].dtype()));
      }
      result.gradients += gradients_of(batches_[i].inputs, cotangents);
    }
    notes = part.take_notes();
  }
  BatchPart::merge({notes});
  return result;
}

}  // namespace xgrad::nn
