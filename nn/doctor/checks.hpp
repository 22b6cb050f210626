#pragma once

#include <nn/doctor/doctor.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace xgrad::nn {

// The doctor's checks, one function each; what they have in common is a Patient.

/// One forward pass on a tape, and its gradients.
struct DoctorRun {
  LayerTrace trace;
  Tensor prediction;
  std::size_t end = 0;  ///< traced values of the model; those from here on are the loss
  Tensor loss;
  Gradients gradients;
  bool reached = true;  ///< the loss depends on some parameter
};

struct Patient {
  const DoctorCalls& calls;
  const Dataset& data;
  const DoctorOptions& options;
  Batch batch = {};
  ModelCopy copy = {};            ///< all parameters require gradients, in training mode
  DoctorRun run = {};             ///< of it on the batch
  std::string output_layer = {};  ///< that gave the prediction
  DoctorReport report = {};

  void begin(const char* check) { report.checks.push_back({check}); }
  void measured(const std::string& text) { report.checks.back().measured = text; }
  void skip(const std::string& why) { report.checks.back().skipped = why; }
  void find(Severity severity, std::string layer, double value, std::string rule, std::string text) {
    report.findings.push_back(
        {report.checks.back().name, severity, std::move(layer), value, std::move(rule), std::move(text)});
  }
};

std::string short_number(double value);  ///< three digits
std::string percent_of(double fraction);

/// A clone whose parameters all require gradients.
ModelCopy unfrozen_copy(const DoctorCalls& calls);
/// Fills the run; errors of model and loss pass through.
void run_model(const ModelCopy& model, const TrainingCalls& calls, const Batch& batch, DoctorRun& run, bool backward);

/// False if nothing more can be looked at.
bool check_shapes(Patient& patient);
void check_inputs(Patient& patient);
void check_targets(Patient& patient);
void check_rows(Patient& patient);
void check_reduction(Patient& patient);
void check_output(Patient& patient);
void check_frozen(Patient& patient);
void check_flow(Patient& patient);
void check_initialisation(Patient& patient);
void check_nonlinearity(Patient& patient);
void check_dead_units(Patient& patient);
void check_saturation(Patient& patient);
void check_initial_loss(Patient& patient);
void check_sampled_gradients(Patient& patient);
void check_learning_rate(Patient& patient);
void check_overfit(Patient& patient);
void check_labels(Patient& patient);

}  // namespace xgrad::nn
