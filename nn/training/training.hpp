#pragma once

#include <autograd/tensor/error.hpp>
#include <autograd/tensor/tensor.hpp>
#include <nn/data/batches.hpp>
#include <nn/data/data.hpp>
#include <nn/losses/losses.hpp>
#include <nn/optimizers/optimizer.hpp>
#include <nn/optimizers/schedules.hpp>
#include <nn/ranks/ranks.hpp>
#include <nn/training/evaluation.hpp>
#include <nn/training/model.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

class Progress;

/// What a callback asks for.
enum class Next : bool { go_on, stop };

/// An optimizer step.
struct StepRecord {
  std::int64_t epoch = 0;    ///< from 0
  std::int64_t step = 0;     ///< of all epochs of this fit, from 0
  double loss = 0;           ///< of its rows, before the step
  double mean_loss = 0;      ///< of the epoch so far
  double learning_rate = 0;  ///< that it was made with
};

/// One pass over the training data.
struct EpochRecord {
  std::int64_t epoch = 0;  ///< from 0
  std::int64_t steps = 0;  ///< that it made
  bool complete = false;   ///< no batch was left out since a callback or the time limit stopped it
  /// Of its steps, each before it was made: their mean by rows, or their sum with Reduction::sum.
  double loss = 0;
  std::optional<double> validation_loss = std::nullopt;  ///< with validation data, if complete
  std::vector<double> metrics = {};                      ///< in the order of the options, if complete
  double learning_rate = 0;                              ///< of its last step
  double seconds = 0;                                    ///< of its steps, without validation and metrics
};

enum class StopReason : std::uint8_t {
  epochs,           ///< all were done
  time_limit,       ///< Stopping::seconds
  training_loss,    ///< Stopping::training_loss
  no_improvement,   ///< Stopping::patience
  weights_settled,  ///< Stopping::weight_change
  callback,         ///< one returned Next::stop
  not_finite,       ///< the loss; see NonFiniteLoss
  /// Stopping::patience, the last validation loss being infinite or NaN: the model diverged, or the data hold a NaN.
  validation_not_finite,
};
std::string to_string(StopReason reason);

struct History {
  std::vector<std::string> metrics = {};  ///< names
  std::vector<EpochRecord> epochs = {};
  std::int64_t steps = 0;
  double seconds = 0;  ///< of all
  StopReason reason = StopReason::epochs;
  /// The place in `epochs` of the least validation loss.
  std::optional<std::size_t> best_epoch = std::nullopt;
};

/// The loss of a training, or the gradient that was to be clipped, became infinite or NaN. The text names the operation
/// that it came from; the parameters and buffers are those of the last good checkpoint, at most 50 steps ago.
class NonFiniteLoss : public ValueError {
 public:
  NonFiniteLoss(const std::string& text, History past) : ValueError(text), history(std::move(past)) {}
  History history;  ///< until then; its last epoch is not complete
};

/// When to stop before all epochs are done; what is not set does not stop. The time is looked at after every step, the
/// others after every epoch.
struct Stopping {
  std::optional<double> seconds = std::nullopt;
  /// Stop when an epoch's training loss is below.
  std::optional<double> training_loss = std::nullopt;
  /// Stop after this many epochs in a row whose validation loss is not less, by more than min_change, than at the last
  /// improvement (early stopping: Prechelt 1998).
  std::optional<std::int64_t> patience = std::nullopt;
  double min_change = 0;
  /// However the training ends, give the model the parameters and buffers of the epoch with the least validation loss;
  /// if none is below infinity, those before the training.
  bool restore_best = false;
  /// Stop when no parameter changed by this much in an epoch.
  std::optional<double> weight_change = std::nullopt;
};

/// Something of a training that fit does not know: the state of a rule that a callback follows. Saved as text.
struct SavedState {
  std::function<std::string()> save;
  std::function<void(const std::string& text)> load;  ///< an xgrad::Error for text that save does not give
};
/// Of a rule that on_epoch asks for the learning rate, which must outlive it.
SavedState saved_state(ReduceOnPlateau& rule);

/// Where fit saves all that it takes to go on, bit by bit: the model's parameters and buffers, the optimizer's state,
/// random streams, the place in the epoch, the history, what stopping looks at. A schedule is a function of the step.
struct CheckpointOptions {
  std::string path = {};     ///< none: nothing is saved
  std::int64_t every = 100;  ///< optimizer steps; besides, whenever the training ends
  std::int64_t keep = 2;     ///< so many are there: the last at the path, those before at path.1, path.2, ...
  std::map<std::string, SavedState> also = {};  ///< by name
};

