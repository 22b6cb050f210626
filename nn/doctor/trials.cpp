#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/compare.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/linear_algebra.hpp>
#include <autograd/ops/reduce.hpp>
#include <nn/doctor/checks.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/optimizers/adam.hpp>
#include <nn/optimizers/sgd.hpp>
#include <nn/training/snapshot.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace xgrad::nn {

namespace {

constexpr std::int64_t rate_steps = 30;
constexpr double max_loss_growth = 1.5;
constexpr double overfit_rate = 0.01;
constexpr double overfit_loss = 0.5;  // of the loss before
constexpr double min_agreement = 3;   // in standard deviations

/// The loss of a batch, and a step of the optimizer unless it is not finite.
double step_on(const AnyModel& model, const Batch& batch, Optimizer& optimizer) {
  const BatchPart part(0, nullptr);  // its notes are not taken: streams and running statistics stay
  Tape tape;
  const Tensor loss = model.loss_of(batch.inputs, batch.targets);
  if (std::isfinite(loss.item())) optimizer.step(tape.backward(loss));
  return loss.item();
}

/// Puts parameters, buffers and optimizer back.
class Restore {
 public:
  Restore(const AnyModel& model, Optimizer& optimizer)
      : tensors_(model.with_buffers(model.module().parameters())), optimizer_(optimizer), state_(optimizer.state()) {}
  ~Restore() {
    tensors_.restore();
    optimizer_.state(state_);
  }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;

 private:
  Snapshot tensors_;
  Optimizer& optimizer_;
  OptimizerState state_;
};

struct RateTrial {
  double first = 0, last = 0;
  double longest = 0;  // ‖Δw‖ / ‖w‖ of the first step
  std::string layer;   // of it
};

RateTrial try_rate(const AnyModel& model, const Batch& batch, Optimizer& optimizer) {
  const ModeScope mode(model, true);
  RateTrial trial;
  const std::vector<NamedTensor> parameters = model.parameters();
  const Snapshot before(model.module().parameters());
  trial.first = trial.last = step_on(model, batch, optimizer);
  const std::vector<std::optional<double>> changes = before.relative_changes();
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (parameters[i].tensor.rank() < 2 || !(changes[i] > trial.longest)) continue;
    trial.longest = *changes[i];
    trial.layer = layer_of_parameter(parameters[i].path);
  }
  for (std::int64_t step = 0; step < rate_steps && std::isfinite(trial.last); ++step)
    trial.last = step_on(model, batch, optimizer);
  return trial;
}

/// Of the patient's optimizer on the model itself, which is put back, or of SGD on a clone.
RateTrial try_rate(const Patient& p) {
  if (p.optimizer != nullptr) {
    const Restore restore(p.model, *p.optimizer);
    return try_rate(p.model, p.batch, *p.optimizer);
  }
  const AnyModel copy = p.model.clone();
  SGD optimizer(copy.module().parameters(), {.learning_rate = p.learning_rate});
  return try_rate(copy, p.batch, optimizer);
}

/// The row nearest to each row, another one: ‖x - y‖² = ‖x‖² + ‖y‖² - 2 x·y.
Tensor nearest_rows(const Tensor& inputs) {
  const Tensor x = reshape(inputs.to(float64), {inputs.shape(0), -1}), squares = sum(square(x), {1}, true);
  Tensor distances = squares + transpose(squares) - 2.0 * matmul(x, transpose(x));
  distances.modify([&](std::span<double> d) {
    for (std::size_t i = 0; i < d.size(); i += x.extent(0) + 1) d[i] = INFINITY;  // of a row from itself
  });
  return argmin(distances, 1);
}

