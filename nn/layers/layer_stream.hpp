#pragma once

#include <autograd/ops/random.hpp>
#include <nn/layers/batch_part.hpp>
#include <nn/layers/shared.hpp>

#include <atomic>
#include <cstdint>
#include <string>
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

  /// Where it is, whatever it was made from: another stream that takes it over draws the same numbers.
  struct State {
    Generator::State start;
    std::uint64_t calls = 0;
  };
  State state() const;
  /// Of all copies. Not beside calls.
  void state(const State& state);
  /// The same for copies, and for nothing else.
  const void* identity() const { return &*counter_; }
  /// As which it leaves its notes.
  std::shared_ptr<LayerMemory> memory() const { return counter_.pointer(); }

 private:
  struct Counter final : LayerMemory {
    Generator::State start;
    std::atomic<std::uint64_t> calls{0};
    explicit Counter(const Generator::State& state) : start(state) {}
    Counter(const Counter& other) : LayerMemory(other), start(other.start), calls(other.calls.load()) {}
    void remember(const LayerNote&) override { calls.fetch_add(1); }
    LayerNotes merge(const std::vector<LayerNotes>&) const override { return LayerNotes(1); }
  };
  static Generator at(const BatchPart* part, const Counter& counter);

  Shared<Counter> counter_;
};

struct NamedStream {
  std::string path;  ///< `encoder.dropout.stream`
  LayerStream stream;
};

}  // namespace xgrad::nn
