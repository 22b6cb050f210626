#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/text/words.hpp>
#include <nn/doctor/checks.hpp>
#include <nn/training/registered.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>

namespace xgrad::nn {

namespace {

/// A clone in float64 in eval mode, in which rows are the same to many digits however they are batched.
AnyModel exact_clone(const AnyModel& model) {
  AnyModel copy = unfrozen_clone(model);
  copy.module().to(float64);
  copy.training(false);
  return copy;
}

Batch exact(const Batch& batch) { return {batch.inputs.map(in_float64), batch.targets.map(in_float64)}; }

Batch part_of(const Batch& batch, std::int64_t first, std::int64_t last) {
  const Pause pause;
  const auto rows = [&](const Tensor& x) { return slice(x, 0, first, last); };
  return {batch.inputs.map(rows), batch.targets.map(rows)};
}

/// max |a - b| over a and the first rows of b, relative to max |b| there.
double deviation_of_rows(const Tensor& a, const Tensor& b) {
  if (a.size() == 0) return 0;
  const Pause pause;
  const Tensor same = slice(b, 0, 0, a.shape(0));
  const double size = max(abs(same)).item();
  return size > 0 ? max(abs(a - same)).item() / size : 0;
}

constexpr double same_rows = 1e-6;  // in float64, relative

/// Whether a may be the first rows of b.
bool comparable(const Tensor& a, const Tensor& b, std::int64_t rows_of_a, std::int64_t rows_of_b) {
  if (a.rank() == 0 || a.rank() != b.rank() || a.dtype() != float64 || b.dtype() != float64) return false;
  if (a.shape(0) != rows_of_a || b.shape(0) != rows_of_b) return false;
  return std::equal(a.shape().begin() + 1, a.shape().end(), b.shape().begin() + 1);
}

std::string or_input(const std::string& layer) { return layer.empty() ? "input" : layer; }

/// Back from operations that move values to the one that made them.
std::size_t source_of(const LayerTrace& trace, std::size_t place) {
  while (trace.values()[place].kind == OperationKind::arrangement && trace.values()[place].inputs.size() == 1)
    place = trace.values()[place].inputs.front();
  return place;
}

/// A run in which also is seen what happens before the first layer.
DoctorRun exact_run(const AnyModel& model, Batch batch) {
  DoctorRun run;
  batch.inputs =
      batch.inputs.map([](const Tensor& x) { return is_floating(x.dtype()) ? x.clone().requires_gradient() : x; });
  run_model(model, batch, run, false);
  return run;
}

/// Names of a value in `all`, a run of a batch, that differs from that in `few`, a run of its first rows: its layer and
/// the operation that it comes from.
std::pair<std::string, std::string> first_difference(const DoctorRun& few, const DoctorRun& all, std::int64_t half,
                                                     std::int64_t rows) {
  const auto &a = few.trace.values(), &b = all.trace.values();
  for (std::size_t i = 0; i < std::min({a.size(), b.size(), all.end}); ++i)
    if (comparable(a[i].output, b[i].output, half, rows) && deviation_of_rows(a[i].output, b[i].output) > same_rows)
      return {or_input(b[i].layer), b[source_of(all.trace, i)].operation};
  return {};
}

void check_rows(Patient& p) {
  const std::int64_t rows = p.batch.rows(), half = rows / 2;
  if (half < 1) return p.skip("the batch has one row");
  DoctorRun all, few;
  try {
    const AnyModel copy = exact_clone(p.model);
    const Batch batch = exact(p.batch);
    all = exact_run(copy, batch);
    few = exact_run(copy, part_of(batch, 0, half));
  } catch (const Error& error) {
    return p.skip(std::string("the model does not run in float64: ") + error.what());
  }
  if (!comparable(few.prediction, all.prediction, half, rows)) return p.skip("outputs of other shapes");
  const double difference = deviation_of_rows(few.prediction, all.prediction);
  p.measured("outputs change by {:.3g} without the other rows", difference);
  if (!(difference > same_rows)) return;
  const auto [layer, operation] = first_difference(few, all, half, rows);
  p.error(layer.empty() ? p.output_layer : layer, difference, "an output row depends on its input row alone, to 1e-6",
          "{} mixes the rows of a batch: the output for an example changes with the examples beside it; "
          "was axis 0 meant to be another axis, such as -1?",
          operation.empty() ? "an operation" : operation);
}

void check_reduction(Patient& p) {
  const std::int64_t rows = p.batch.rows(), half = rows / 2;
  if (half < 1) return p.skip("the batch has one row");
  double all = 0, first = 0, second = 0;
  try {
    const AnyModel copy = exact_clone(p.model);
    const Batch batch = exact(p.batch);
    const Pause pause;
    const auto loss_of = [&](const Batch& b) { return copy.loss_of(b.inputs, b.targets).item(); };
    all = loss_of(batch);
    first = loss_of(part_of(batch, 0, half));
    second = loss_of(part_of(batch, half, rows));
  } catch (const Error& error) {
    return p.skip(std::string("the model does not run in float64: ") + error.what());
  }
  const auto share = static_cast<double>(half) / static_cast<double>(rows);
  const bool is_mean = std::abs(all - share * first - (1 - share) * second) <= same_rows * std::abs(all);
  const bool is_sum = std::abs(all - first - second) <= same_rows * std::abs(all);
  if (is_mean == is_sum) return p.measured("neither");
  p.measured("{}", is_sum ? "sum" : "mean");
  if (is_sum && p.options.reduction == Reduction::mean)
    p.error("loss", all / std::max(first, second), "the loss is a mean over rows, as the options say",
            "the loss is a sum over the rows of a batch: with {0} rows, steps are {0} times longer than with the mean; "
            "use Reduction::mean, or say {{.reduction = Reduction::sum}} and divide the learning rate",
            rows);
  if (is_mean && p.options.reduction == Reduction::sum)
    p.error("loss", all, "the loss is a sum over rows, as the options say",
            "the loss is a mean over the rows of a batch");
}

void check_output(Patient& p) {
  const auto& values = p.run.trace.values();
  const auto last = p.run.trace.find(p.run.prediction);
  const auto takes_logits =
      std::find_if(values.begin() + static_cast<std::ptrdiff_t>(p.run.end), values.end(), [](const TracedValue& value) {
        return value.kind == OperationKind::probabilities || value.kind == OperationKind::log_probabilities;
      });
  if (!last || takes_logits == values.end()) return;
  const TracedValue& output = values[source_of(p.run.trace, *last)];
  p.measured("the loss takes the result of {}", output.operation);
  if (output.kind != OperationKind::probabilities && !std::isfinite(output.bounds.low)) return;
  p.error(or_input(output.layer), NAN, "a loss that takes logits gets those of the last layer",
          "the model ends with {0}, but the loss ({1}) applies its own to what it gets, so that probabilities are "
          "squashed twice and learning is slow; let the model return the numbers before {0}",
          output.operation, takes_logits->operation);
}

void check_frozen(Patient& p) {
  if (p.options.allow_frozen) return p.skip("allowed");
  std::set<std::string> layers;
  const auto note = [&](const NamedTensor& named, const char* what, const char* advice) {
    const std::string layer = layer_of_parameter(named.path);
    if (!layers.insert(layer).second) return;
    p.warn(layer, NAN, "every parameter is learned",
           "{} {}, so that it stays as it is; {}, or say {{.allow_frozen = true}} if that is intended", named.path,
           what, advice);
  };
  const auto optimizer_has = [&](const Tensor& x) {
    if (p.optimizer == nullptr) return true;
    const auto& given = p.optimizer->parameters();
    return std::any_of(given.begin(), given.end(), [&](const Tensor& own) { return own.is(x); });
  };
  for (const NamedTensor& named : p.model.parameters()) {
    if (!named.tensor.is_leaf())
      note(named, "is frozen", "call requires_gradient(true)");
    else if (!optimizer_has(named.tensor))
      note(named, "was not given to the optimizer", "add it to its parameters");
  }
  p.measured("{} layers", layers.size());
}

void check_flow(Patient& p) {
  std::set<const TensorBody*> used;
  for (const TracedValue& value : p.run.trace.values())
    for (const Tensor& parameter : value.parameters) used.insert(parameter.body_or_null());
  std::vector<std::pair<std::string, std::set<std::string>>> cut;  // layer, its parameters
  const std::vector<NamedTensor> parameters = p.copy.parameters();
  std::size_t reached = 0;
  for (const auto& [path, parameter] : parameters) {
    const std::string layer = layer_of_parameter(path);
    if (p.run.gradients.contains(parameter)) {
      ++reached;
    } else if (!used.contains(parameter.body_or_null())) {
      p.warn(layer, 0, "every parameter is used", "{} is not used: is the layer called in operator()?", path);
    } else {
      if (cut.empty() || cut.back().first != layer) cut.emplace_back(layer, std::set<std::string>());
      cut.back().second.insert(path);
    }
  }
  p.measured("{} of {} parameters get a gradient", reached, parameters.size());
  if (const std::string found = unregistered(
          p.copy, p.run.gradients, p.optimizer != nullptr ? p.optimizer->parameters() : std::vector<Tensor>());
      !found.empty())
    p.error("model", 0, "every tensor that is learned is a parameter", "{}", found);
  // The cut is behind the last of them.
  for (auto layer = cut.rbegin(); layer != cut.rend(); ++layer)
    p.error(layer->first, 0, "every parameter that is used gets a gradient",
            "no gradient reaches {} although the loss uses it: is there a detach, a Pause, or an argmax or other "
            "function without a gradient after it?",
            joined(layer->second));
}

}  // namespace

std::span<const NamedCheck> structure_checks() {
  static constexpr NamedCheck checks[] = {{"rows", check_rows},
                                          {"reduction", check_reduction},
                                          {"output", check_output},
                                          {"frozen", check_frozen},
                                          {"gradient flow", check_flow}};
  return checks;
}

}  // namespace xgrad::nn
