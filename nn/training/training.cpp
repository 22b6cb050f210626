#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/numbers.hpp>
#include <nn/training/accumulation.hpp>
#include <nn/training/batch_parts.hpp>
#include <nn/training/checkpoint.hpp>
#include <nn/training/particulars.hpp>
#include <nn/training/progress.hpp>
#include <nn/training/registered.hpp>
#include <nn/training/snapshot.hpp>
#include <nn/training/team.hpp>
#include <nn/training/training.hpp>

#include <bit>
#include <chrono>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <type_traits>

namespace xgrad::nn {

namespace {

constexpr std::int64_t steps_between_checkpoints = 50;
constexpr std::size_t min_bucket_bytes = 64, max_bucket_bytes = std::size_t{1} << 26;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void check_positive(const char* name, const std::optional<double>& value) {
  if (value && !(*value > 0)) throw_as<ValueError>("fit: {} {}; need more than 0", name, *value);
}

void check_count(const char* name, std::int64_t value) {
  if (value < 1) throw_as<ValueError>("fit: {} {}; need at least 1", name, value);
}

void check(const FitOptions& options) {
  check_metrics("fit", options.metrics);
  const Stopping& stopping = options.stopping;
  check_count("epochs", options.epochs);
  check_count("accumulate", options.accumulate);
  check_count("stopping.patience", stopping.patience.value_or(1));
  check_count("checkpoint.every", options.checkpoint.every);
  check_count("checkpoint.keep", options.checkpoint.keep);
  if (options.compare_ranks < 0)
    throw_as<ValueError>("fit: compare_ranks {}; need 0 (never) or more", options.compare_ranks);
  if (options.bucket_bytes < min_bucket_bytes || options.bucket_bytes > max_bucket_bytes)
    throw_as<ValueError>("fit: bucket_bytes {}; need {} to {}", options.bucket_bytes, min_bucket_bytes,
                         max_bucket_bytes);
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
  std::string text = fmt::format("epoch {:2}  loss {}", record.epoch + 1, fixed_number(record.loss));
  if (record.validation_loss) text += "  validation loss " + fixed_number(*record.validation_loss);
  for (std::size_t i = 0; i < record.metrics.size(); ++i)
    text += fmt::format("  {} {}", metrics[i], fixed_number(record.metrics[i]));
  return text + fmt::format("  {:.2f} s", record.seconds);
}

/// One call of fit_of.
class Training {
 public:
  /// ranks: those that train together, if any.
  Training(const AnyModel& model, Optimizer& optimizer, const Dataset& data, const FitOptions& options, Ranks* ranks)
      : model_(model),
        optimizer_(optimizer),
        options_(options),
        batches_(data, options.batches, options.transform,
                 [this](std::span<const std::int64_t> examples) { return own_of(examples); }) {
    for (const Metric& metric : options.metrics) history_.metrics.push_back(metric.name);
    if (ranks != nullptr) join(*ranks);
    if (first() && !options.resume.empty()) go_on_from(saved_.read(options.resume));
    if (team_) follow_first();
    batches_.set_epoch(passes_before() + static_cast<std::uint64_t>(epochs_done_));
  }

  History run() {
    if (progress_ != nullptr) progress_->begin(options_.epochs * steps_of_epoch(), "steps");
    std::optional<StopReason> reason = judge_.verdict(history_);  // of a training that goes on
    while (epochs_done_ < options_.epochs && !reason) {
      reason = run_epoch();
      evaluate_epoch();
      if (progress_ != nullptr) progress_->print(line(history_.epochs.back(), history_.metrics));
      const std::optional<StopReason> settled = judge_.judge(history_);
      if (!reason) reason = settled;
      if (asks_.on_epoch && call_back(options_.on_epoch, history_.epochs.back()) == Next::stop && !reason)
        reason = StopReason::callback;
      if (history_.epochs.back().complete) {
        ++epochs_done_;
        batches_done_ = 0;
      }
    }
    if (saves()) saved_.write(progress());
    compare();
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
        if (options_.schedule) optimizer_.learning_rate(scheduled_rate());
        record.learning_rate = optimizer_.learning_rate();
        step.emplace(model_, AccumulationOptions{options_.reduction, options_.parts, options_.accumulate > 1});
      }
      const Batch batch = *next;
      if (team_)
        step->add(batch, {&*team_, options_.transform ? batch.rows() : batches_.examples(batches_done_)});
      else
        step->add(batch);
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
    const std::int64_t every = options_.compare_ranks;
    if (every > 0 && (history_.steps % every == 0 ||
                      (history_.steps < every && std::has_single_bit(static_cast<std::uint64_t>(history_.steps)))))
      compare();
    return found.loss;
  }