struct FitOptions {
  std::int64_t epochs = 10;
  /// Size 1 is online training, the size of the data full-batch training. Shuffled, epoch e has the order of pass e of
  /// Batches, counted from the passes that the optimizer's steps make up: another fit with the same optimizer goes on
  /// with new orders, and three fits of an epoch are one of three. With a new optimizer they begin anew.
  BatchesOptions batches = {.size = 32, .shuffle = true};
  BatchTransform transform = {};  ///< of training batches, see Batches
  std::optional<Dataset> validation = std::nullopt;
  /// Computed after every epoch on the validation data; without any, on the training data.
  std::vector<Metric> metrics = {};
  std::int64_t evaluation_size = 1000;  ///< rows of a batch of validation and metrics
  /// The learning rate of each step, as Optimizer::steps counts them, so that another fit with the same optimizer goes
  /// on; without, the optimizer's own.
  Schedule schedule = {};
  /// This many batches make one optimizer step, whose gradient is that of their rows together; fewer at the end of an
  /// epoch. For a loss that is no mean over rows, such as one with class weights (see mean_over_rows), the model then
  /// runs twice on every batch.
  std::int64_t accumulate = 1;
  /// Cut every batch into this many parts that run in parallel (0: batch_gradients chooses). Without, a batch
  /// is one tape. The gradient is that of the rows together, too, at the same price; but layers that couple rows
  /// (BatchNorm) see those of a part.
  std::optional<std::int64_t> parts = std::nullopt;
  /// What the loss does with the rows of a batch: mean or sum.
  Reduction reduction = Reduction::mean;
  /// Limits of the gradient of each optimizer step, norm first; see Gradients.
  std::optional<double> clip_norm = std::nullopt;
  std::optional<double> clip_value = std::nullopt;
  std::function<Next(const StepRecord&)> on_step = {};
  std::function<Next(const EpochRecord&)> on_epoch = {};
  Progress* progress = nullptr;  ///< shows the steps and prints a line for each epoch
  Stopping stopping = {};
  CheckpointOptions checkpoint = {};
  /// A checkpoint to go on from: with the same options, data and code the training ends with the bits that it would
  /// have had without the interruption, whatever number of threads computes. More epochs may be asked for than before.
  std::string resume = {};
  /// Processes that train this model together, of which this is one: `distributed::world()`. Every one calls fit with
  /// the same model, options and data, and ends with the bits that one process would have, see docs/distributed.md.
  /// They share the parts of every batch, of which there must be as many as ranks: `parts` is to be set. Parameters,
  /// optimizer and random numbers at the beginning are those of the first rank, which alone calls back, shows progress,
  /// reads and writes checkpoints, computes metrics and looks at the clock; what callbacks do to the model's tensors
  /// and mode, to the learning rate and to default_generator reaches the others.
  std::shared_ptr<Ranks> ranks = {};
  /// Ranks compare the digests of all that they train after so many steps, and at the end; oftener in the first ones.
  std::int64_t compare_ranks = 100;
  /// Gradients travel between ranks in pieces of about so many bytes.
  std::size_t bucket_bytes = std::size_t{1} << 20;
};

History fit_of(const AnyModel& model, Optimizer& optimizer, const Dataset& data, const FitOptions& options);

/// Trains a model on data, and tells how it went:
///
///     nn::History history = nn::fit(net, nn::cross_entropy, optimizer, train,
///                                   {.epochs = 20, .batches = {.size = 128, .shuffle = true, .seed = 1},
///                                    .validation = held_out, .metrics = {{"accuracy", nn::accuracy}}});
///
/// A dataset of several inputs and targets is called as model(inputs...) and loss(outputs..., targets...), with a
/// tensor for each, or with a std::vector of them; masks and weights of rows are targets.
///
/// Every batch is loss(model(x), y) on a tape, and a step of the optimizer: the same bits as the loop that one would
/// write by hand, with or without prefetch, callbacks, progress, validation and metrics. Steps run in training mode,
/// validation and metrics in eval mode without a tape and without the transform; train() and eval() reach every child,
/// and at the end the model is in the mode that it was in.
///
/// ValueError for options that do not fit: no epochs, accumulate or patience below 1, limits that are not positive,
/// patience or restore_best without validation data, a metric without a function, Reduction::none, an empty dataset;
/// what model, loss and optimizer throw; NonFiniteLoss. RankError where ranks differ, or another one has thrown.
/// FileError for a checkpoint that cannot be written or read, is
/// damaged, or is of another model, optimizer or, within an epoch, of other batches.
template <class M, class L>
History fit(M& model, const L& loss, Optimizer& optimizer, const Dataset& data, const FitOptions& options = {}) {
  return fit_of(AnyModel::of(model, loss), optimizer, data, options);
}

}  // namespace xgrad::nn
