#include <autograd/ops/random.hpp>
#include <nn/doctor/checks.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/optimizers/adam.hpp>
#include <nn/optimizers/sgd.hpp>
#include <nn/training/snapshot.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>

namespace xgrad::nn {

namespace {

constexpr std::int64_t rate_steps = 30;
constexpr double max_loss_growth = 1.5;
constexpr double overfit_rate = 0.01;
constexpr double overfit_loss = 0.5;  // of the loss before
constexpr double deviations = 3;

/// The loss of a batch, and a step of the optimizer unless it is not finite.
double step_on(const std::function<Tensor(const Tensor&)>& model, const TrainingCalls& calls, const Batch& batch,
               Optimizer& optimizer) {
  const BatchPart part(0, nullptr);  // its notes are not taken: streams and running statistics stay
  Tape tape;
  const Tensor loss = calls.loss(model(batch.inputs), batch.targets);
  if (std::isfinite(loss.item())) optimizer.step(tape.backward(loss));
  return loss.item();
}

/// Puts parameters, buffers, mode and optimizer back.
class Restore {
 public:
  explicit Restore(const DoctorCalls& calls)
      : calls_(calls), tensors_(everything(calls)), training_(calls.training.training()) {
    if (calls.optimizer != nullptr) state_ = calls.optimizer->state();
    calls.training.set_training(true);
  }
  ~Restore() {
    tensors_.restore();
    calls_.training.set_training(training_);
    if (calls_.optimizer != nullptr) calls_.optimizer->state(state_);
  }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;

 private:
  static std::vector<Tensor> everything(const DoctorCalls& calls) {
    std::vector<Tensor> tensors = calls.model->parameters();
    tensors.insert(tensors.end(), calls.training.buffers.begin(), calls.training.buffers.end());
    return tensors;
  }
  const DoctorCalls& calls_;
  Snapshot tensors_;
  bool training_;
  OptimizerState state_;
};

struct RateTrial {
  double first = 0, last = 0;
  double longest = 0;  // ‖Δw‖ / ‖w‖ of the first step
  std::string layer;   // of it
};

RateTrial try_rate(const std::function<Tensor(const Tensor&)>& model, const std::vector<NamedTensor>& parameters,
                   const TrainingCalls& calls, const Batch& batch, Optimizer& optimizer) {
  RateTrial trial;
  std::vector<Tensor> before;
  for (const NamedTensor& named : parameters) before.push_back(named.tensor.clone());
  trial.first = trial.last = step_on(model, calls, batch, optimizer);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const double norm = norm_of(before[i]);
    if (before[i].rank() < 2 || norm == 0) continue;
    const double ratio = distance(parameters[i].tensor, before[i]) / norm;
    if (!(ratio > trial.longest)) continue;
    trial.longest = ratio;
    trial.layer = layer_of_parameter(parameters[i].path);
  }
  for (std::int64_t step = 0; step < rate_steps && std::isfinite(trial.last); ++step)
    trial.last = step_on(model, calls, batch, optimizer);
  return trial;
}

/// Σ (x_i - y_i)² of two rows.
template <class T>
double squared_distance(const T* x, const T* y, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto difference = static_cast<double>(x[i] - y[i]);
    sum += difference * difference;
  }
  return sum;
}

/// The row nearest to each other one.
std::vector<std::size_t> nearest_rows(const Tensor& x) {
  const auto rows = static_cast<std::size_t>(x.shape(0)), features = x.size() / rows;
  std::vector<std::size_t> nearest(rows);
  std::vector<double> least(rows, INFINITY);
  visit_floating(x.dtype(), [&]<class T>(T) {
    const T* const values = x.values<T>().data();
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < i; ++j) {
        const double distance = squared_distance(values + i * features, values + j * features, features);
        if (distance < least[i]) least[i] = distance, nearest[i] = j;
        if (distance < least[j]) least[j] = distance, nearest[j] = i;
      }
  });
  return nearest;
}

/// How many standard deviations more often than by chance neighbours have the same label, or for numbers (n, m) how
/// much larger their correlation is.
double agreement(const Tensor& targets, const std::vector<std::size_t>& nearest) {
  const auto n = static_cast<double>(nearest.size());
  if (targets.dtype() == int64) {
    const auto labels = targets.values<std::int64_t>();
    std::map<std::int64_t, double> counts;
    double same = 0, chance = 0;
    for (std::size_t i = 0; i < nearest.size(); ++i) {
      ++counts[labels[i]];
      same += labels[i] == labels[nearest[i]];
    }
    for (const auto& [label, count] : counts) chance += (count / n) * ((count - 1) / (n - 1));
    return chance < 1 ? (same / n - chance) / std::sqrt(chance * (1 - chance) / n) : INFINITY;
  }
  return visit_floating(targets.dtype(), [&]<class T>(T) {
    const auto values = targets.values<T>();
    const std::size_t columns = values.size() / nearest.size();
    double best = -INFINITY;
    for (std::size_t c = 0; c < columns; ++c) {
      double mean = 0, variance = 0, product = 0;
      for (std::size_t i = 0; i < nearest.size(); ++i) mean += static_cast<double>(values[i * columns + c]) / n;
      for (std::size_t i = 0; i < nearest.size(); ++i) {
        const double own = static_cast<double>(values[i * columns + c]) - mean;
        variance += own * own;
        product += own * (static_cast<double>(values[nearest[i] * columns + c]) - mean);
      }
      best = std::max(best, variance > 0 ? product / variance * std::sqrt(n) : INFINITY);
    }
    return best;
  });
}

}  // namespace

