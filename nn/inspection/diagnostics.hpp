#pragma once

#include <nn/data/data.hpp>
#include <nn/inspection/layer_trace.hpp>
#include <nn/layers/module.hpp>
#include <nn/training/snapshot.hpp>
#include <nn/training/training.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// The output of a layer, or of an activation function after it, on one batch.
struct LayerDiagnostics : ActivationStatistics {
  std::string name;   ///< `hidden`, or `hidden → relu`
  std::string layer;  ///< whose parameters it comes from
  std::string operation;
  Shape shape;
  double gradient_norm = 0;  ///< √(Σ g²) of ∂loss/∂output; 0 where no gradient arrives
};

struct ParameterDiagnostics {
  std::string name;
  std::string layer;
  double norm = 0;                      ///< √(Σ w²)
  std::optional<double> gradient_norm;  ///< empty if frozen, or if no gradient reaches it
  /// ‖Δw‖ / ‖w‖ of a step, with ‖w‖ before it, averaged over the steps that were looked at. About 1e-3 is usual for
  /// weights. Empty without steps, and for parameters that were 0.
  std::optional<double> update_ratio;
};

/// A model on one batch.
struct Diagnosis {
  std::int64_t epoch = 0;
  double loss = 0;
  std::vector<LayerDiagnostics> layers;  ///< in the order of the computation; a layer called twice has two rows
  std::vector<ParameterDiagnostics> parameters;

  /// ValueError, with the names that there are, for one that is not there.
  const LayerDiagnostics& layer(std::string_view name) const&;
  LayerDiagnostics layer(std::string_view name) const&& { return layer(name); }
  const ParameterDiagnostics& parameter(std::string_view name) const&;
  ParameterDiagnostics parameter(std::string_view name) const&& { return parameter(name); }
  /// Two aligned tables: layers, parameters.
  std::string text() const;
  /// {"epoch", "loss", "layers": [{"name", ...}], "parameters": [...]} with the members' names; numbers as json_text
  /// writes them, null for what is unknown.
  std::string json() const;
};

Diagnosis diagnose_of(const AnyModel& model, const Batch& batch);

/// What the layers of a model do on one batch: statistics of their outputs and of the activations after them, and norms
/// of gradients. Computed on a clone: the model, its running statistics and its random streams are left alone.
///
///     std::cout << nn::diagnose(net, nn::cross_entropy, batch).text();
///
/// Values that no gradient passes through on the way to a parameter (before the first layer that learns) are not seen.
template <ClonableModel M, TrainingLoss L>
Diagnosis diagnose(const M& model, const L& loss, const Batch& batch) {
  return diagnose_of(AnyModel::clonable(model, loss), batch);
}

/// Diagnoses after every epoch of a training, all on the same batch:
///
///     nn::Diagnostics diagnostics(net, nn::cross_entropy, probe);
///     nn::fit(net, nn::cross_entropy, optimizer, train, diagnostics.watch({.epochs = 5}));
///     diagnostics.history().back().layer("hidden → relu").dead;
///
/// The training has the same bits as without. Model and loss must outlive it.
class Diagnostics {
 public:
  /// The update of every updates_every-th step is measured, at the price of a copy of the parameters. ValueError below
  /// 1.
  template <ClonableModel M, TrainingLoss L>
  Diagnostics(M& model, const L& loss, Batch probe, std::int64_t updates_every = 1)
      : Diagnostics(AnyModel::clonable(model, loss), std::move(probe), updates_every) {}

  /// The options with callbacks that call after_step and after_epoch before those that are there. Must outlive the
  /// training.
  FitOptions watch(FitOptions options);
  /// For a hand-written loop, after every step of the optimizer.
  void after_step();
  const Diagnosis& after_epoch();

  const std::vector<Diagnosis>& history() const& { return history_; }
  std::vector<Diagnosis> history() const&& { return history_; }

 private:
  Diagnostics(AnyModel model, Batch probe, std::int64_t updates_every);

  AnyModel model_;
  std::vector<Tensor> parameters_;
  Batch probe_;
  std::int64_t updates_every_;
  std::int64_t steps_ = 0;
  std::optional<Snapshot> before_;  // a step that is to be measured
  std::vector<double> ratios_;      // sums over the steps of the epoch
  std::vector<double> measured_;    // such steps
  std::vector<Diagnosis> history_;
};

}  // namespace xgrad::nn
