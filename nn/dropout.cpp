#include <autograd/error.hpp>
#include <autograd/pointwise.hpp>
#include <nn/dropout.hpp>

#include <algorithm>
#include <string>

namespace xgrad::nn {

namespace {

constinit thread_local BatchPart* part_of_thread = nullptr;

Generator::State start_of_stream(Generator& source) {
  const Generator::State at = source.take(1);
  return Generator(at.seed, at.stream).split(at.position).state();
}

}  // namespace

LayerStream::LayerStream(Generator& source) : counter_(std::make_shared<Counter>(start_of_stream(source))) {}

Generator LayerStream::next() const {
  BatchPart* const part = BatchPart::current();
  if (part == nullptr) return Generator(counter_->start).split(counter_->calls.fetch_add(1));
  const Generator::State numbers = BatchPart::at(part, *counter_).state();
  BatchPart::count_call(part, counter_.pointer());
  return Generator(numbers);
}

std::uint64_t LayerStream::calls() const { return counter_->calls.load(); }
void LayerStream::calls(std::uint64_t count) { counter_->calls.store(count); }

BatchPart::BatchPart(std::uint64_t index, const BatchPart* outer)
    : index_(index), outer_(outer), previous_(std::exchange(part_of_thread, this)) {}
BatchPart::~BatchPart() { part_of_thread = previous_; }
BatchPart* BatchPart::current() noexcept { return part_of_thread; }

std::uint64_t BatchPart::calls_of(const void* counter) const {
  for (const auto& [known, calls] : drawn_)
    if (known.get() == counter) return calls;
  return 0;
}

Generator BatchPart::at(const BatchPart* part, const LayerStream::Counter& counter) {
  if (part == nullptr) return Generator(counter.start).split(counter.calls.load());
  return at(part->outer_, counter).split(part->index_).split(part->calls_of(&counter));
}

void BatchPart::count_call(BatchPart* part, const std::shared_ptr<void>& counter) {
  if (part == nullptr) {
    static_cast<LayerStream::Counter*>(counter.get())->calls.fetch_add(1);
    return;
  }
  for (auto& [known, calls] : part->drawn_)
    if (known == counter) {
      ++calls;
      return;
    }
  part->drawn_.emplace_back(counter, 1);
}

void BatchPart::count_batch(const std::vector<Drawn>& parts) {
  std::vector<std::shared_ptr<void>> counters;
  for (const Drawn& part : parts)
    for (const auto& [counter, calls] : part)
      if (std::find(counters.begin(), counters.end(), counter) == counters.end()) counters.push_back(counter);
  for (const auto& counter : counters) count_call(current(), counter);
}

Dropout::Dropout(double probability, Generator& generator) : stream(generator), probability_(probability) {
  if (!(probability >= 0 && probability <= 1))
    throw ValueError("Dropout: probability " + std::to_string(probability) + "; need 0 <= probability <= 1");
}

Tensor Dropout::operator()(const Tensor& x) const {
  return LayerCall(*this, "Dropout").run([&] {
    if (!training() || probability_ == 0) return x;
    if (!is_floating(x.dtype())) throw TypeError("dropout expects float32 or float64, got int64");
    Generator numbers = stream.next();
    const Tensor kept = bernoulli(x.shape(), 1 - probability_, x.dtype(), numbers);
    const auto masked = [scale = 1 / (1 - probability_)](auto a, auto k) { return where(k != 0, a * scale, 0); };
    return pointwise_with({.saved = Which::only(1)}, "dropout", masked, x, kept);
  });
}

}  // namespace xgrad::nn
