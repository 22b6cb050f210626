#include <autograd/ops/layout.hpp>
#include <nn/doctor/checks.hpp>
#include <nn/layers/batch_part.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

namespace xgrad::nn {

namespace {

/// A clone in float64 in eval mode, in which rows are the same to many digits however they are batched.
ModelCopy exact_copy(const DoctorCalls& calls) {
  ModelCopy copy = unfrozen_copy(calls);
  copy.module->to(float64);
  copy.module->eval();
  return copy;
}

Batch exact(const Batch& batch) {
  Batch result{in_float64(batch.inputs), in_float64(batch.targets)};
  if (is_floating(result.inputs.dtype())) {
    result.inputs = result.inputs.clone();
    result.inputs.requires_gradient();  // so that what happens before the first layer is seen
  }
  return result;
}

Batch part_of(const Batch& batch, std::int64_t first, std::int64_t last) {
  const Pause pause;
  return {slice(batch.inputs, 0, first, last).clone(), slice(batch.targets, 0, first, last).clone()};
}

/// max |a - b| over the elements of a, the first of b, relative to max |b|.
double deviation_of_rows(const Tensor& a, const Tensor& b) {
  const auto few = a.values<double>(), many = b.values<double>();
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < few.size(); ++i) {
    difference = std::max(difference, std::abs(few[i] - many[i]));
    size = std::max(size, std::abs(many[i]));
  }
  return size > 0 ? difference / size : 0;
}

constexpr double same_rows = 1e-6;  // in float64, relative

/// Whether a may be the first rows of b.
bool comparable(const Tensor& a, const Tensor& b, std::int64_t rows_of_a, std::int64_t rows_of_b) {
  if (a.rank() == 0 || a.rank() != b.rank() || a.dtype() != float64 || b.dtype() != float64) return false;
  if (a.shape(0) != rows_of_a || b.shape(0) != rows_of_b) return false;
  return std::equal(a.shape().begin() + 1, a.shape().end(), b.shape().begin() + 1);
}

std::string or_input(const std::string& layer) { return layer.empty() ? "input" : layer; }

bool among(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Operations that change no value, back to the one that made it.
std::size_t source_of(const LayerTrace& trace, std::size_t place) {
  while (among(trace.values()[place].operation, {"reshape", "clone", "permute"}) &&
         trace.values()[place].inputs.size() == 1)
    place = trace.values()[place].inputs.front();
  return place;
}

std::string list_of(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

void check_rows(Patient& p) {
  p.begin("rows");
  const std::int64_t rows = p.batch.inputs.shape(0), half = rows / 2;
  if (half < 1) return p.skip("the batch has one row");
  DoctorRun all, few;
  try {
    const ModelCopy copy = exact_copy(p.calls);
    const Batch batch = exact(p.batch);
    run_model(copy, p.calls.training, batch, all, false);
    Batch part = part_of(batch, 0, half);
    if (is_floating(part.inputs.dtype())) part.inputs.requires_gradient();
    run_model(copy, p.calls.training, part, few, false);
  } catch (const Error& error) {
    return p.skip(std::string("the model does not run in float64: ") + error.what());
  }
  if (!comparable(few.prediction, all.prediction, half, rows)) return p.skip("outputs of other shapes");
  const double difference = deviation_of_rows(few.prediction, all.prediction);
  p.measured("outputs change by " + short_number(difference) + " without the other rows");
  if (!(difference > same_rows)) return;
  std::string layer = p.output_layer, operation = "an operation";
  const auto &a = few.trace.values(), &b = all.trace.values();
  for (std::size_t i = 0; i < std::min({a.size(), b.size(), all.end}); ++i)
    if (comparable(a[i].output, b[i].output, half, rows) && deviation_of_rows(a[i].output, b[i].output) > same_rows) {
      layer = or_input(b[i].layer);
      operation = b[source_of(all.trace, i)].operation;
      break;
    }
  p.find(Severity::error, layer, difference, "an output row depends on its input row alone, to 1e-6",
         operation +
             " mixes the rows of a batch: the output for an example changes with the examples beside it; "
             "was axis 0 meant to be another axis, such as -1?");
}

void check_reduction(Patient& p) {
  p.begin("reduction");
  const std::int64_t rows = p.batch.inputs.shape(0), half = rows / 2;
  if (half < 1) return p.skip("the batch has one row");
  double all = 0, first = 0, second = 0;
  try {
    const ModelCopy copy = exact_copy(p.calls);
    const Batch batch = exact(p.batch);
    const Pause pause;
    const auto loss_of = [&](const Batch& b) { return p.calls.training.loss(copy.call(b.inputs), b.targets).item(); };
    all = loss_of(batch);
    first = loss_of(part_of(batch, 0, half));
    second = loss_of(part_of(batch, half, rows));
  } catch (const Error& error) {
    return p.skip(std::string("the model does not run in float64: ") + error.what());
  }
  const auto share = static_cast<double>(half) / static_cast<double>(rows);
  const bool is_mean = std::abs(all - share * first - (1 - share) * second) <= same_rows * std::abs(all);
  const bool is_sum = std::abs(all - first - second) <= same_rows * std::abs(all);
  p.measured(is_sum && !is_mean ? "sum" : is_mean && !is_sum ? "mean" : "neither");
  if (is_sum && !is_mean && p.options.reduction == Reduction::mean)
    p.find(Severity::error, "loss", all / std::max(first, second), "the loss is a mean over rows, as the options say",
           "the loss is a sum over the rows of a batch: with " + std::to_string(rows) +
               " rows steps are as many times longer than with the mean; use Reduction::mean, or say "
               "{.reduction = Reduction::sum} and divide the learning rate");
  if (is_mean && !is_sum && p.options.reduction == Reduction::sum)
    p.find(Severity::error, "loss", all, "the loss is a sum over rows, as the options say",
           "the loss is a mean over the rows of a batch");
}

void check_output(Patient& p) {
  p.begin("output");
  const auto& values = p.run.trace.values();
  const auto last = p.run.trace.find(p.run.prediction);
  std::string wants_logits;
  for (std::size_t i = p.run.end; i < values.size() && wants_logits.empty(); ++i)
    if (among(values[i].operation, {"softmax_cross_entropy", "mean_softmax_cross_entropy",
                                    "binary_cross_entropy_with_logits", "softmax", "log_softmax"}))
      wants_logits = values[i].operation;
  if (!last || wants_logits.empty()) return;
  const TracedValue& output = values[source_of(p.run.trace, *last)];
  p.measured("the loss takes the result of " + output.operation);
  if (!among(output.operation, {"softmax", "sigmoid", "tanh", "hard_tanh", "relu"})) return;
  p.find(Severity::error, or_input(output.layer), NAN, "a loss that takes logits gets those of the last layer",
         "the model ends with " + output.operation + ", but the loss (" + wants_logits +
             ") applies its own to what it gets, so that probabilities are squashed twice and learning is slow; let "
             "the model give the numbers before " +
             output.operation);
}

void check_frozen(Patient& p) {
  p.begin("frozen");
  if (p.options.allow_frozen) return p.skip("allowed");
  std::vector<std::string> layers;
  std::string names;
  const auto note = [&](const NamedTensor& named, const char* what, const char* advice) {
    const std::string layer = layer_of_parameter(named.path);
    if (std::find(layers.begin(), layers.end(), layer) != layers.end()) return;
    layers.push_back(layer);
    p.find(Severity::warning, layer, NAN, "every parameter is learned",
           named.path + " " + what + ", so that it stays as it is; " + advice +
               ", or say {.allow_frozen = true} if that is meant");
  };
  for (const NamedTensor& named : p.calls.model->named_parameters()) {
    if (!named.tensor.is_leaf())
      note(named, "is frozen", "call requires_gradient(true)");
    else if (p.calls.optimizer != nullptr) {
      const auto& given = p.calls.optimizer->parameters();
      if (std::none_of(given.begin(), given.end(), [&](const Tensor& x) { return x.is(named.tensor); }))
        note(named, "was not given to the optimizer", "add it to its parameters");
    }
  }
  p.measured(std::to_string(layers.size()) + " layers");
}

void check_flow(Patient& p) {
  p.begin("gradient flow");
  std::set<const TensorBody*> used;
  for (const TracedValue& value : p.run.trace.values())
    for (const Tensor& parameter : value.parameters) used.insert(parameter.body_or_null());
  std::vector<std::pair<std::string, std::set<std::string>>> cut;
  std::size_t reached = 0, count = 0;
  for (const NamedTensor& named : p.copy.module->named_parameters()) {
    ++count;
    if (p.run.gradients.contains(named.tensor)) {
      ++reached;
      continue;
    }
    const std::string layer = layer_of_parameter(named.path);
    if (!used.contains(named.tensor.body_or_null())) {
      p.find(Severity::warning, layer, 0, "every parameter is used",
             named.path + " is not used: is the layer called in operator()?");
      continue;
    }
    if (cut.empty() || cut.back().first != layer) cut.emplace_back(layer, std::set<std::string>());
    cut.back().second.insert(named.path);
  }
  p.measured(std::to_string(reached) + " of " + std::to_string(count) + " parameters get a gradient");
  // The cut is behind the last of them.
  for (std::size_t i = cut.size(); i-- > 0;)
    p.find(Severity::error, cut[i].first, 0, "every parameter that is used gets a gradient",
           "no gradient reaches " + list_of(cut[i].second) +
               " although the loss uses it: is there a detach, a Pause, or an argmax or other function without a "
               "gradient after it?");
}

}  // namespace xgrad::nn
