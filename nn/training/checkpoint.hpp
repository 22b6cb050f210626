#pragma once

#include <nn/data/batches.hpp>
#include <nn/files/safetensors.hpp>
#include <nn/optimizers/optimizer.hpp>
#include <nn/ranks/agree.hpp>
#include <nn/training/accumulation.hpp>
#include <nn/training/model.hpp>
#include <nn/training/training.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace xgrad::nn {

/// What Stopping looks at.
struct StoppingState {
  double least_loss = std::numeric_limits<double>::infinity();
  double reference_loss = std::numeric_limits<double>::infinity();  ///< of the last improvement
  std::int64_t epochs_without_improvement = 0;
  std::vector<Tensor> best = {};         ///< parameters and buffers of the best epoch, if it is to be restored
  std::vector<Tensor> epoch_begin = {};  ///< parameters, if their change is looked at
};

/// How far a training is, apart from model, optimizer and random numbers.
struct TrainingState {
  History history = {};
  std::int64_t epochs_done = 0;   ///< and judged
  std::int64_t batches_done = 0;  ///< of the next epoch, whose record stands in the history if there are any
  LossState loss = {};            ///< of these
  StoppingState stopping = {};
};

/// Takes a training down and brings it back: its state, and that of all that it refers to, which must outlive it.
class CheckpointWriter {
 public:
  CheckpointWriter(const AnyModel& model, Optimizer& optimizer, const FitOptions& options, const Batches& batches)
      : model_(model), optimizer_(optimizer), options_(options), batches_(batches) {}

  /// Saves to options.checkpoint.path. FileError when the system refuses.
  void write(const TrainingState& state) const;
  /// What is saved.
  TensorFile content(const TrainingState& state) const;
  /// Sets model, optimizer, random streams, the default generator and options.checkpoint.also. FileError for a
  /// checkpoint that cannot be read or does not fit; then nothing has changed.
  TrainingState read(const std::string& path) const;
  /// The same with what was saved; `from` stands for it in messages.
  TrainingState take(const TensorFile& file, const std::string& from) const;
  /// Of what steps change, each tensor by its name there: digests that are the same for the same bits in one build.
  std::vector<Particular> digests() const;

 private:
  /// All tensors of model and optimizer that a checkpoint has the values of, by their names there.
  std::vector<NamedTensor> tensors() const;
  std::vector<NamedTensor> tensors_with_moments(const OptimizerState& optimizer) const;

  const AnyModel& model_;
  Optimizer& optimizer_;
  const FitOptions& options_;
  const Batches& batches_;
};

}  // namespace xgrad::nn
