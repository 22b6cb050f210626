#pragma once

#include <autograd/ops/random.hpp>
#include <nn/data/data.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace xgrad::nn {

struct BatchesOptions {
  std::int64_t size = 32;                     ///< examples in a batch
  bool shuffle = false;                       ///< a new order in every pass
  std::uint64_t seed = 0;                     ///< of the orders
  bool drop_last = false;                     ///< leave out a last batch that would be smaller
  std::optional<DType> dtype = std::nullopt;  ///< of bytes and floating columns; see Rows::take
  /// Prepare the next batch on another thread while this one is used; see BackgroundTask. The batches are the same.
  bool prefetch = false;
};

/// What is done to a batch before it is handed out: augmentation, encoding.
using BatchTransform = std::function<Batch(const Batch&)>;
/// Which of a batch's examples are read, for processes that share it; may be none. A span of what it is given.
using BatchShare = std::function<std::span<const std::int64_t>(std::span<const std::int64_t> examples)>;

class BatchPrefetch;

/// Cuts a dataset into batches: `for (auto [x, y] : batches)`.
///
/// Every pass, that is every call of begin(), takes the next order: the order of epoch e is the permutation that
/// Generator(seed, e) draws, so that it depends on seed and e alone and `set_epoch` resumes a training. One pass at a
/// time: batches of an earlier pass throw once the next has begun.
class Batches {
 public:
  /// A transform is called for every batch, with prefetch on any thread, one batch at a time; what it throws comes with
  /// the batch that it belongs to. ValueError for a size below 1, an empty dataset, or when drop_last leaves no batch;
  /// TypeError for dtype int64.
  Batches(Dataset dataset, BatchesOptions options, BatchTransform transform = {}, BatchShare share = {});

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Batch operator*() const;
    Iterator& operator++() {
      ++batch_;
      return *this;
    }
    void operator++(int) { ++batch_; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.batch_ == b.batch_; }

   private:
    friend class Batches;
    Iterator(const Batches* batches, std::int64_t batch, std::uint64_t pass,
             std::shared_ptr<BatchPrefetch> prefetch = nullptr)
        : batches_(batches), batch_(batch), pass_(pass), prefetch_(std::move(prefetch)) {}

    const Batches* batches_ = nullptr;
    std::int64_t batch_ = 0;
    std::uint64_t pass_ = 0;
    std::shared_ptr<BatchPrefetch> prefetch_;  // of this pass
  };

  /// Begins the pass of the current epoch and moves on to the next epoch. ValueError if it was moved from.
  Iterator begin();
  Iterator end() const { return {this, size(), 0}; }

  /// Batches in a pass.
  std::int64_t size() const;
  /// Examples in a pass: all, or fewer with drop_last.
  std::int64_t examples() const;
  /// Examples of batch i of a pass, whoever reads them.
  std::int64_t examples(std::int64_t batch) const;
  const Dataset& dataset() const& { return dataset_; }
  Dataset dataset() const&& { return dataset_; }
  const BatchesOptions& options() const& { return options_; }
  BatchesOptions options() const&& { return options_; }

  /// The epoch of the next pass, 0 at first: so many passes have begun.
  std::uint64_t epoch() const { return epoch_; }
  void set_epoch(std::uint64_t epoch) { epoch_ = epoch; }
  /// The state of default_generator with which the transform of the next batch begins, or began, ahead of its use: what
  /// must be saved to prepare that batch again.
  Generator::State generator_of_next() const;

 private:
  void require_dataset() const;
  /// The examples of a batch of the current pass that are read.
  std::span<const std::int64_t> rows_of(std::int64_t batch) const;

  Dataset dataset_;
  BatchesOptions options_;
  BatchTransform transform_;
  BatchShare share_;
  std::uint64_t epoch_ = 0;
  std::uint64_t pass_ = 0;  // unlike the epoch never set back
  std::vector<std::int64_t> order_;
  std::shared_ptr<BatchPrefetch> prefetch_;  // of this pass
};

}  // namespace xgrad::nn
