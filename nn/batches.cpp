#include <autograd/error.hpp>
#include <autograd/random.hpp>
#include <nn/batches.hpp>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

namespace xgrad::nn {

Batches::Batches(Dataset dataset, BatchesOptions options) : dataset_(std::move(dataset)), options_(options) {
  if (options_.size < 1) throw ValueError("Batches: size is " + std::to_string(options_.size) + "; need at least 1");
  if (options_.dtype && !is_floating(*options_.dtype))
    throw TypeError("Batches: dtype is int64; need float32 or float64 (labels stay int64)");
  if (dataset_.size() == 0) throw ValueError("Batches: the dataset is empty; need at least one example");
  if (size() == 0)
    throw ValueError("Batches: " + std::to_string(dataset_.size()) + " examples, size " +
                     std::to_string(options_.size) + " and drop_last leave no batch; need size <= examples");
  order_.resize(static_cast<std::size_t>(dataset_.size()));
}

std::int64_t Batches::size() const {
  return dataset_.size() / options_.size + (!options_.drop_last && dataset_.size() % options_.size != 0 ? 1 : 0);
}

std::int64_t Batches::examples() const { return std::min(size() * options_.size, dataset_.size()); }

Batches::Iterator Batches::begin() {
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  if (options_.shuffle) {
    Generator generator(options_.seed, epoch_);
    shuffle(order_, generator);
  }
  ++epoch_;
  return {this, 0, ++pass_};
}

Batch Batches::Iterator::operator*() const {
  if (batches_ == nullptr || pass_ != batches_->pass_)
    throw ValueError("Batches: a batch of an earlier pass; another pass over the same Batches has begun");
  if (batch_ >= batches_->size())
    throw ValueError("Batches: batch " + std::to_string(batch_) + " of " + std::to_string(batches_->size()));
  const std::int64_t first = batch_ * batches_->options_.size;
  const std::int64_t count = std::min(batches_->options_.size, batches_->dataset_.size() - first);
  const std::span<const std::int64_t> order = batches_->order_;
  return batches_->dataset_.take(order.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
                                 batches_->options_.dtype);
}

}  // namespace xgrad::nn
