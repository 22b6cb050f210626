#pragma once

#include <nn/data/data.hpp>
#include <nn/losses/losses.hpp>
#include <nn/training/batch_parts.hpp>
#include <nn/training/model.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// The losses of batches so far.
struct LossState {
  double sum = 0;  ///< of all rows
  std::int64_t rows = 0;
};

/// The loss of batches together: their mean over rows, or their sum.
class LossTotal {
 public:
  explicit LossTotal(Reduction reduction) : reduction_(reduction) {}
  void add(double loss, std::int64_t rows) {
    state_.sum += reduction_ == Reduction::sum ? loss : loss * static_cast<double>(rows);
    state_.rows += rows;
  }
  double value() const {
    return reduction_ == Reduction::sum ? state_.sum : state_.sum / static_cast<double>(state_.rows);
  }
  const LossState& state() const& { return state_; }
  LossState state() const&& { return state_; }
  void state(const LossState& values) { state_ = values; }

 private:
  Reduction reduction_;
  LossState state_;
};

struct AccumulationOptions {
  Reduction reduction = Reduction::mean;
  std::optional<std::int64_t> parts = std::nullopt;  ///< of every batch, as FitOptions has them
  bool several = false;                              ///< there may be more than one batch
};

/// The loss and the gradient of the rows of one optimizer step, which come in one batch or several.
///
/// Losses that are sums or means over rows (mean_over_rows) are put together batch by batch. Others, such as
/// cross-entropy with class weights, are asked about all rows at once: a first pass through the model gives the outputs
/// of every batch, the loss of all of them their cotangents, a second pass, with the same random numbers, the
/// gradients. No more than one batch's activations are kept either way.
class Accumulation {
 public:
  /// The model must outlive it.
  Accumulation(const AnyModel& model, const AccumulationOptions& options);

  /// Takes in a batch, or a team's share of one.
  void add(const Batch& batch, const TeamShare& share = {});
  /// Of all batches; without gradients if the loss is not finite.
  BatchGradients take();
  /// Rows so far.
  std::int64_t rows() const { return rows_; }
  /// Where the first number of these batches that is not finite comes from, as nonfinite_origin says.
  std::optional<std::string> origin_of_nonfinite(const std::vector<Tensor>& parameters) const;

 private:
  struct Given {
    Batch batch;
    TeamShare share;
    std::int64_t rows() const { return share.team != nullptr ? share.rows : batch.rows(); }
  };
  BatchGradients gradients_of(const Given& given) const;
  Gradients gradients_of(const Given& given, const std::vector<Tensor>& cotangents) const;
  /// Of all its rows.
  std::pair<std::vector<Tensor>, std::vector<Tensor>> outputs_and_targets_of(const Given& given) const;
  void add_to_sum(Given given);
  BatchGradients take_together();

  const AnyModel& model_;
  AccumulationOptions options_;
  bool together_;
  std::vector<Given> batches_;  // all, or the last one that was put to the sum
  std::int64_t rows_ = 0;
  std::int64_t first_rows_ = 0;  // of the first batch, in whose share the others are measured
  LossTotal loss_;
  Gradients sum_;
};

}  // namespace xgrad::nn
