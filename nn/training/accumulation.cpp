#include <autograd/ops/layout.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/training/accumulation.hpp>
#include <nn/training/nonfinite.hpp>

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

void Accumulation::add(const Batch& batch, const TeamShare& share) {
  Given given{batch, share};
  rows_ += given.rows();
  if (together_)
    batches_.push_back(std::move(given));
  else if (loss_.state().rows == 0 || std::isfinite(loss_.value()))
    add_to_sum(std::move(given));
}

BatchGradients Accumulation::take() {
  if (together_) return take_together();
  // The gradients were weighted by the first batch's rows.
  if (options_.reduction == Reduction::mean && rows_ != first_rows_)
    sum_ *= static_cast<double>(first_rows_) / static_cast<double>(rows_);
  return {loss_.value(), std::move(sum_)};
}

BatchGradients Accumulation::gradients_of(const Given& given) const {
  const auto& [inputs, targets] = given.batch;
  if (options_.parts)
    return gradients_in_parts(model_, inputs, targets, {*options_.parts, options_.reduction}, given.share);
  Tape tape;
  const Tensor loss = model_.loss_of(inputs, targets);
  BatchGradients result;
  result.loss = loss.size() == 1 ? loss.item() : 0;  // backward refuses the others
  if (std::isfinite(result.loss)) result.gradients = tape.backward(loss);
  return result;
}

Gradients Accumulation::gradients_of(const Given& given, const std::vector<Tensor>& cotangents) const {
  if (options_.parts) return gradients_of_outputs(model_, given.batch.inputs, cotangents, *options_.parts, given.share);
  Tape tape;
  const std::vector<Tensor> outputs = model_.outputs(given.batch.inputs);
  return tape.backward(outputs, cotangents);
}

std::pair<std::vector<Tensor>, std::vector<Tensor>> Accumulation::outputs_and_targets_of(const Given& given) const {
  const TensorList inputs = given.batch.inputs, targets = given.batch.targets;
  const std::vector<Tensor> all(targets.begin(), targets.end());
  if (!options_.parts) return {model_.outputs(inputs), all};
  if (given.share.team == nullptr) return {outputs_in_parts(model_, inputs, *options_.parts), all};
  std::vector<Tensor> outputs = outputs_in_parts(model_, inputs, *options_.parts, given.share, targets);
  const auto first_target = outputs.end() - std::ssize(targets);
  std::vector<Tensor> of_all_rows(first_target, outputs.end());
  outputs.erase(first_target, outputs.end());
  return {std::move(outputs), std::move(of_all_rows)};
}

void Accumulation::add_to_sum(Given given) {
  BatchGradients found = gradients_of(given);
  const std::int64_t rows = given.rows();
  loss_.add(found.loss, rows);
  batches_.clear();
  batches_.push_back(std::move(given));
  if (sum_.empty()) {
    sum_ = std::move(found.gradients);
    first_rows_ = rows_;
    return;
  }
  const double share = static_cast<double>(rows) / static_cast<double>(first_rows_);
  sum_.add(found.gradients, options_.reduction == Reduction::sum ? 1.0 : share);
}

std::optional<std::string> Accumulation::origin_of_nonfinite(const std::vector<Tensor>& parameters) const {
  for (const auto& [batch, share] : batches_) {
    if (batch.rows() == 0) continue;  // of a rank that has no part of it
    std::int64_t first_row = 0;
    if (share.team != nullptr) {
      const BatchCut cut(share.rows, *options_.parts);
      first_row = cut.first_row(cut.given(batch.inputs, share).first);
    }
    if (auto origin = nonfinite_origin(model_, batch.inputs, batch.targets, parameters, first_row)) return origin;
  }
  return std::nullopt;
}

BatchGradients Accumulation::take_together() {
  const BatchPart* const outer = BatchPart::current();
  std::vector<std::vector<Tensor>> outputs, targets;
  {
    // Nobody takes the notes of this part: layers stay as they were, and the second pass draws the same numbers.
    const BatchPart trial(0, outer);
    const Pause pause;
    for (const Given& given : batches_) {
      auto [of_model, wanted] = outputs_and_targets_of(given);
      outputs.push_back(std::move(of_model));
      targets.push_back(std::move(wanted));
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
      result.gradients += gradients_of(batches_[i], cotangents);
    }
    notes = part.take_notes();
  }
  BatchPart::merge({notes});
  return result;
}

}  // namespace xgrad::nn
