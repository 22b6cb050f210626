#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/training/accumulation.hpp>
#include <nn/training/batch_gradients.hpp>
#include <nn/training/checkpoint.hpp>
#include <nn/training/nonfinite.hpp>
#include <nn/training/progress.hpp>
#include <nn/training/registered.hpp>
#include <nn/training/snapshot.hpp>
#include <nn/training/training.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace xgrad::nn {

namespace {

constexpr std::int64_t steps_between_checkpoints = 50;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void check_positive(const char* name, const std::optional<double>& value) {
  if (value && !(*value > 0)) throw_as<ValueError>("fit: {} {}; need more than 0", name, *value);
}

void check_count(const char* name, std::int64_t value) {
  if (value < 1) throw_as<ValueError>("fit: {} {}; need at least 1", name, value);
}

void check_metrics(const char* who, const std::vector<Metric>& metrics) {
  for (const Metric& metric : metrics)
    if (!metric.function && !metric.of_lists)
      throw_as<ValueError>("{}: metric '{}' has no function; need one to call", who, metric.name);
}

void check(const FitOptions& options) {
  check_metrics("fit", options.metrics);
  const Stopping& stopping = options.stopping;
  check_count("epochs", options.epochs);
  check_count("accumulate", options.accumulate);
  check_count("stopping.patience", stopping.patience.value_or(1));
  check_count("checkpoint.every", options.checkpoint.every);
  check_count("checkpoint.keep", options.checkpoint.keep);
  check_positive("clip_norm", options.clip_norm);
  check_positive("clip_value", options.clip_value);
  check_positive("stopping.seconds", stopping.seconds);
  check_positive("stopping.weight_change", stopping.weight_change);
  if (options.parts.value_or(0) < 0) throw_as<ValueError>("fit: {} parts; need 0 (chosen) or more", *options.parts);
  if (!(stopping.min_change >= 0))
    throw_as<ValueError>("fit: stopping.min_change {}; need 0 or more", stopping.min_change);
  if (options.reduction == Reduction::none)
    throw ValueError("fit: reduction none; need mean or sum, as the loss reduces its rows");
  if (!options.validation && (stopping.patience || stopping.restore_best))
    throw ValueError("fit: stopping.patience and stopping.restore_best need validation data");
}

/// When to stop by what the epochs were like, and the best of them.
class Judge {
 public:
  /// state: what restore_best gives back.
  Judge(const Stopping& stopping, const std::vector<Tensor>& parameters, const std::vector<Tensor>& state)
      : stopping_(stopping) {
    if (stopping.weight_change) epoch_begin_.emplace(parameters);
    if (stopping.restore_best) best_.emplace(state);  // until an epoch has a loss that is a number
  }

  void begin_epoch() {
    if (epoch_begin_) epoch_begin_->save();
  }

  /// Of the history's last epoch; notes whether it is the best.
  std::optional<StopReason> judge(History& history) {
    const EpochRecord& record = history.epochs.back();
    if (record.complete && record.validation_loss) compare(*record.validation_loss, history);
    return verdict(history);
  }

  /// By what is known of the epochs so far.
  std::optional<StopReason> verdict(const History& history) const {
    if (history.epochs.empty() || !history.epochs.back().complete) return std::nullopt;
    if (stopping_.training_loss && history.epochs.back().loss < *stopping_.training_loss)
      return StopReason::training_loss;
    if (stopping_.patience && seen_.epochs_without_improvement >= *stopping_.patience)
      return std::isfinite(history.epochs.back().validation_loss.value_or(NAN)) ? StopReason::no_improvement
                                                                                : StopReason::validation_not_finite;
    if (epoch_begin_ && epoch_begin_->largest_change() < *stopping_.weight_change) return StopReason::weights_settled;
    return std::nullopt;
  }

  void restore_best() {
    if (best_) best_->restore();
  }

