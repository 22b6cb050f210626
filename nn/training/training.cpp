#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
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
  if (!(stopping.min_change >= 0))
    throw_as<ValueError>("fit: stopping.min_change {}; need 0 or more", stopping.min_change);
  if (options.reduction == Reduction::none)
    throw ValueError("fit: reduction none; need mean or sum, as the loss reduces its rows");
  if (!options.validation && (stopping.patience || stopping.restore_best))
    throw ValueError("fit: stopping.patience and stopping.restore_best need validation data");
}

/// The loss of batches together: their mean over rows, or their sum.
class LossTotal {
 public:
  explicit LossTotal(Reduction reduction) : reduction_(reduction) {}
  void add(double loss, std::int64_t rows) {
    state_.sum += reduction_ == Reduction::sum ? loss : loss * static_cast<double>(rows);
    state_.rows += rows;
  }
  double value() const {
    return reduction_ == Reduction::sum ? state_.sum : state_.sum / static_cast<double>(state_.rows);
  }
  const LossState& state() const { return state_; }
  void state(const LossState& values) { state_ = values; }

 private:
  Reduction reduction_;
  LossState state_;
};

/// What the batches of one optimizer step give together.
struct Step {
  std::int64_t rows;  // of all its batches
  LossTotal loss;
  Gradients gradients = {};

  /// A batch counts by its share of the rows, for a mean over rows.
  void add(BatchGradients batch, std::int64_t batch_rows, Reduction reduction) {
    loss.add(batch.loss, batch_rows);
    const double weight =
        reduction == Reduction::sum ? 1.0 : static_cast<double>(batch_rows) / static_cast<double>(rows);
    if (!gradients.empty()) {
      gradients.add(batch.gradients, weight);
    } else {
      gradients = std::move(batch.gradients);
      if (weight != 1) gradients *= weight;
    }
  }
};

/// When to stop by what the epochs were like, and the best of them.
class Judge {
 public:
  /// state: what restore_best gives back.
  Judge(const Stopping& stopping, const std::vector<Tensor>& parameters, const std::vector<Tensor>& state)
      : stopping_(stopping), state_(state) {
    if (stopping.weight_change) epoch_begin_.emplace(parameters);
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
      return StopReason::no_improvement;
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
    if (stopping_.restore_best && !values.best.empty()) best_.emplace(state_).values(values.best);
    if (epoch_begin_ && !values.epoch_begin.empty()) epoch_begin_->values(values.epoch_begin);
  }

 private:
  void compare(double loss, History& history) {
    if (loss < seen_.least_loss) {
      seen_.least_loss = loss;
      history.best_epoch = history.epochs.size() - 1;
      if (stopping_.restore_best) best_.emplace(state_);
    }
    const bool improved = loss < seen_.reference_loss - stopping_.min_change;
    if (improved) seen_.reference_loss = loss;
    seen_.epochs_without_improvement = improved ? 0 : seen_.epochs_without_improvement + 1;
  }

