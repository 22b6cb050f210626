#include <autograd/ops/layout.hpp>
#include <autograd/tape/tape.hpp>
#include <nn/training/batch_gradients.hpp>
#include <nn/training/nonfinite.hpp>
#include <nn/training/progress.hpp>
#include <nn/training/snapshot.hpp>
#include <nn/training/training.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>

namespace xgrad::nn {

namespace {

constexpr std::int64_t steps_between_checkpoints = 50;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// A number with a name and four decimals.
std::string item(const std::string& name, double value) {
  char text[48];
  std::snprintf(text, sizeof text, " %.4f", value);
  return name + text;
}

/// The mode that the model was in comes back.
class ModeScope {
 public:
  ModeScope(const TrainingCalls& calls, bool training) : calls_(calls), before_(calls.training()) {
    calls.set_training(training);
  }
  ~ModeScope() { calls_.set_training(before_); }
  ModeScope(const ModeScope&) = delete;
  ModeScope& operator=(const ModeScope&) = delete;

 private:
  const TrainingCalls& calls_;
  bool before_;
};

/// The loss of batches together: their mean over rows, or their sum.
class LossTotal {
 public:
  explicit LossTotal(Reduction reduction) : reduction_(reduction) {}
  void add(double loss, std::int64_t rows) {
    sum_ += reduction_ == Reduction::sum ? loss : loss * static_cast<double>(rows);
    rows_ += rows;
  }
  double value() const {
    if (rows_ == 0) return std::numeric_limits<double>::quiet_NaN();
    return reduction_ == Reduction::sum ? sum_ : sum_ / static_cast<double>(rows_);
  }

 private:
  Reduction reduction_;
  double sum_ = 0;
  std::int64_t rows_ = 0;
};

void require(bool condition, const std::string& message) {
  if (!condition) throw ValueError("fit: " + message);
}

void check_positive(const char* name, const std::optional<double>& value) {
  require(!value || *value > 0, std::string(name) + " " + std::to_string(value.value_or(0)) + "; need more than 0");
}

void check(const FitOptions& options) {
  require(options.epochs >= 1, std::to_string(options.epochs) + " epochs; need at least 1");
  require(options.accumulate >= 1, "accumulate " + std::to_string(options.accumulate) + "; need at least 1");
  require(options.reduction != Reduction::none, "reduction none; need mean or sum, as the loss reduces its rows");
  check_positive("clip_norm", options.clip_norm);
  check_positive("clip_value", options.clip_value);
  const Stopping& stopping = options.stopping;
  check_positive("stopping.seconds", stopping.seconds);
  check_positive("stopping.weight_change", stopping.weight_change);
  require(!stopping.patience || *stopping.patience >= 1,
          "stopping.patience " + std::to_string(stopping.patience.value_or(0)) + "; need at least 1");
  require(stopping.min_change >= 0, "stopping.min_change " + std::to_string(stopping.min_change) + "; need 0 or more");
  require(options.validation.has_value() || (!stopping.patience && !stopping.restore_best),
          "stopping.patience and stopping.restore_best need validation data");
}

/// One training: what fit_of does, in pieces.
class Training {
 public:
  Training(const TrainingCalls& calls, Optimizer& optimizer, const Dataset& data, const FitOptions& options)
      : calls_(calls),
        optimizer_(optimizer),
        options_(options),
        stopping_(options.stopping),
        data_(data),
        batches_(data, options.batches, options.transform),
        state_(state_of(calls, optimizer)),
        checkpoint_(state_) {
    for (const Metric& metric : options.metrics) history_.metrics.push_back(metric.name);
    if (stopping_.weight_change) epoch_begin_.emplace(optimizer.parameters());
  }

  History run() {
    const std::int64_t steps_of_epoch = (batches_.size() + options_.accumulate - 1) / options_.accumulate;
    if (options_.progress != nullptr) options_.progress->begin(options_.epochs * steps_of_epoch, "steps");
    std::optional<StopReason> reason;
    for (std::int64_t epoch = 0; epoch < options_.epochs && !reason; ++epoch) {
      reason = run_epoch(epoch);
      evaluate_epoch();
      if (options_.progress != nullptr) options_.progress->print(line(history_.epochs.back()));
      const std::optional<StopReason> settled = judge_epoch();
      if (!reason) reason = settled;
      if (options_.on_epoch && options_.on_epoch(history_.epochs.back()) == Next::stop && !reason)
        reason = StopReason::callback;
    }
    if (stopping_.restore_best && best_) best_->restore();
    history_.reason = reason.value_or(StopReason::epochs);
    history_.seconds = seconds_since(start_);
    return std::move(history_);
  }

 private:
  static std::vector<Tensor> state_of(const TrainingCalls& calls, const Optimizer& optimizer) {
    std::vector<Tensor> state = optimizer.parameters();
    state.insert(state.end(), calls.buffers.begin(), calls.buffers.end());
    return state;
  }