  StoppingState state() const {
    StoppingState state = seen_;
    if (best_) state.best = best_->values();
    if (epoch_begin_) state.epoch_begin = epoch_begin_->values();
    return state;
  }
  void state(const StoppingState& values) {
    seen_ = values;
    if (best_ && !values.best.empty()) best_->values(values.best);
    if (epoch_begin_ && !values.epoch_begin.empty()) epoch_begin_->values(values.epoch_begin);
  }

 private:
  void compare(double loss, History& history) {
    if (loss < seen_.least_loss) {
      seen_.least_loss = loss;
      history.best_epoch = history.epochs.size() - 1;
      if (best_) best_->save();
    }
    const bool improved = loss < seen_.reference_loss - stopping_.min_change;
    if (improved) seen_.reference_loss = loss;
    seen_.epochs_without_improvement = improved ? 0 : seen_.epochs_without_improvement + 1;
  }

  const Stopping& stopping_;
  std::optional<Snapshot> best_;
  std::optional<Snapshot> epoch_begin_;
  StoppingState seen_;
};

/// The line of an epoch on the screen.
std::string line(const EpochRecord& record, const std::vector<std::string>& metrics) {
  std::string text = fmt::format("epoch {:2}  loss {:.4f}", record.epoch + 1, record.loss);
  if (record.validation_loss) text += fmt::format("  validation loss {:.4f}", *record.validation_loss);
  for (std::size_t i = 0; i < record.metrics.size(); ++i)
    text += fmt::format("  {} {:.4f}", metrics[i], record.metrics[i]);
  return text + fmt::format("  {:.2f} s", record.seconds);
}

/// One call of fit_of.
class Training {
 public:
  Training(const AnyModel& model, Optimizer& optimizer, const Dataset& data, const FitOptions& options)
      : model_(model), optimizer_(optimizer), options_(options), batches_(data, options.batches, options.transform) {
    for (const Metric& metric : options.metrics) history_.metrics.push_back(metric.name);
    if (!options.resume.empty()) resume();
    batches_.set_epoch(passes_before() + static_cast<std::uint64_t>(epochs_done_));
  }

  History run() {
    if (options_.progress != nullptr) options_.progress->begin(options_.epochs * steps_of_epoch(), "steps");
    std::optional<StopReason> reason = judge_.verdict(history_);  // of a training that goes on
    while (epochs_done_ < options_.epochs && !reason) {
      reason = run_epoch();
      evaluate_epoch();
      if (options_.progress != nullptr) options_.progress->print(line(history_.epochs.back(), history_.metrics));
      const std::optional<StopReason> settled = judge_.judge(history_);
      if (!reason) reason = settled;
      if (options_.on_epoch && options_.on_epoch(history_.epochs.back()) == Next::stop && !reason)
        reason = StopReason::callback;
      if (history_.epochs.back().complete) {
        ++epochs_done_;
        batches_done_ = 0;
      }
    }
    if (!options_.checkpoint.path.empty()) saved_.write(progress());
    judge_.restore_best();
    return end(reason.value_or(StopReason::epochs));
  }

 private:
  std::int64_t steps_of_epoch() const {
    return batches_.size() / options_.accumulate + (batches_.size() % options_.accumulate != 0);
  }
  /// That earlier fits have made with the optimizer, the last of each perhaps cut short.
  std::uint64_t passes_before() const {
    const std::int64_t steps = optimizer_.steps() - history_.steps, each = steps_of_epoch();
    return static_cast<std::uint64_t>(steps / each + (steps % each != 0 ? 1 : 0));
  }

