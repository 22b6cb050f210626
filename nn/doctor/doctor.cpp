#include <autograd/ops/random.hpp>
#include <nn/doctor/checks.hpp>

#include <cmath>
#include <exception>

namespace xgrad::nn {

namespace {

void require_positive(const char* option, std::int64_t value) {
  if (value < 1) throw_as<ValueError>("doctor: {} {}; need at least 1", option, value);
}

/// The path of a layer that an error's text begins with, or `model`.
std::string layer_of_error(const std::string& text, const AnyModel& model) {
  std::string layer = "model";
  for (const NamedTensor& named : model.parameters()) {
    const std::string path = layer_of_parameter(named.path);
    if (text.starts_with(path + ":")) layer = path;
  }
  return layer;
}

/// What a check throws is a finding.
void make(Patient& p, std::span<const NamedCheck> checks, bool only_if_healthy = false) {
  for (const NamedCheck& check : checks) {
    p.report.checks.push_back({check.name});
    if (only_if_healthy && !p.report.findings.empty()) {
      p.skip("because of what was found before");
      continue;
    }
    try {
      check.make(p);
    } catch (const std::exception& error) {
      p.error(layer_of_error(error.what(), p.model), NAN, "model, loss and optimizer run", "{}", error.what());
    }
  }
}

/// False if nothing more can be looked at.
bool check_shapes(Patient& p) {
  p.report.checks.push_back({"shapes"});
  try {
    p.batch = p.draw(p.options.rows);
  } catch (const std::exception& error) {
    p.error("input", NAN, "the transform takes rows of the data", "{}", error.what());
    return false;
  }
  const std::string inputs = p.batch.inputs.shapes();
  try {
    run_model(p.copy, p.batch, p.run, true);
  } catch (const std::exception& error) {
    p.error(layer_of_error(error.what(), p.copy), NAN, "model and loss run on a batch",
            "{}; inputs of the batch are {}, targets {}", error.what(), inputs, p.batch.targets.shapes());
    return false;
  }
  const Tensor &prediction = p.run.prediction, &loss = p.run.loss;
  const auto last = p.run.trace.find(prediction);
  p.output_layer = last ? p.run.trace.values()[*last].layer : "model";
  p.measured("{} to {}, loss {}", inputs, prediction.shape(), loss.shape());
  if (prediction.rank() == 0 || prediction.shape(0) != p.batch.rows())
    p.error(p.output_layer, NAN, "one row of the output for each of the input", "the output is {} for {} inputs",
            prediction.shape(), p.batch.rows());
  if (loss.size() == 1) return true;
  p.error("loss", static_cast<double>(loss.size()), "the loss is one number",
          "the loss is {}; reduce it with Reduction::mean", loss.shape());
  return false;
}

}  // namespace

Batch Patient::draw(std::int64_t rows) const {
  Generator generator(options.seed);
  const Tensor order = permutation(data.size(), generator);
  return take(order.values<std::int64_t>().first(static_cast<std::size_t>(std::min(rows, data.size()))));
}

AnyModel unfrozen_clone(const AnyModel& model) {
  AnyModel copy = model.clone();
  copy.module().requires_gradient(true);
  return copy;
}

void run_model(const AnyModel& model, const Batch& batch, DoctorRun& run, bool backward) {
  Tape tape({.observer = &run.trace});
  const std::vector<Tensor> outputs = model.outputs(batch.inputs);
  run.prediction = outputs.front();
  run.predictions = outputs.size();
  run.end = run.trace.values().size();
  run.loss = model.loss(outputs, batch.targets);
  if (!backward || run.loss.size() != 1) return;
  try {
    run.gradients = tape.backward(run.loss);
  } catch (const TapeError&) {  // it depends on no parameter, which check_flow finds
  }
}

DoctorReport doctor_of(const AnyModel& model, Optimizer* optimizer, double learning_rate, const Dataset& data,
                       const DoctorOptions& options) {
  require_positive("rows", options.rows);
  require_positive("steps", options.steps);
  require_positive("label_rows", options.label_rows);
  if (data.size() == 0) throw ValueError("doctor: the dataset is empty; need at least one row");
  if (options.reduction == Reduction::none) throw ValueError("doctor: reduction none; need mean or sum");

  Patient patient{model, optimizer, learning_rate, data, options, unfrozen_clone(model)};
  patient.copy.training(true);
  const bool runs = check_shapes(patient);
  if (patient.batch.inputs.count() > 0) make(patient, data_checks());
  if (runs) {
    make(patient, structure_checks());
    make(patient, value_checks());
    make(patient, training_checks(), true);
  }
  return std::move(patient.report);
}

}  // namespace xgrad::nn