  std::optional<StopReason> run_epoch(std::int64_t epoch) {
    const ModeScope mode(calls_, true);
    const Clock::time_point begin = Clock::now();
    if (epoch_begin_) epoch_begin_->save();
    history_.epochs.push_back({.epoch = epoch, .learning_rate = optimizer_.learning_rate()});
    EpochRecord& record = history_.epochs.back();
    LossTotal epoch_loss(options_.reduction), step_loss(options_.reduction);
    Gradients gradients;
    std::optional<StopReason> reason;
    std::int64_t batch = 0;
    for (auto [x, y] : batches_) {
      if (batch % options_.accumulate == 0) {
        if (options_.schedule) optimizer_.learning_rate(options_.schedule(history_.steps));
        record.learning_rate = optimizer_.learning_rate();
        step_loss = LossTotal(options_.reduction);
      }
      BatchGradients of_batch = gradients_of(x, y);
      epoch_loss.add(of_batch.loss, x.shape(0));
      step_loss.add(of_batch.loss, x.shape(0));
      record.loss = epoch_loss.value();
      record.seconds = seconds_since(begin);
      if (!std::isfinite(of_batch.loss)) give_up("loss", x, y);
      accumulate(gradients, std::move(of_batch.gradients), batch, x.shape(0));
      ++batch;
      if (batch % options_.accumulate != 0 && batch < batches_.size()) continue;

      if (history_.steps % steps_between_checkpoints == 0) {
        checkpoint_.save();
        checkpoint_step_ = history_.steps;
      }
      const bool clips = options_.clip_norm || options_.clip_value;
      if (clips && !std::isfinite(gradients.norm())) give_up("gradient", x, y);
      if (options_.clip_norm) gradients.clip_norm(*options_.clip_norm);
      if (options_.clip_value) gradients.clip_value(*options_.clip_value);
      optimizer_.step(gradients);
      gradients = {};  // the next ones get their memory, still in the cache
      ++record.steps;
      ++history_.steps;
      reason = after_step(record, step_loss.value());
      if (reason) break;
    }
    record.complete = batch == batches_.size();
    record.seconds = seconds_since(begin);
    return reason;
  }

  BatchGradients gradients_of(const Tensor& x, const Tensor& y) const {
    if (options_.parts) return batch_gradients(loss_of_batch_, x, y, {*options_.parts, options_.reduction});
    Tape tape;
    const Tensor loss = loss_of_batch_(x, y);
    BatchGradients result;
    result.loss = loss.size() == 1 ? loss.item() : 0;  // backward refuses the others
    if (std::isfinite(result.loss)) result.gradients = tape.backward(loss);
    return result;
  }

  /// Adds a batch to its step: weighted by its share of the step's rows, for a mean over rows.
  void accumulate(Gradients& total, Gradients gradients, std::int64_t batch, std::int64_t rows) const {
    if (options_.accumulate == 1) {
      total = std::move(gradients);
      return;
    }
    const std::int64_t first = batch - batch % options_.accumulate;
    const std::int64_t last = std::min(first + options_.accumulate, batches_.size());
    const std::int64_t step_rows =
        std::min(last * options_.batches.size, batches_.examples()) - first * options_.batches.size;
    const double weight =
        options_.reduction == Reduction::sum ? 1.0 : static_cast<double>(rows) / static_cast<double>(step_rows);
    if (batch == first) {
      total = std::move(gradients);
      total *= weight;
    } else {
      total.add(gradients, weight);
    }
  }

  std::optional<StopReason> after_step(const EpochRecord& record, double loss) {
    if (options_.progress != nullptr)
      options_.progress->update(history_.steps,
                                "epoch " + std::to_string(record.epoch + 1) + ", " + item("loss", record.loss));
    if (options_.on_step && options_.on_step({.epoch = record.epoch,
                                              .step = history_.steps - 1,
                                              .loss = loss,
                                              .mean_loss = record.loss,
                                              .learning_rate = record.learning_rate}) == Next::stop)
      return StopReason::callback;
    if (stopping_.seconds && seconds_since(start_) >= *stopping_.seconds) return StopReason::time_limit;
    return std::nullopt;
  }

  [[noreturn]] void give_up(const std::string& what, const Tensor& x, const Tensor& y) {
    const std::string origin = nonfinite_origin(LossFunction(loss_of_batch_), x, y, optimizer_.parameters());
    checkpoint_.restore();
    history_.reason = StopReason::not_finite;
    history_.seconds = seconds_since(start_);
    throw NonFiniteLoss("fit: the " + what + " is not finite at step " + std::to_string(history_.steps) + ": " +
                            origin + "; the parameters are those before step " + std::to_string(checkpoint_step_),
                        std::move(history_));
  }