  /// The next epoch, or what is left of it.
  std::optional<StopReason> run_epoch() {
    const ModeScope mode(model_, true);
    if (batches_done_ == 0) begin_epoch();
    EpochRecord& record = history_.epochs.back();
    const double seconds_before = record.seconds;
    const Clock::time_point begin = Clock::now();
    std::optional<Accumulation> step;
    std::optional<StopReason> reason;
    auto next = batches_.begin();
    for (std::int64_t i = 0; i < batches_done_; ++i) ++next;
    for (; !reason && next != batches_.end(); ++next) {
      if (!step) {
        if (options_.schedule) optimizer_.learning_rate(options_.schedule(optimizer_.steps()));
        record.learning_rate = optimizer_.learning_rate();
        step.emplace(model_, AccumulationOptions{options_.reduction, options_.parts, options_.accumulate > 1});
      }
      step->add(*next);
      if (++batches_done_ % options_.accumulate != 0 && batches_done_ < batches_.size()) continue;
      const double step_loss = make_step(*step);
      loss_.add(step_loss, step->rows());
      record.loss = loss_.value();
      record.seconds = seconds_before + seconds_since(begin);
      ++record.steps;
      step.reset();
      reason = after_step(record, step_loss);
    }
    record.complete = batches_done_ == batches_.size();
    record.seconds = seconds_before + seconds_since(begin);
    return reason;
  }

  void begin_epoch() {
    judge_.begin_epoch();
    history_.epochs.push_back({.epoch = epochs_done_, .learning_rate = optimizer_.learning_rate()});
    loss_ = LossTotal(options_.reduction);
  }

  /// Its loss, before.
  double make_step(Accumulation& step) {
    BatchGradients found = step.take();
    if (!std::isfinite(found.loss)) {
      history_.epochs.back().loss = found.loss;
      give_up("loss", step);
    }
    if (history_.steps % steps_between_checkpoints == 0) {
      checkpoint_.save();
      checkpoint_step_ = history_.steps;
    }
    if (history_.steps == 0)
      if (const std::string text = unregistered(model_, found.gradients, optimizer_.parameters()); !text.empty())
        throw ValueError("fit: " + text);
    const bool clips = options_.clip_norm || options_.clip_value;
    if (clips && !std::isfinite(found.gradients.norm())) give_up("gradient", step);
    if (options_.clip_norm) found.gradients.clip_norm(*options_.clip_norm);
    if (options_.clip_value) found.gradients.clip_value(*options_.clip_value);
    optimizer_.step(found.gradients);
    ++history_.steps;
    return found.loss;
  }

  std::optional<StopReason> after_step(const EpochRecord& record, double loss) {
    if (options_.progress != nullptr)
      options_.progress->update(history_.steps, fmt::format("epoch {}, loss {:.4f}", record.epoch + 1, record.loss));
    if (options_.on_step && options_.on_step({.epoch = record.epoch,
                                              .step = history_.steps - 1,
                                              .loss = loss,
                                              .mean_loss = record.loss,
                                              .learning_rate = record.learning_rate}) == Next::stop)
      return StopReason::callback;
    if (!options_.checkpoint.path.empty() && history_.steps % options_.checkpoint.every == 0) saved_.write(progress());
    const std::optional<double>& limit = options_.stopping.seconds;
    if (limit && seconds_since(start_) >= *limit) return StopReason::time_limit;
    return std::nullopt;
  }

  [[noreturn]] void give_up(const char* what, const Accumulation& step) {
    std::optional<std::string> origin;
    for (const Batch& batch : step.suspects())
      if (!origin) origin = nonfinite_origin(model_, batch.inputs, batch.targets, optimizer_.parameters());
    checkpoint_.restore();
    const std::string text =
        fmt::format("fit: the {} is not finite at step {}: {}; the parameters are those before step {}", what,
                    history_.steps, origin.value_or("a second run of the step is finite"), checkpoint_step_);
    throw NonFiniteLoss(text, end(StopReason::not_finite));
  }

  void evaluate_epoch() {
    EpochRecord& record = history_.epochs.back();
    if (!record.complete || (!options_.validation && options_.metrics.empty())) return;
    Evaluation evaluation = evaluate_of(model_, options_.validation ? *options_.validation : batches_.dataset(),
                                        {.metrics = options_.metrics,
                                         .size = options_.evaluation_size,
                                         .dtype = options_.batches.dtype,
                                         .reduction = options_.reduction});
    if (options_.validation) record.validation_loss = evaluation.loss;
    record.metrics = std::move(evaluation.metrics);
  }

