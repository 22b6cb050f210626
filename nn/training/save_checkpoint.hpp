#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/layers/layer_stream.hpp>
#include <nn/layers/module.hpp>
#include <nn/optimizers/optimizer.hpp>
#include <nn/training/training.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace xgrad::nn {

/// Something that the steps of a training loop of one's own change, under a name. It refers to what it is made of,
/// which must outlive it.
class CheckpointPart {
 public:
  /// Parameters, buffers and random streams.
  CheckpointPart(const std::string& name, const Module& model);
  /// Its state, and the parameters that no model before it has.
  CheckpointPart(const std::string& name, Optimizer& optimizer);
  /// What the steps write in place: by `assign`, `modify` or an optimizer.
  CheckpointPart(const std::string& name, const Tensor& tensor);
  CheckpointPart(const std::string& name, double& value);
  CheckpointPart(const std::string& name, std::vector<double>& values);
  /// Whatever else.
  CheckpointPart(const std::string& name, SavedState state);

 private:
  friend class CheckpointParts;

  std::string name_;
  std::vector<NamedTensor> tensors_ = {};
  std::vector<NamedStream> streams_ = {};
  Optimizer* optimizer_ = nullptr;
  SavedState state_ = {};
};

/// What fit's options do for fit, for a training loop of one's own: saves, in one file, how many steps are done, the
/// parts and where default_generator is. Written whole or not at all; of the files before, `keep` - 1 stay at path.1,
/// path.2, ... For two networks and two optimizers:
///
///     const std::vector<nn::CheckpointPart> parts = {
///         {"generator", generator}, {"critic", critic}, {"steps of one", first}, {"steps of the other", second}};
///     for (std::int64_t step = resumed ? nn::load_checkpoint(path, parts) : 0; step < steps;) {
///       train_both();
///       if (++step % 100 == 0) nn::save_checkpoint(path, parts, step);
///     }
///
/// A loop that goes on ends with the bits of one that was left alone, if its steps change nothing but the parts, and
/// draw from default_generator or a model's own streams. FileError when the system refuses; ValueError for two parts of
/// one name, a tensor without a value, a name or text that is not UTF-8, a number of steps below 0 or a `keep` below 1.
void save_checkpoint(const std::string& path, const std::vector<CheckpointPart>& parts, std::int64_t step,
                     std::int64_t keep = 2);

/// Sets the parts and default_generator to what was saved, and gives the steps that were done. FileError for a file
/// that is missing, damaged, or of other parts, shapes, dtypes or optimizers, ValueError for parts that could not be
/// saved; then nothing has changed.
std::int64_t load_checkpoint(const std::string& path, const std::vector<CheckpointPart>& parts);

/// Of numbers that a training collects, to the bit, NaN and infinity too; for CheckpointOptions::also.
SavedState saved_state(double& value);
SavedState saved_state(std::vector<double>& values);

}  // namespace xgrad::nn