  void evaluate_epoch() {
    EpochRecord& record = history_.epochs.back();
    if (!record.complete || (!options_.validation && options_.metrics.empty())) return;
    Evaluation evaluation = evaluate_of(calls_, options_.validation ? *options_.validation : data_,
                                        {.metrics = options_.metrics,
                                         .size = options_.evaluation_size,
                                         .dtype = options_.batches.dtype,
                                         .reduction = options_.reduction});
    if (options_.validation) record.validation_loss = evaluation.loss;
    record.metrics = std::move(evaluation.metrics);
  }

  /// Keeps the best epoch and tells whether to stop.
  std::optional<StopReason> judge_epoch() {
    const EpochRecord& record = history_.epochs.back();
    if (!record.complete) return std::nullopt;
    bool waited_long = false;
    if (record.validation_loss) {
      const double loss = *record.validation_loss;
      if (loss < least_loss_) {
        least_loss_ = loss;
        history_.best_epoch = history_.epochs.size() - 1;
        if (stopping_.restore_best) best_.emplace(state_);
      }
      if (loss < reference_loss_ - stopping_.min_change) {
        reference_loss_ = loss;
        epochs_without_improvement_ = 0;
      } else {
        waited_long = stopping_.patience && ++epochs_without_improvement_ >= *stopping_.patience;
      }
    }
    if (stopping_.training_loss && record.loss < *stopping_.training_loss) return StopReason::training_loss;
    if (waited_long) return StopReason::no_improvement;
    if (epoch_begin_ && epoch_begin_->largest_change() < *stopping_.weight_change) return StopReason::weights_settled;
    return std::nullopt;
  }

  std::string line(const EpochRecord& record) const {
    char text[48];
    std::snprintf(text, sizeof text, "epoch %2lld  ", static_cast<long long>(record.epoch + 1));
    std::string line = text + item("loss", record.loss);
    if (record.validation_loss) line += "  " + item("validation loss", *record.validation_loss);
    for (std::size_t i = 0; i < record.metrics.size(); ++i) line += "  " + item(history_.metrics[i], record.metrics[i]);
    std::snprintf(text, sizeof text, "  %.2f s", record.seconds);
    return line + text;
  }

  const TrainingCalls& calls_;
  Optimizer& optimizer_;
  const FitOptions& options_;
  const Stopping& stopping_;
  const Dataset& data_;
  Batches batches_;
  const std::function<Tensor(const Tensor&, const Tensor&)> loss_of_batch_ = [this](const Tensor& x, const Tensor& y) {
    return calls_.loss(calls_.model(x), y);
  };
  std::vector<Tensor> state_;
  Snapshot checkpoint_;
  std::int64_t checkpoint_step_ = 0;
  std::optional<Snapshot> best_;
  std::optional<Snapshot> epoch_begin_;
  double least_loss_ = std::numeric_limits<double>::infinity();
  double reference_loss_ = std::numeric_limits<double>::infinity();
  std::int64_t epochs_without_improvement_ = 0;
  Clock::time_point start_ = Clock::now();
  History history_;
};

}  // namespace

std::string to_string(StopReason reason) {
  switch (reason) {
    case StopReason::epochs:
      return "all epochs were done";
    case StopReason::time_limit:
      return "the time was up";
    case StopReason::training_loss:
      return "the training loss was low enough";
    case StopReason::no_improvement:
      return "the validation loss did not improve";
    case StopReason::weights_settled:
      return "the weights did not change";
    case StopReason::callback:
      return "a callback asked to stop";
    case StopReason::not_finite:
      return "the loss was not finite";
  }
  return "";
}

History fit_of(const TrainingCalls& calls, Optimizer& optimizer, const Dataset& data, const FitOptions& options) {
  check(options);
  return Training(calls, optimizer, data, options).run();
}

Evaluation evaluate_of(const TrainingCalls& calls, const Dataset& data, const EvaluateOptions& options) {
  if (options.reduction == Reduction::none) throw ValueError("evaluate: reduction none; need mean or sum");
  const ModeScope mode(calls, false);
  const Pause pause;
  LossTotal loss(options.reduction);
  std::vector<Tensor> predictions, targets;
  for (auto [x, y] : Batches(data, {.size = options.size, .dtype = options.dtype})) {
    const Tensor p = calls.model(x);
    loss.add(calls.loss(p, y).item(), x.shape(0));
    if (options.metrics.empty()) continue;
    predictions.push_back(p);
    targets.push_back(y);
  }
  Evaluation evaluation{loss.value()};
  if (options.metrics.empty()) return evaluation;
  const Tensor all_predictions = concatenate(predictions, 0), all_targets = concatenate(targets, 0);
  for (const Metric& metric : options.metrics)
    evaluation.metrics.push_back(metric.function(all_predictions, all_targets));
  return evaluation;
}

}  // namespace xgrad::nn
