#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/files/descriptor.hpp>
#include <nn/training/model.hpp>
#include <nn/training/training.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace xgrad::nn {

// What TensorBoard shows. Part of the component xgrad::exchange.

/// CRC-32C (Castagnoli 1993), as TFRecord files have it.
std::uint32_t crc32c(std::string_view bytes);

/// A file of events in a folder, `events.out.tfevents...`, which TensorBoard looks at while it grows: each event is a
/// TFRecord, written at once. FileError when the system refuses. Steps are counted as fit counts them.
class EventFile {
 public:
  /// Makes the folder, and a new file in it. seconds: the time of day of an event, since 1970; by default the system's.
  explicit EventFile(const std::string& folder, std::function<double()> seconds = {});

  void scalar(const std::string& tag, std::int64_t step, double value);
  /// Of all numbers of a floating tensor, in TensorBoard's buckets, each 10 % wider than the one before. Numbers that
  /// are not finite are left out.
  void histogram(const std::string& tag, std::int64_t step, const Tensor& values);
  /// Pixels (height, width) or (height, width, 3), 0 black and 1 white. ShapeError for other shapes.
  void image(const std::string& tag, std::int64_t step, const Tensor& pixels);
  using Hyperparameter = std::variant<double, bool, std::string>;
  void hyperparameters(const std::map<std::string, Hyperparameter>& values);

  const std::string& path() const& { return path_; }
  std::string path() const&& { return path_; }

 private:
  void write(std::string_view event);

  std::function<double()> seconds_;
  std::string path_;
  Descriptor file_;
};

struct TensorBoardOptions {
  std::map<std::string, EventFile::Hyperparameter> hyperparameters = {};
  std::int64_t scalars_every = 10;  ///< steps
  /// A batch on which the gradients of the histograms are computed after every epoch; without one, weights alone.
  std::optional<Batch> probe = std::nullopt;
  std::function<double()> seconds = {};
};

/// Writes a training down for TensorBoard:
///
///     nn::TensorBoard board("runs/1", net, nn::cross_entropy, {.probe = train.subset(0, 1000).all()});
///     nn::fit(net, nn::cross_entropy, optimizer, train, board.watch({.epochs = 20}));
///
/// Loss and learning rate of steps (`step/...`), loss, validation loss and metrics of epochs (`epoch/...`), histograms
/// of weights and gradients after every epoch (`weights/PATH`, `gradients/PATH`). The training has the same bits as
/// without. Model and loss must outlive it.
class TensorBoard {
 public:
  template <ClonableModel M, TrainingLoss L>
  TensorBoard(const std::string& folder, const M& model, const L& loss, const TensorBoardOptions& options = {})
      : TensorBoard(folder, AnyModel::clonable(model, loss), options) {}
  TensorBoard(const std::string& folder, const AnyModel& model, const TensorBoardOptions& options);

  /// The options with callbacks that write before those that are there. Must outlive the training.
  FitOptions watch(FitOptions options);
  EventFile& file() { return file_; }

 private:
  void after_step(const StepRecord& record);
  void after_epoch(const EpochRecord& record);

  AnyModel model_;
  TensorBoardOptions options_;
  EventFile file_;
  std::vector<std::string> metrics_;
  std::int64_t steps_ = 0;
};

}  // namespace xgrad::nn
