#include <autograd/pointwise.hpp>
#include <autograd/tape/replay.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/dropout.hpp>

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

Generator LayerStream::at(const BatchPart* part, const Counter& counter) {
  if (part == nullptr) return Generator(counter.start).split(counter.calls.load());
  return at(part->outer(), counter).split(part->index()).split(part->calls_of(counter));
}

Dropout::Dropout(double probability, Generator& generator) : stream(generator), probability_(probability) {
  if (!(probability >= 0 && probability <= 1))
    throw_as<ValueError>("Dropout: probability {}; need 0 <= probability <= 1", probability);
}

Tensor Dropout::operator()(const Tensor& x) const {
  return LayerCall(*this, "Dropout").run([&] {
    if (!training() || probability_ == 0) return x;
    if (!is_floating(x.dtype())) throw TypeError("dropout expects float32 or float64, got int64");
    Generator numbers = stream.next();
    const Tensor kept = bernoulli(x.shape(), 1 - probability_, x.dtype(), numbers);
    const auto masked = [scale = 1 / (1 - probability_)](auto a, auto k) { return where(k != 0, a * scale, 0); };
    return pointwise_with({.saved = Which::only(1), .kind = OperationKind::product}, "dropout", masked, x, kept);
  });
}

}  // namespace xgrad::nn
