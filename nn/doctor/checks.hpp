#pragma once

#include <autograd/tensor/format.hpp>
#include <nn/doctor/doctor.hpp>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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
  const AnyModel& model;
  Optimizer* const optimizer;  ///< nullptr: SGD
  const double learning_rate;
  const Dataset& data;
  const DoctorOptions& options;
  AnyModel copy;  ///< all parameters require gradients, in training mode
  Batch batch = {};
  DoctorRun run = {};             ///< of the copy on the batch
  std::string output_layer = {};  ///< that gave the prediction
  DoctorReport report = {};

  /// Rows of the data as training would get them.
  Batch take(std::span<const std::int64_t> rows) const {
    const Batch plain = data.take(rows, options.dtype);
    return options.transform ? options.transform(plain) : plain;
  }
  /// So many of them, or all, drawn at random.
  Batch draw(std::int64_t rows) const;

  // What a check says.

  template <class... V>
  void measured(fmt::format_string<V...> text, V&&... values) {
    report.checks.back().measured = fmt::format(text, std::forward<V>(values)...);
  }
  void skip(std::string why) { report.checks.back().skipped = std::move(why); }
  template <class... V>
  void error(std::string layer, double value, std::string rule, fmt::format_string<V...> text, V&&... values) {
    find(Severity::error, std::move(layer), value, std::move(rule), fmt::format(text, std::forward<V>(values)...));
  }
  template <class... V>
  void warn(std::string layer, double value, std::string rule, fmt::format_string<V...> text, V&&... values) {
    find(Severity::warning, std::move(layer), value, std::move(rule), fmt::format(text, std::forward<V>(values)...));
  }
  void find(Severity severity, std::string layer, double value, std::string rule, std::string text) {
    report.findings.push_back(
        {report.checks.back().name, severity, std::move(layer), value, std::move(rule), std::move(text)});
  }
};

inline bool among(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// A clone whose parameters all require gradients.
AnyModel unfrozen_clone(const AnyModel& model);
/// Fills the run; errors of model and loss pass through.
void run_model(const AnyModel& model, const Batch& batch, DoctorRun& run, bool backward);

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
