#pragma once

#include <nn/data/batches.hpp>
#include <nn/files/safetensors.hpp>
#include <nn/optimizers/optimizer.hpp>
#include <nn/optimizers/schedules.hpp>
#include <nn/training/metrics.hpp>
#include <nn/training/model.hpp>
#include <nn/training/save_checkpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "choices.hpp"
#include "network.hpp"
#include "settings.hpp"

namespace playground {

/// The points of the settings, in the order in which they are divided, and as the network gets them.
struct Data {
  Tensor points;  ///< (rows, 2)
  Tensor labels;  ///< (rows, 1)
  std::int64_t train_rows;
  bool regression;
  xgrad::nn::Dataset train;
  xgrad::nn::Dataset test;
};
/// ValueError for settings that do not go together.
Data data_of(const Settings& settings);

/// The chosen features of points (rows, 2).
Tensor features_of(const Settings& settings, const Tensor& points);

/// How good the network is on some of the points.
struct Score {
  double loss = 0;  ///< of a point, on average
  std::optional<double> accuracy = {};
  std::optional<double> r2 = {};
  std::optional<xgrad::nn::ConfusionMatrix> confusion = {};
};

/// The losses at the end of an epoch.
struct CurvePoint {
  std::int64_t epoch = 0;
  std::int64_t step = 0;
  double train = 0;
  double test = 0;
};

/// A training as the settings describe it. What it computes depends on them and on the number of steps alone: the same
/// bits in a session of the page, in a run without one, and in the shown program.
class Trainer {
 public:
  /// ValueError for settings that do not go together.
  explicit Trainer(const Settings& settings);

  /// One step of the optimizer; false, and nothing is changed, if the loss is not finite.
  bool step();
  std::int64_t steps() const { return steps_; }
  /// Passes over the training data that are complete, and steps in a pass.
  std::int64_t epochs() const { return steps_ / batches_.size(); }
  std::int64_t steps_of_epoch() const { return batches_.size(); }

  /// A change before the next step; changes that were to come later are forgotten. ValueError for what there is not.
  void change(const Event& event);
  /// Takes the parameters of a file, before the next step. FileError if they are not those of this network.
  void load(const xgrad::nn::TensorFile& file, const std::string& name);
  /// The step before which that was done last.
  std::optional<std::int64_t> loaded_at() const { return loaded_at_; }
  /// The settings with which the same training begins anew: its learning rate the present one, without changes.
  Settings restarted() const;
  const Settings& settings() const { return settings_; }
  void show(const Settings& settings);        ///< takes over how it is shown
  double learning_rate() const;               ///< of the next step
  double base_rate() const { return rate_; }  ///< that the schedule starts from

  const Data& data() const { return data_; }
  const Network& network() const { return network_; }
  const xgrad::nn::Batch& last_batch() const { return last_batch_; }
  const std::vector<CurvePoint>& curve() const { return curve_; }

  Score score(const xgrad::nn::Dataset& data);
  /// Outputs in [-1, 1]: what is shown of them. Numbers to be predicted are as they are.
  Tensor shown(const Tensor& outputs) const;
  /// Of the loss of all training data, without dropout, by all weights of the links.
  std::vector<Tensor> link_gradients();
  std::string digest() const;

  /// All that steps change, for save_checkpoint. What they are loaded into goes on to the same bits, with a curve that
  /// begins there; FileError for those of other settings.
  std::vector<xgrad::nn::CheckpointPart> checkpoint_parts();

  /// Model and loss, for inspection, and the optimizer.
  xgrad::nn::AnyModel model() { return xgrad::nn::AnyModel::clonable(network_, loss_); }
  xgrad::nn::Optimizer& optimizer() const { return *optimizer_; }
  /// The loss of a batch, with the penalty.
  Tensor loss_of(const Network& network, const xgrad::nn::Batch& batch) const;

  /// Where the first number that is not finite came from, after `step` gave false: layer, operation and step. Runs the
  /// last steps again, a few thousand at most.
  std::string explanation();

 private:
  struct Loss {
    const LossChoice* row;
    Tensor operator()(const Tensor& outputs, const Tensor& targets) const { return row->function(outputs, targets); }
  };

  /// What steps change, before one of them.
  struct Kept {
    std::int64_t steps;
    Network network;
    xgrad::nn::OptimizerState optimizer;
  };

  void keep();
  void return_to(const Kept& kept);
  void apply_events();
  void apply(const Event& event);
  void start_from(double rate);
  void go_on_after(std::int64_t steps);
  void extend_curve();
  std::optional<std::string> traced_step();

  Settings settings_;
  Data data_;
  Loss loss_;
  Generator generator_;
  Network network_;
  std::vector<Tensor> weights_;
  double rate_;
  std::unique_ptr<xgrad::nn::Optimizer> optimizer_;
  xgrad::nn::Schedule schedule_;
  xgrad::nn::Batches batches_;
  xgrad::nn::Batches::Iterator next_;
  xgrad::nn::Batch last_batch_;
  std::int64_t steps_ = 0;
  std::size_t next_event_ = 0;
  std::optional<std::int64_t> loaded_at_;
  std::vector<Kept> kept_;  // the last two
  std::int64_t next_kept_ = 0;
  std::vector<CurvePoint> curve_;
  std::int64_t curve_stride_ = 1;  // epochs
};

}  // namespace playground