  std::optional<StopReason> after_step(const EpochRecord& record, double loss) {
    if (progress_ != nullptr)
      progress_->update(history_.steps, fmt::format("epoch {}, loss {}", record.epoch + 1, fixed_number(record.loss)));
    if (asks_.on_step && call_back(options_.on_step, {.epoch = record.epoch,
                                                      .step = history_.steps - 1,
                                                      .loss = loss,
                                                      .mean_loss = record.loss,
                                                      .learning_rate = record.learning_rate}) == Next::stop)
      return StopReason::callback;
    if (saves() && history_.steps % options_.checkpoint.every == 0) saved_.write(progress());
    const std::optional<double>& limit = options_.stopping.seconds;
    if (limit && decide([&] { return seconds_since(start_) >= *limit; })) return StopReason::time_limit;
    return std::nullopt;
  }

  [[noreturn]] void give_up(const char* what, const Accumulation& step) {
    std::optional<std::string> origin = step.origin_of_nonfinite(optimizer_.parameters());
    if (team_) origin = first_of(origin);
    checkpoint_.restore();
    const std::string text =
        fmt::format("fit: the {} is not finite at step {}: {}; the parameters are those before step {}", what,
                    history_.steps, origin.value_or("a second run of the step is finite"), checkpoint_step_);
    throw NonFiniteLoss(text, end(StopReason::not_finite));
  }

