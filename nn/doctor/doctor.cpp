#include <autograd/ops/layout.hpp>
#include <autograd/ops/random.hpp>
#include <nn/doctor/checks.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/training/nonfinite.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace xgrad::nn {

namespace {

void require_positive(const char* option, std::int64_t value) {
  if (value < 1) throw ValueError("doctor: " + std::string(option) + " " + std::to_string(value) + "; need at least 1");
}

/// The path of a layer that an error's text begins with, or `model`.
std::string layer_of_error(const std::string& text, const Module& model) {
  std::string layer = "model";
  for (const NamedTensor& named : model.named_parameters()) {
    const std::string path = layer_of_parameter(named.path);
    if (text.starts_with(path + ":")) layer = path;
  }
  return layer;
}

}  // namespace

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string percent_of(double fraction) { return short_number(100 * fraction) + " %"; }

ModelCopy unfrozen_copy(const DoctorCalls& calls) {
  ModelCopy copy = calls.copy();
  copy.module->requires_gradient(true);
  return copy;
}

void run_model(const ModelCopy& model, const TrainingCalls& calls, const Batch& batch, DoctorRun& run, bool backward) {
  Tape tape({.observer = &run.trace});
  run.prediction = model.call(batch.inputs);
  run.end = run.trace.values().size();
  run.loss = calls.loss(run.prediction, batch.targets);
  if (!backward || run.loss.size() != 1) return;
  try {
    run.gradients = tape.backward(run.loss);
  } catch (const TapeError&) {
    run.reached = false;
  }
}

bool check_shapes(Patient& p) {
  p.begin("shapes");
  try {
    run_model(p.copy, p.calls.training, p.batch, p.run, true);
  } catch (const Error& error) {
    p.find(Severity::error, layer_of_error(error.what(), *p.copy.module), NAN, "model and loss run on a batch",
           std::string(error.what()) + "; inputs of the batch are " + to_string(p.batch.inputs.shape()) + ", targets " +
               to_string(p.batch.targets.shape()));
    return false;
  }
  const auto last = p.run.trace.find(p.run.prediction);
  p.output_layer = last ? p.run.trace.values()[*last].layer : "model";
  p.measured(to_string(p.batch.inputs.shape()) + " to " + to_string(p.run.prediction.shape()) + ", loss " +
             to_string(p.run.loss.shape()));
  const std::int64_t rows = p.batch.inputs.shape(0);
  if (p.run.prediction.rank() == 0 || p.run.prediction.shape(0) != rows)
    p.find(Severity::error, p.output_layer, NAN, "one row of the output for each of the input",
           "the output is " + to_string(p.run.prediction.shape()) + " for " + std::to_string(rows) + " inputs");
  if (p.run.loss.size() == 1) return true;
  p.find(Severity::error, "loss", static_cast<double>(p.run.loss.size()), "the loss is one number",
         "the loss is " + to_string(p.run.loss.shape()) + "; reduce it with Reduction::mean");
  return false;
}

DoctorReport doctor_of(const DoctorCalls& calls, const Dataset& data, const DoctorOptions& options) {
  require_positive("rows", options.rows);
  require_positive("steps", options.steps);
  require_positive("label_rows", options.label_rows);
  if (data.size() == 0) throw ValueError("doctor: the dataset is empty; need at least one row");
  if (options.reduction == Reduction::none) throw ValueError("doctor: reduction none; need mean or sum");

  Patient patient{calls, data, options};
  Generator generator(options.seed);
  const Tensor order = permutation(data.size(), generator);
  const auto count = static_cast<std::size_t>(std::min(options.rows, data.size()));
  patient.batch = data.take(order.values<std::int64_t>().first(count), options.dtype);
  if (options.transform) patient.batch = options.transform(patient.batch);
  patient.copy = unfrozen_copy(calls);
  patient.copy.module->train();

  const auto nothing_found = [&] { return patient.report.findings.empty(); };
  const bool runs = check_shapes(patient);
  check_inputs(patient);
  check_targets(patient);
  if (!runs) return std::move(patient.report);
  check_rows(patient);
  check_reduction(patient);
  check_output(patient);
  check_frozen(patient);
  check_flow(patient);
  check_initialisation(patient);
  check_nonlinearity(patient);
  check_dead_units(patient);
  check_saturation(patient);
  check_initial_loss(patient);
  check_sampled_gradients(patient);
  using Check = void (*)(Patient&);
  const std::pair<const char*, Check> trainings[] = {
      {"learning rate", check_learning_rate}, {"overfit", check_overfit}, {"labels", check_labels}};
  for (const auto& [name, check] : trainings) {
    if (nothing_found()) {
      try {
        check(patient);
      } catch (const Error& error) {
        patient.find(Severity::error, layer_of_error(error.what(), *calls.model), NAN, "steps of training run",
                     error.what());
      }
    } else {
      patient.begin(name);
      patient.skip("because of what was found before");
    }
  }
  return std::move(patient.report);
}

}  // namespace xgrad::nn