void check_sampled_gradients(Patient& p) {
  p.begin("gradients");
  if (!std::isfinite(p.run.loss.item())) return p.skip("the loss is not finite");
  constexpr std::int64_t few = 4;
  const Tensor rows = arange(std::min<std::int64_t>(few, p.data.size()));
  Batch batch = p.data.take(rows.values<std::int64_t>(), p.options.dtype);
  if (p.options.transform) batch = p.options.transform(batch);
  GradientReport report;
  try {
    report = p.calls.check_gradients(batch, {.mode = GradientMode::sampled,
                                             .sample = p.options.gradient_sample,
                                             .seed = p.options.seed,
                                             .allow_zero = true});
  } catch (const Error& error) {
    return p.skip(std::string("the model cannot be checked in float64: ") + error.what());
  }
  p.measured(std::to_string(report.rows.size()) + " tensors against differences");
  for (const GradientRow& row : report.rows) {
    if (row.name == "input" || report.passed(row)) continue;
    if (row.verdict != GradientVerdict::wrong && row.verdict != GradientVerdict::non_finite &&
        row.verdict != GradientVerdict::nondeterministic)
      continue;
    p.find(Severity::error, layer_of_parameter(row.name), row.relative_error, "relative error at most 1e-6",
           "the gradient of " + row.name + " is " + std::string(name_of(row.verdict)) + ": numerical " +
               short_number(row.numerical) + ", analytical " + short_number(row.analytical) +
               "; check the vjp of your own operations with check_gradients");
  }
}

void check_learning_rate(Patient& p) {
  p.begin("learning rate");
  RateTrial trial;
  double rate = p.calls.learning_rate;
  if (p.calls.optimizer != nullptr) {
    rate = p.calls.optimizer->learning_rate();
    const Restore restore(p.calls);
    trial = try_rate(p.calls.training.model, p.calls.model->named_parameters(), p.calls.training, p.batch,
                     *p.calls.optimizer);
  } else {
    const ModelCopy copy = p.calls.copy();
    copy.module->train();
    SGD optimizer(copy.module->parameters(), {.learning_rate = rate});
    trial = try_rate(copy.call, copy.module->named_parameters(), p.calls.training, p.batch, optimizer);
  }
  p.measured(short_number(rate) + ": loss " + short_number(trial.first) + " to " + short_number(trial.last) +
             ", longest first step " + short_number(trial.longest) + " of its weight");
  const bool grows = !(trial.last <= max_loss_growth * trial.first);
  if (!grows && !(trial.longest > 1)) return;
  p.find(Severity::error, trial.layer.empty() ? p.output_layer : trial.layer, rate,
         "no first step longer than its weight, loss at most 1.5 times after 30 steps",
         "the learning rate " + short_number(rate) + " is too large: the first step changes the weights by " +
             percent_of(trial.longest) + " of their size, and after " + std::to_string(rate_steps) +
             " steps on one batch the loss went from " + short_number(trial.first) + " to " + short_number(trial.last) +
             "; try a tenth or less until it falls");
}

void check_overfit(Patient& p) {
  p.begin("overfit");
  const ModelCopy copy = unfrozen_copy(p.calls);
  copy.module->eval();  // without dropout
  Adam optimizer(copy.module->parameters(), {.learning_rate = overfit_rate});
  const double first = step_on(copy.call, p.calls.training, p.batch, optimizer);
  double least = first;
  for (std::int64_t step = 1; step < p.options.steps && least >= overfit_loss * first; ++step)
    least = std::min(least, step_on(copy.call, p.calls.training, p.batch, optimizer));
  p.measured("loss " + short_number(first) + " to " + short_number(least));
  if (least < overfit_loss * first) return;
  p.find(Severity::error, p.output_layer, least / first, "the loss of one batch falls below half",
         "the model cannot learn one batch by heart: in " + std::to_string(p.options.steps) +
             " steps of Adam the loss went only from " + short_number(first) + " to " + short_number(least) +
             "; it has too few units, information is lost on the way, or the inputs do not determine the targets");
}

void check_labels(Patient& p) {
  p.begin("labels");
  Generator generator(p.options.seed);
  const Tensor order = permutation(p.data.size(), generator);
  const auto count = static_cast<std::size_t>(std::min(p.options.label_rows, p.data.size()));
  constexpr std::size_t fewest = 50;
  if (count < fewest) return p.skip("fewer than 50 rows");
  Batch batch = p.data.take(order.values<std::int64_t>().first(count), p.options.dtype);
  if (p.options.transform) batch = p.options.transform(batch);
  if (!is_floating(batch.inputs.dtype())) return p.skip("indices have no distances");
  const double found = agreement(batch.targets, nearest_rows(batch.inputs));
  p.measured("neighbours agree by " + short_number(found) + " standard deviations more than by chance");
  if (found >= deviations) return;
  p.find(Severity::warning, "targets", found, "at least 3 standard deviations more agreement than by chance",
         "examples that are alike have targets as different as any others: were inputs and targets shuffled apart, or "
         "a column shifted? The model could learn them by heart, but nothing that holds for new examples");
}

}  // namespace xgrad::nn