  void evaluate_epoch() {
    EpochRecord& record = history_.epochs.back();
    if (!record.complete || (!options_.validation && options_.metrics.empty())) return;
    Evaluation evaluation = evaluate_on(team_ ? &team_->ranks() : nullptr, model_,
                                        options_.validation ? *options_.validation : batches_.dataset(),
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

  void go_on_from(TrainingState state) {
    history_ = std::move(state.history);
    seconds_before_ = history_.seconds;
    epochs_done_ = state.epochs_done;
    batches_done_ = state.batches_done;
    loss_.state(state.loss);
    judge_.state(state.stopping);
    checkpoint_.save();
    checkpoint_step_ = history_.steps;
  }

  // What ranks that train together do besides; see FitOptions::ranks.

  bool first() const { return !team_ || team_->first(); }
  bool saves() const { return first() && !options_.checkpoint.path.empty(); }

  void join(Ranks& ranks) {
    team_.emplace(ranks, model_, optimizer_.parameters(), options_.bucket_bytes);
    require_same(ranks, "fit", "need the same on every rank: start all with one program, its flags and its data",
                 particulars_of(model_, optimizer_, batches_.dataset(), options_));
    const std::int64_t parts = options_.parts ? BatchCut(batches_.examples(0), *options_.parts).parts : 1;
    if (parts < ranks.size())
      throw_as<ValueError>(
          "fit: {} ranks, and batches of {} rows that are cut into {}; need as many parts as ranks, at least: set "
          "parts, "
          "which the bits depend on, say to 16",
          ranks.size(), batches_.examples(0), parts);
    if (!first()) progress_ = nullptr;
  }

  /// Takes over what the first rank has, and hears what it will ask all about.
  void follow_first() {
    const std::string found = of_first(team_->ranks(), [this](MessageWriter& message) {
      std::string state;
      write_safetensors(saved_.content(progress()), [&state](std::string_view bytes) { state += bytes; });
      message << asks_.on_step << asks_.on_epoch << state;
    });
    if (first()) return;
    MessageReader message(found);
    message >> asks_.on_step >> asks_.on_epoch;
    const char* const from = "what rank 0 has";
    go_on_from(saved_.take(parse_safetensors(message.read<std::string>(), from), from));
  }

  /// Of a batch's examples those of the parts that this rank has. A transform sees the whole batch.
  std::span<const std::int64_t> own_of(std::span<const std::int64_t> examples) const {
    if (!team_ || options_.transform) return examples;
    const BatchCut cut(std::ssize(examples), *options_.parts);
    const Run rows = cut.rows_of(team_->share(cut.parts));
    return examples.subspan(static_cast<std::size_t>(rows.first), static_cast<std::size_t>(rows.size()));
  }

  /// What the first rank chooses.
  template <class Choose>
  std::invoke_result_t<Choose> decide(const Choose& choose) const {
    if (!team_) return choose();
    const std::string found = of_first(team_->ranks(), [&](MessageWriter& message) { message << choose(); });
    return MessageReader(found).read<std::invoke_result_t<Choose>>();
  }

  /// By the schedule, which may look at what callbacks have left.
  double scheduled_rate() const {
    const auto rate = [this] { return options_.schedule(optimizer_.steps()); };
    return asks_.on_step || asks_.on_epoch ? decide(rate) : rate();
  }

  /// The text of the lowest rank that has one.
  std::optional<std::string> first_of(const std::optional<std::string>& own) const {
    for (const std::string& found :
         agree(team_->ranks(), [&own](MessageWriter& message) { message << own.has_value() << own.value_or(""); })) {
      MessageReader message(found);
      if (message.read<bool>()) return message.read<std::string>();
    }
    return std::nullopt;
  }

  /// Calls on the first rank, and does on the others what the call did to the training.
  template <class Record>
  Next call_back(const std::function<Next(const Record&)>& function, const Record& record) {
    if (!team_) return function(record);
    // A transform that prepares the next batch on another thread draws meanwhile.
    const bool draws = !(options_.transform && options_.batches.prefetch);
    const std::string found = of_first(team_->ranks(), [&](MessageWriter& message) {
      std::vector<std::uint32_t> versions;
      for (const Tensor& x : state_) versions.push_back(x.version());
      message << (function(record) == Next::stop) << optimizer_.learning_rate() << model_.training();
      const Generator::State at = default_generator().state();
      message << at.seed << at.stream << at.position;
      for (std::size_t i = 0; i < state_.size(); ++i)
        if (state_[i].version() != versions[i]) message << true << i << state_[i];
      message << false;
    });
    MessageReader message(found);
    const auto stop = message.read<bool>();
    const auto learning_rate = message.read<double>();
    const auto training = message.read<bool>();
    Generator::State at;
    message >> at.seed >> at.stream >> at.position;
    if (!first()) {
      optimizer_.learning_rate(learning_rate);
      if (training != model_.training()) model_.training(training);
      if (draws) default_generator() = Generator(at);
      while (message.read<bool>()) {
        Tensor x = state_.at(message.read<std::size_t>());
        x.assign(message.read<Tensor>());
      }
    }
    return stop ? Next::stop : Next::go_on;
  }

  /// RankError if a rank has other bits.
  void compare() {
    if (!team_ || options_.compare_ranks == 0) return;
    require_same(team_->ranks(), fmt::format("fit, after step {}", history_.steps),
                 "need the same bits on every rank: model, loss, optimizer and callbacks must not compute what depends "
                 "on the rank, the time or the machine",
                 saved_.digests());
  }

  const AnyModel& model_;
  Optimizer& optimizer_;
  const FitOptions& options_;
  std::optional<Team> team_;
  Progress* progress_ = options_.progress;
  struct {
    bool on_step, on_epoch;
  } asks_ = {options_.on_step != nullptr, options_.on_epoch != nullptr};
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
  History history;
  together(options.ranks.get(), [&](Ranks* ranks) {
    check(options);
    history = Training(model, optimizer, data, options, ranks).run();
  });
  return history;
}

}  // namespace xgrad::nn
