#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/data/data.hpp>
#include <nn/losses/losses.hpp>
#include <nn/ranks/ranks.hpp>
#include <nn/training/model.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace xgrad::nn {

/// A number that tells how good predictions are, computed once on all of them: `{"accuracy", nn::accuracy}`.
struct Metric {
  std::string name;
  std::function<double(const Tensor& predictions, const Tensor& targets)> function = {};
  /// Instead, for models of several outputs or targets.
  std::function<double(const std::vector<Tensor>& predictions, const std::vector<Tensor>& targets)> of_lists = {};
};

/// What a model gives on a dataset.
struct Evaluation {
  double loss = 0;  ///< of all rows, whatever the size of the batches; their sum with Reduction::sum
  std::vector<double> metrics = {};
};

struct EvaluateOptions {
  std::vector<Metric> metrics = {};
  std::int64_t size = 1000;  ///< rows of a batch
  std::optional<DType> dtype = std::nullopt;
  Reduction reduction = Reduction::mean;
  std::shared_ptr<Ranks> ranks =
      {};  ///< share the batches; see FitOptions. All get the result, metrics are called once
};

Evaluation evaluate_of(const AnyModel& model, const Dataset& data, const EvaluateOptions& options);
/// The same on ranks that work together already; nullptr: by itself.
Evaluation evaluate_on(Ranks* ranks, const AnyModel& model, const Dataset& data, const EvaluateOptions& options);
/// ValueError, in the name of who asks, for one without a function.
void check_metrics(const char* who, const std::vector<Metric>& metrics);

/// Loss and metrics of a model on data, in eval mode without a tape. Metrics, and losses that are no means over rows,
/// get the predictions of all rows, which are kept for them. ValueError for an empty dataset, a size below 1 or
/// Reduction::none.
template <class M, class L>
Evaluation evaluate(M& model, const L& loss, const Dataset& data, const EvaluateOptions& options = {}) {
  return evaluate_of(AnyModel::of(model, loss), data, options);
}

}  // namespace xgrad::nn
