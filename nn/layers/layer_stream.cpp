#include <autograd/tape/replay.hpp>
#include <nn/layers/layer_stream.hpp>

#include <memory>

namespace xgrad::nn {

namespace {

Generator::State start_of_stream(Generator& source) {
  const Generator::State at = source.take(1);
  return Generator(at.seed, at.stream).split(at.position).state();
}

}  // namespace

LayerStream::LayerStream(Generator& source) : counter_(std::make_shared<Counter>(start_of_stream(source))) {}

Generator LayerStream::next() const {
  return Generator(Replay::draw([this] {
    BatchPart* const part = BatchPart::current();
    if (part == nullptr) return Generator(counter_->start).split(counter_->calls.fetch_add(1)).state();
    const Generator::State numbers = at(part, *counter_).state();
    BatchPart::note(counter_.pointer(), {});
    return numbers;
  }));
}

std::uint64_t LayerStream::calls() const { return counter_->calls.load(); }
void LayerStream::calls(std::uint64_t count) { counter_->calls.store(count); }

LayerStream::State LayerStream::state() const { return {counter_->start, calls()}; }
void LayerStream::state(const State& state) {
  counter_->start = state.start;
  calls(state.calls);
}

Generator LayerStream::at(const BatchPart* part, const Counter& counter) {
  if (part == nullptr) return Generator(counter.start).split(counter.calls.load());
  return at(part->outer(), counter).split(part->index()).split(part->calls_of(counter));
}

}  // namespace xgrad::nn