/// How many standard deviations more often than by chance neighbours have the same label, or for numbers (n, m) how
/// much larger their correlation is.
double agreement(const Tensor& targets, const Tensor& nearest) {
  const auto n = static_cast<double>(targets.size());
  const Tensor of_nearest = take(targets, nearest);
  if (targets.dtype() == int64) {
    std::map<std::int64_t, double> counts;
    for (const std::int64_t label : targets.values<std::int64_t>()) ++counts[label];
    double chance = 0;
    for (const auto& [label, count] : counts) chance += (count / n) * ((count - 1) / (n - 1));
    const double same = mean(eq(targets, of_nearest).to(float64)).item();
    return chance < 1 ? (same - chance) / std::sqrt(chance * (1 - chance) / n) : INFINITY;
  }
  const Shape table = {targets.shape(0), -1};
  const Tensor t = reshape(targets.to(float64), table), middle = mean(t, {0}), own = t - middle;
  const Tensor product = sum(own * (reshape(of_nearest.to(float64), table) - middle), {0}),
               variance = sum(square(own), {0});
  return max(where(gt(variance, 0), product / variance * std::sqrt(t.shape(0)), INFINITY)).item();
}

void check_learning_rate(Patient& p) {
  const RateTrial trial = try_rate(p);
  p.measured("{:.3g}: loss {:.3g} to {:.3g}, longest first step {:.3g} of its weight", p.learning_rate, trial.first,
             trial.last, trial.longest);
  const bool grows = !(trial.last <= max_loss_growth * trial.first);
  if (!grows && !(trial.longest > 1)) return;
  p.error(trial.layer.empty() ? p.output_layer : trial.layer, p.learning_rate,
          "no first step longer than its weight, loss at most 1.5 times after 30 steps",
          "the learning rate {:.3g} is too large: the first step changes the weights by {:.3g} % of their size, and "
          "after {} steps on one batch the loss went from {:.3g} to {:.3g}; try a tenth or less until it falls",
          p.learning_rate, 100 * trial.longest, rate_steps, trial.first, trial.last);
}

void check_overfit(Patient& p) {
  const AnyModel copy = unfrozen_clone(p.model);
  copy.training(false);  // without dropout
  Adam optimizer(copy.module().parameters(), {.learning_rate = overfit_rate});
  const double first = step_on(copy, p.batch, optimizer);
  double least = first;
  for (std::int64_t step = 1; step < p.options.steps && least >= overfit_loss * first; ++step)
    least = std::min(least, step_on(copy, p.batch, optimizer));
  p.measured("loss {:.3g} to {:.3g}", first, least);
  if (least < overfit_loss * first) return;
  p.error(
      p.output_layer, least / first, "the loss of one batch falls below half",
      "the model cannot memorise one batch: in {} steps of Adam the loss went only from {:.3g} to {:.3g}; it has too "
      "few units, information is lost on the way, or the inputs do not determine the targets",
      p.options.steps, first, least);
}

void check_labels(Patient& p) {
  if (std::min(p.options.label_rows, p.data.size()) < 50) return p.skip("fewer than 50 rows");
  const Batch batch = p.draw(p.options.label_rows);
  if (batch.inputs.count() > 1 || batch.targets.count() > 1) return p.skip("several inputs or targets");
  if (!is_floating(batch.inputs.dtype())) return p.skip("indices have no distances");
  const Pause pause;
  const double found = agreement(batch.targets, nearest_rows(batch.inputs));
  p.measured("neighbours agree by {:.3g} standard deviations more than by chance", found);
  if (found >= min_agreement) return;
  p.warn(
      "targets", found, "at least 3 standard deviations more agreement than by chance",
      "examples that are alike have targets as different as any others: were inputs and targets shuffled apart, or a "
      "column shifted? The model could memorise them, but would learn nothing that holds for new examples");
}

}  // namespace

std::span<const NamedCheck> training_checks() {
  static constexpr NamedCheck checks[] = {
      {"learning rate", check_learning_rate}, {"overfit", check_overfit}, {"labels", check_labels}};
  return checks;
}

}  // namespace xgrad::nn