  History end(StopReason reason) {
    history_.reason = reason;
    history_.seconds = seconds_before_ + seconds_since(start_);
    return std::move(history_);
  }

  TrainingState progress() const {
    TrainingState state{history_, epochs_done_, batches_done_, loss_.state(), judge_.state()};
    state.history.seconds = seconds_before_ + seconds_since(start_);
    return state;
  }

  void resume() {
    TrainingState state = saved_.read(options_.resume);
    history_ = std::move(state.history);
    seconds_before_ = history_.seconds;
    epochs_done_ = state.epochs_done;
    batches_done_ = state.batches_done;
    loss_.state(state.loss);
    judge_.state(state.stopping);
    checkpoint_.save();
    checkpoint_step_ = history_.steps;
  }

  const AnyModel& model_;
  Optimizer& optimizer_;
  const FitOptions& options_;
  Batches batches_;
  const std::vector<Tensor> state_ = model_.with_buffers(optimizer_.parameters());
  Snapshot checkpoint_{state_};
  std::int64_t checkpoint_step_ = 0;
  Judge judge_{options_.stopping, optimizer_.parameters(), state_};
  Clock::time_point start_ = Clock::now();
  double seconds_before_ = 0;  // of a training that goes on
  History history_;
  std::int64_t epochs_done_ = 0;
  std::int64_t batches_done_ = 0;       // of the next epoch
  LossTotal loss_{options_.reduction};  // of these
  const CheckpointWriter saved_{model_, optimizer_, options_, batches_};
};

}  // namespace

std::string to_string(StopReason reason) {
  constexpr const char* texts[] = {"all epochs were done",
                                   "the time was up",
                                   "the training loss was low enough",
                                   "the validation loss did not improve",
                                   "the weights did not change",
                                   "a callback asked to stop",
                                   "the loss was not finite",
                                   "the validation loss was not finite"};
  return texts[static_cast<std::size_t>(reason)];
}

History fit_of(const AnyModel& model, Optimizer& optimizer, const Dataset& data, const FitOptions& options) {
  check(options);
  return Training(model, optimizer, data, options).run();
}

namespace {

double value_of(const Metric& metric, const std::vector<Tensor>& predictions, const std::vector<Tensor>& targets) {
  if (metric.of_lists) return metric.of_lists(predictions, targets);
  if (predictions.size() != 1 || targets.size() != 1)
    throw_as<ValueError>(
        "evaluate: metric '{}' takes one prediction and one target, there are {} and {}; give it a function `of_lists`",
        metric.name, predictions.size(), targets.size());
  return metric.function(predictions.front(), targets.front());
}

}  // namespace

Evaluation evaluate_of(const AnyModel& model, const Dataset& data, const EvaluateOptions& options) {
  if (options.reduction == Reduction::none) throw ValueError("evaluate: reduction none; need mean or sum");
  check_metrics("evaluate", options.metrics);
  const ModeScope mode(model, false);
  const Pause pause;
  // A loss that is no mean over rows has to see all of them at once, as metrics do.
  const bool loss_together = options.reduction == Reduction::mean && !model.mean_over_rows();
  LossTotal loss(options.reduction);
  std::vector<std::vector<Tensor>> predictions, targets;
  for (const Batch& batch : Batches(data, {.size = options.size, .dtype = options.dtype})) {
    std::vector<Tensor> outputs = model.outputs(batch.inputs);
    if (!loss_together) loss.add(model.loss(outputs, batch.targets).item(), batch.rows());
    if (!loss_together && options.metrics.empty()) continue;
    predictions.push_back(std::move(outputs));
    targets.emplace_back(batch.targets.tensors().begin(), batch.targets.tensors().end());
  }
  const std::vector<Tensor> all_predictions = concatenated(predictions), all_targets = concatenated(targets);
  Evaluation evaluation{loss_together ? model.loss(all_predictions, all_targets).item() : loss.value()};
  for (const Metric& metric : options.metrics)
    evaluation.metrics.push_back(value_of(metric, all_predictions, all_targets));
  return evaluation;
}

}  // namespace xgrad::nn
