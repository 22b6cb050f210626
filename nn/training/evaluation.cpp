#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/data/batches.hpp>
#include <nn/ranks/agree.hpp>
#include <nn/ranks/part_tree.hpp>
#include <nn/training/accumulation.hpp>
#include <nn/training/batch_parts.hpp>
#include <nn/training/evaluation.hpp>

#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

namespace xgrad::nn {

namespace {

double value_of(const Metric& metric, const std::vector<Tensor>& predictions, const std::vector<Tensor>& targets) {
  if (metric.of_lists) return metric.of_lists(predictions, targets);
  if (predictions.size() != 1 || targets.size() != 1)
    throw_as<ValueError>(
        "evaluate: metric '{}' takes one prediction and one target, there are {} and {}; give it a function `of_lists`",
        metric.name, predictions.size(), targets.size());
  return metric.function(predictions.front(), targets.front());
}

/// What a model gave for batches.
struct Seen {
  std::vector<double> losses;  // none where the loss is asked about all rows at once
  std::vector<std::int64_t> rows;
  std::vector<std::vector<Tensor>> predictions, targets;  // none where nobody asks
};

/// A loss that is no mean over rows has to see all of them at once, as metrics do.
bool loss_together(const AnyModel& model, const EvaluateOptions& options) {
  return options.reduction == Reduction::mean && !model.mean_over_rows();
}

/// Runs the model on a run of the batches.
Seen look_at(const Run& run, Batches& batches, const AnyModel& model, const EvaluateOptions& options) {
  const bool together = loss_together(model, options);
  Seen seen;
  auto next = batches.begin();
  for (std::int64_t i = 0; i < run.first; ++i) ++next;
  for (std::int64_t i = run.first; i < run.last; ++i, ++next) {
    const Batch batch = *next;
    std::vector<Tensor> outputs = model.outputs(batch.inputs);
    if (!together) seen.losses.push_back(model.loss(outputs, batch.targets).item());
    seen.rows.push_back(batch.rows());
    if (!together && options.metrics.empty()) continue;
    seen.predictions.push_back(std::move(outputs));
    seen.targets.emplace_back(batch.targets.tensors().begin(), batch.targets.tensors().end());
  }
  return seen;
}

Seen gathered(Ranks& ranks, const Seen& own) {
  const std::vector<std::string> messages = agree(
      ranks, [&own](MessageWriter& message) { message << own.losses << own.rows << own.predictions << own.targets; });
  Seen all;
  for (const std::string& bytes : messages) {
    MessageReader message(bytes);
    const auto append = [&message](auto& list) {
      auto more = message.read<std::remove_reference_t<decltype(list)>>();
      list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    };
    append(all.losses);
    append(all.rows);
    append(all.predictions);
    append(all.targets);
  }
  return all;
}

Evaluation evaluation_of(const Seen& seen, const AnyModel& model, const EvaluateOptions& options) {
  LossTotal loss(options.reduction);
  for (std::size_t i = 0; i < seen.losses.size(); ++i) loss.add(seen.losses[i], seen.rows[i]);
  const std::vector<Tensor> predictions = concatenated(seen.predictions), targets = concatenated(seen.targets);
  Evaluation evaluation{loss_together(model, options) ? model.loss(predictions, targets).item() : loss.value()};
  for (const Metric& metric : options.metrics) evaluation.metrics.push_back(value_of(metric, predictions, targets));
  return evaluation;
}

}  // namespace

void check_metrics(const char* who, const std::vector<Metric>& metrics) {
  for (const Metric& metric : metrics)
    if (!metric.function && !metric.of_lists)
      throw_as<ValueError>("{}: metric '{}' has no function; need one to call", who, metric.name);
}

Evaluation evaluate_on(Ranks* ranks, const AnyModel& model, const Dataset& data, const EvaluateOptions& options) {
  if (options.reduction == Reduction::none) throw ValueError("evaluate: reduction none; need mean or sum");
  check_metrics("evaluate", options.metrics);
  const ModeScope mode(model, false);
  const Pause pause;
  Batches batches(data, {.size = options.size, .dtype = options.dtype});
  if (ranks == nullptr) return evaluation_of(look_at({0, batches.size()}, batches, model, options), model, options);
  const Seen seen =
      gathered(*ranks, look_at(share_of(batches.size(), ranks->size(), ranks->rank()), batches, model, options));
  const std::string found = of_first(*ranks, [&](MessageWriter& message) {
    const Evaluation evaluation = evaluation_of(seen, model, options);
    message << evaluation.loss << evaluation.metrics;
  });
  MessageReader message(found);
  Evaluation evaluation;
  message >> evaluation.loss >> evaluation.metrics;
  return evaluation;
}

Evaluation evaluate_of(const AnyModel& model, const Dataset& data, const EvaluateOptions& options) {
  Evaluation evaluation;
  together(options.ranks.get(), [&](Ranks* ranks) { evaluation = evaluate_on(ranks, model, data, options); });
  return evaluation;
}

}  // namespace xgrad::nn
