#pragma once

#include <autograd/random.hpp>
#include <nn/module.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// The random numbers of a layer: a counter-based stream of its own with a counter of calls. Call k draws from stream
/// k; in part i of a batch the j-th call draws from stream (k, i, j), so that it does not matter which thread runs the
/// part, and the whole batch counts as one call. Copies share the counter; a clone goes on from the same place by
/// itself.
class LayerStream {
 public:
  /// Takes one position of the source, so that the layers of a model differ and `seed(n)` before it is made repeats it.
  explicit LayerStream(Generator& source);
  /// The numbers of the next call. Safe from several threads; outside of batch parts their order decides who gets
  /// which.
  Generator next() const;

  /// How many calls there were. With the seed that the model was made from, this is all that must be saved.
  std::uint64_t calls() const;
  void calls(std::uint64_t count);

 private:
  friend class BatchPart;
  struct Counter {
    Generator::State start;
    std::atomic<std::uint64_t> calls{0};
    explicit Counter(const Generator::State& state) : start(state) {}
    Counter(const Counter& other) : start(other.start), calls(other.calls.load()) {}
  };
  Shared<Counter> counter_;
};

/// While one lives, streams of this thread draw for part `index` of a batch. batch_gradients opens them.
class BatchPart {
 public:
  /// outer: the part in which the batch itself was begun, if any.
  BatchPart(std::uint64_t index, const BatchPart* outer);
  ~BatchPart();
  BatchPart(const BatchPart&) = delete;
  BatchPart& operator=(const BatchPart&) = delete;
  /// Of this thread, nullptr outside of any.
  static BatchPart* current() noexcept;

  /// The streams that drew, to be counted when all parts of the batch are done.
  using Drawn = std::vector<std::pair<std::shared_ptr<void>, std::uint64_t>>;
  Drawn take_drawn() { return std::exchange(drawn_, {}); }
  /// Counts the batch as one call for each stream that drew in any of its parts; called by the thread that began it.
  static void count_batch(const std::vector<Drawn>& parts);

 private:
  friend class LayerStream;
  static Generator at(const BatchPart* part, const LayerStream::Counter& counter);
  static void count_call(BatchPart* part, const std::shared_ptr<void>& counter);
  std::uint64_t calls_of(const void* counter) const;

  std::uint64_t index_;
  const BatchPart* outer_;
  BatchPart* previous_;
  Drawn drawn_;
};

/// In training every element is 0 with the given probability and x / (1 - probability) otherwise, so that its mean
/// stays (Srivastava et al. 2014, inverted); in eval mode the identity. The gradient goes through the elements that
/// were kept.
class Dropout : public Module {
 public:
  /// ValueError unless 0 <= probability <= 1.
  explicit Dropout(double probability = 0.5, Generator& generator = default_generator());
  Tensor operator()(const Tensor& x) const;

  double probability() const { return probability_; }
  LayerStream stream;

 private:
  double probability_;
};

}  // namespace xgrad::nn
