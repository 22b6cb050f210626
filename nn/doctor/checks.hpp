#pragma once

#include <autograd/tensor/format.hpp>
#include <nn/doctor/doctor.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

// The doctor's checks, lists of functions of a Patient.

/// One forward pass on a tape, and its gradients.
struct DoctorRun {
  LayerTrace trace;
  Tensor prediction;            ///< the first one
  std::size_t predictions = 0;  ///< so many outputs
  std::size_t end = 0;          ///< traced values of the model; those from here on are the loss
  Tensor loss;
  Gradients gradients;  ///< empty if the loss depends on no parameter
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

/// A clone whose parameters all require gradients.
AnyModel unfrozen_clone(const AnyModel& model);
/// Fills the run; errors of model and loss pass through.
void run_model(const AnyModel& model, const Batch& batch, DoctorRun& run, bool backward);

struct NamedCheck {
  const char* name;
  void (*make)(Patient& patient);
};
std::span<const NamedCheck> data_checks();
std::span<const NamedCheck> structure_checks();
std::span<const NamedCheck> value_checks();
std::span<const NamedCheck> training_checks();

}  // namespace xgrad::nn
