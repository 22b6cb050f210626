#include <autograd/tensor/format.hpp>
#include <autograd/text/json.hpp>
#include <autograd/text/numbers.hpp>
#include <autograd/text/table.hpp>
#include <autograd/text/words.hpp>
#include <nn/inspection/diagnostics.hpp>

#include <cmath>
#include <nlohmann/json.hpp>

namespace xgrad::nn {

namespace {

template <class Row>
const Row& row_named(const std::vector<Row>& rows, std::string_view name) {
  for (const Row& row : rows)
    if (row.name == name) return row;
  throw_as<ValueError>("diagnosis: no row '{}'; there are: {}", name, joined(rows, &Row::name));
}

}  // namespace

const LayerDiagnostics& Diagnosis::layer(std::string_view name) const& { return row_named(layers, name); }
const ParameterDiagnostics& Diagnosis::parameter(std::string_view name) const& { return row_named(parameters, name); }

std::string Diagnosis::text() const {
  TextTable table = {{"output of", "shape", "mean", "std", "saturated", "dead units", "gradient norm"}};
  for (const LayerDiagnostics& row : layers)
    table.push_back({row.name, to_string(row.shape), short_number(row.mean), short_number(row.std),
                     percent(row.saturated), percent(row.dead), short_number(row.gradient_norm)});
  std::string text = aligned(table, 2);
  table = {{"parameter", "norm", "gradient norm", "update / weight"}};
  for (const ParameterDiagnostics& row : parameters)
    table.push_back(
        {row.name, short_number(row.norm), short_number(row.gradient_norm), short_number(row.update_ratio)});
  return text + aligned(table, 1) + fmt::format("loss {}\n", short_number(loss));
}

std::string Diagnosis::json() const {
  using Json = nlohmann::ordered_json;
  Json result = {{"epoch", epoch}, {"loss", loss}, {"layers", Json::array()}, {"parameters", Json::array()}};
  for (const LayerDiagnostics& row : layers)
    result["layers"].push_back({{"name", row.name},
                                {"layer", row.layer},
                                {"operation", row.operation},
                                {"shape", std::vector<std::int64_t>(row.shape.begin(), row.shape.end())},
                                {"mean", row.mean},
                                {"std", row.std},
                                {"largest", row.largest},
                                {"saturated", row.saturated.value_or(NAN)},
                                {"dead", row.dead.value_or(NAN)},
                                {"gradient_norm", row.gradient_norm}});
  for (const ParameterDiagnostics& row : parameters)
    result["parameters"].push_back({{"name", row.name},
                                    {"layer", row.layer},
                                    {"norm", row.norm},
                                    {"gradient_norm", row.gradient_norm.value_or(NAN)},
                                    {"update_ratio", row.update_ratio.value_or(NAN)}});
  return json_text(result);
}

Diagnosis diagnose_of(const AnyModel& model, const Batch& batch) {
  rows_of("diagnose", batch.inputs, batch.targets);
  const AnyModel copy = model.clone();
  LayerTrace trace;
  Tape tape({.observer = &trace});
  const std::vector<Tensor> outputs = copy.outputs(batch.inputs);
  const std::size_t end = trace.values().size();  // what follows is the loss
  const Tensor loss = copy.loss(outputs, batch.targets);
  std::vector<std::size_t> places;
  BackwardOptions options;
  for (std::size_t i = 0; i < end; ++i) {
    const TracedValue& value = trace.values()[i];
    if (!value.layer_output && !value.activation) continue;
    places.push_back(i);
    options.also.push_back(value.output);
  }
  Diagnosis result;
  result.loss = loss.size() == 1 ? loss.item() : 0;  // backward refuses the others
  const Gradients gradients = tape.backward(loss, options);
  for (const std::size_t place : places) {
    const TracedValue& value = trace.values()[place];
    const Tensor* const gradient = gradients.find(value.output);
    result.layers.push_back({activation_statistics(value.output, value.bounds), value.name(), value.layer,
                             value.operation, value.output.shape(), gradient == nullptr ? 0 : norm_of(*gradient)});
  }
  for (const NamedTensor& named : copy.parameters()) {
    const Tensor* const gradient = gradients.find(named.tensor);
    result.parameters.push_back({named.path, layer_of_parameter(named.path), norm_of(named.tensor),
                                 gradient == nullptr ? std::nullopt : std::optional(norm_of(*gradient)), std::nullopt});
  }
  return result;
}

Diagnostics::Diagnostics(AnyModel model, Batch probe, std::int64_t updates_every)
    : model_(std::move(model)), probe_(std::move(probe)), updates_every_(updates_every) {
  if (updates_every < 1) throw_as<ValueError>("diagnostics: updates_every {}; need at least 1", updates_every);
  for (const NamedTensor& named : model_.parameters()) parameters_.push_back(named.tensor);
  ratios_.resize(parameters_.size());
  measured_.resize(parameters_.size());
  if (updates_every_ == 1) before_.emplace(parameters_);
}

FitOptions Diagnostics::watch(FitOptions options) {
  options.on_step = [this, next = std::move(options.on_step)](const StepRecord& record) {
    after_step();
    return next ? next(record) : Next::go_on;
  };
  options.on_epoch = [this, next = std::move(options.on_epoch)](const EpochRecord& record) {
    after_epoch();
    return next ? next(record) : Next::go_on;
  };
  return options;
}

void Diagnostics::after_step() {
  ++steps_;
  if (before_) {
    const std::vector<std::optional<double>> changes = before_->relative_changes();
    for (std::size_t i = 0; i < changes.size(); ++i)
      if (changes[i]) ratios_[i] += *changes[i], ++measured_[i];
  }
  before_.reset();
  if ((steps_ + 1) % updates_every_ == 0) before_.emplace(parameters_);
}

const Diagnosis& Diagnostics::after_epoch() {
  Diagnosis diagnosis = diagnose_of(model_, probe_);
  diagnosis.epoch = static_cast<std::int64_t>(history_.size());
  for (std::size_t i = 0; i < ratios_.size(); ++i)
    if (measured_[i] > 0) diagnosis.parameters[i].update_ratio = ratios_[i] / measured_[i];
  ratios_.assign(parameters_.size(), 0);
  measured_.assign(parameters_.size(), 0);
  history_.push_back(std::move(diagnosis));
  return history_.back();
}

}  // namespace xgrad::nn