  const Stopping& stopping_;
  const std::vector<Tensor>& state_;
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
  }

  History run() {
    const std::int64_t steps_of_epoch = (batches_.size() + options_.accumulate - 1) / options_.accumulate;
    if (options_.progress != nullptr) options_.progress->begin(options_.epochs * steps_of_epoch, "steps");
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
  /// The next epoch, or what is left of it.
  std::optional<StopReason> run_epoch() {
    const ModeScope mode(model_, true);
    if (batches_done_ == 0) begin_epoch();
    EpochRecord& record = history_.epochs.back();
    const double seconds_before = record.seconds;
    const Clock::time_point begin = Clock::now();
    std::optional<Step> step;
    std::optional<StopReason> reason;
    auto next = batches_.begin();
    for (std::int64_t i = 0; i < batches_done_; ++i) ++next;
    for (; !reason && next != batches_.end(); ++next) {
      const Batch batch = *next;
      if (batches_done_ % options_.accumulate == 0) {
        step.emplace(begin_step(batches_done_));
        record.learning_rate = optimizer_.learning_rate();
      }
      BatchGradients found = gradients_of(batch);
      loss_.add(found.loss, batch.rows());
      record.loss = loss_.value();
      record.seconds = seconds_before + seconds_since(begin);
      if (!std::isfinite(found.loss)) give_up("loss", batch);
      step->add(std::move(found), batch.rows(), options_.reduction);
      if (++batches_done_ % options_.accumulate != 0 && batches_done_ < batches_.size()) continue;
      make_step(step->gradients, batch);
      ++record.steps;
      reason = after_step(record, step->loss.value());
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

  /// Of which this is the first batch.
  Step begin_step(std::int64_t first) {
    if (options_.schedule) optimizer_.learning_rate(options_.schedule(history_.steps));
    const std::int64_t last = std::min(first + options_.accumulate, batches_.size());
    const std::int64_t size = options_.batches.size;
    return {std::min(last * size, batches_.examples()) - first * size, LossTotal(options_.reduction)};
  }

  BatchGradients gradients_of(const Batch& batch) const {
    if (options_.parts)
      return batch_gradients_of(model_, batch.inputs, batch.targets, {*options_.parts, options_.reduction});
    Tape tape;
    const Tensor loss = model_.loss_of(batch.inputs, batch.targets);
    BatchGradients result;
    result.loss = loss.size() == 1 ? loss.item() : 0;  // backward refuses the others
    if (std::isfinite(result.loss)) result.gradients = tape.backward(loss);
    return result;
  }

  void make_step(Gradients& gradients, const Batch& last) {
    if (history_.steps % steps_between_checkpoints == 0) {
      checkpoint_.save();
      checkpoint_step_ = history_.steps;
    }
    if (history_.steps == 0)
      if (const std::string text = unregistered(model_, gradients, optimizer_.parameters()); !text.empty())
        throw ValueError("fit: " + text);
    const bool clips = options_.clip_norm || options_.clip_value;
    if (clips && !std::isfinite(gradients.norm())) give_up("gradient", last);
    if (options_.clip_norm) gradients.clip_norm(*options_.clip_norm);
    if (options_.clip_value) gradients.clip_value(*options_.clip_value);
    optimizer_.step(gradients);
    gradients = {};  // the next ones get their memory, still in the cache
    ++history_.steps;
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

  [[noreturn]] void give_up(const char* what, const Batch& batch) {
    const std::string origin = nonfinite_origin(model_, batch.inputs, batch.targets, optimizer_.parameters());
    checkpoint_.restore();
    const std::string text =
        fmt::format("fit: the {} is not finite at step {}: {}; the parameters are those before step {}", what,
                    history_.steps, origin, checkpoint_step_);
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
    batches_.set_epoch(static_cast<std::uint64_t>(epochs_done_));
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
                                   "the loss was not finite"};
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
  LossTotal loss(options.reduction);
  std::vector<std::vector<Tensor>> predictions, targets;
  for (const Batch& batch : Batches(data, {.size = options.size, .dtype = options.dtype})) {
    std::vector<Tensor> outputs = model.outputs(batch.inputs);
    loss.add(model.loss(outputs, batch.targets).item(), batch.rows());
    if (options.metrics.empty()) continue;
    predictions.push_back(std::move(outputs));
    targets.emplace_back(batch.targets.tensors().begin(), batch.targets.tensors().end());
  }
  Evaluation evaluation{loss.value()};
  if (options.metrics.empty()) return evaluation;
  const std::vector<Tensor> all_predictions = concatenated(predictions), all_targets = concatenated(targets);
  for (const Metric& metric : options.metrics)
    evaluation.metrics.push_back(value_of(metric, all_predictions, all_targets));
  return evaluation;
}

}  // namespace xgrad::nn
