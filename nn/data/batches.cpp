#include <autograd/ops/random.hpp>
#include <autograd/parallel/background_task.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/data/batches.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

namespace xgrad::nn {

namespace {

Batch prepare(const Dataset& dataset, std::optional<DType> dtype, const BatchTransform& transform,
              std::span<const std::int64_t> rows) {
  const Batch batch = dataset.take(rows, dtype);
  return transform ? transform(batch) : batch;
}

}  // namespace

/// The one batch of a pass that is prepared ahead. It has copies of all that the other thread reads.
class BatchPrefetch {
 public:
  BatchPrefetch(const Dataset& dataset, std::optional<DType> dtype, const BatchTransform& transform)
      : dataset_(dataset), dtype_(dtype), transform_(transform) {}

  void start(std::int64_t number, std::span<const std::int64_t> rows) {
    number_ = number;
    generator_ = default_generator().state();
    rows_.assign(rows.begin(), rows.end());
    task_ = BackgroundTask([this] { batch_ = prepare(dataset_, dtype_, transform_, rows_); });
  }

  /// The batch of that number, if it was started.
  std::optional<Batch> take(std::int64_t number) {
    if (!task_.pending()) return std::nullopt;
    if (number != number_) {
      task_ = BackgroundTask();
      return std::nullopt;
    }
    task_.wait();
    return std::exchange(batch_, Batch());
  }

  /// Of default_generator when the batch that is not yet taken was started.
  std::optional<Generator::State> generator() const {
    return task_.pending() ? std::optional(generator_) : std::nullopt;
  }

 private:
  const Dataset dataset_;
  const std::optional<DType> dtype_;
  const BatchTransform transform_;
  std::int64_t number_ = 0;
  Generator::State generator_;
  std::vector<std::int64_t> rows_;
  Batch batch_;
  BackgroundTask task_;  // last, so that it ends before what it uses
};

Batches::Batches(Dataset dataset, BatchesOptions options, BatchTransform transform, BatchShare share)
    : dataset_(std::move(dataset)), options_(options), transform_(std::move(transform)), share_(std::move(share)) {
  if (options_.size < 1) throw_as<ValueError>("Batches: size is {}; need at least 1", options_.size);
  if (options_.dtype && !is_floating(*options_.dtype))
    throw TypeError("Batches: dtype is int64; need float32 or float64 (labels stay int64)");
  if (dataset_.size() == 0) throw ValueError("Batches: the dataset is empty; need at least one example");
  if (size() == 0)
    throw_as<ValueError>("Batches: {} examples, size {} and drop_last leave no batch; need size <= examples",
                         dataset_.size(), options_.size);
  order_.resize(static_cast<std::size_t>(dataset_.size()));
}

std::int64_t Batches::size() const {
  return dataset_.size() / options_.size + (!options_.drop_last && dataset_.size() % options_.size != 0 ? 1 : 0);
}

std::int64_t Batches::examples() const { return std::min(size() * options_.size, dataset_.size()); }

std::int64_t Batches::examples(std::int64_t batch) const {
  return std::min(options_.size, dataset_.size() - batch * options_.size);
}

void Batches::require_dataset() const {
  if (order_.empty()) throw ValueError("Batches: it was moved from; need the one that it was moved to");
}

Batches::Iterator Batches::begin() {
  require_dataset();
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  if (options_.shuffle) {
    Generator generator(options_.seed, epoch_);
    shuffle(order_, generator);
  }
  ++epoch_;
  prefetch_ = options_.prefetch ? std::make_shared<BatchPrefetch>(dataset_, options_.dtype, transform_) : nullptr;
  return {this, 0, ++pass_, prefetch_};
}

Generator::State Batches::generator_of_next() const {
  const std::optional<Generator::State> ahead = prefetch_ ? prefetch_->generator() : std::nullopt;
  return ahead ? *ahead : default_generator().state();
}

std::span<const std::int64_t> Batches::rows_of(std::int64_t batch) const {
  const auto all =
      std::span(std::as_const(order_))
          .subspan(static_cast<std::size_t>(batch * options_.size), static_cast<std::size_t>(examples(batch)));
  return share_ ? share_(all) : all;
}

Batch Batches::Iterator::operator*() const {
  if (batches_ == nullptr || pass_ != batches_->pass_)
    throw ValueError("Batches: a batch of an earlier pass; another pass over the same Batches has begun");
  batches_->require_dataset();
  if (batch_ >= batches_->size()) throw_as<ValueError>("Batches: batch {} of {}", batch_, batches_->size());
  const auto prepare_here = [&] {
    return prepare(batches_->dataset_, batches_->options_.dtype, batches_->transform_, batches_->rows_of(batch_));
  };
  if (prefetch_ == nullptr) return prepare_here();
  std::optional<Batch> batch = prefetch_->take(batch_);
  if (!batch) batch = prepare_here();
  if (batch_ + 1 < batches_->size()) prefetch_->start(batch_ + 1, batches_->rows_of(batch_ + 1));
  return *std::move(batch);
}

}  // namespace xgrad::nn
