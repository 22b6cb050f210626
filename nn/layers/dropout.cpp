#include <autograd/pointwise.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/dropout.hpp>

namespace xgrad::nn {

Dropout::Dropout(double probability, Generator& generator)
    : stream(add_stream("stream", LayerStream(generator))), probability_(probability) {
  if (!(probability >= 0 && probability <= 1))
    throw_as<ValueError>("Dropout: probability {}; need 0 <= probability <= 1", probability);
}

Tensor Dropout::operator()(const Tensor& x) const {
  return LayerCall(*this, "Dropout").run([&] {
    check_defined("dropout", "x", x);
    if (!training() || probability_ == 0) return x;
    if (!is_floating(x.dtype())) throw TypeError("dropout expects float32 or float64, got int64");
    Generator numbers = stream.next();
    const Tensor kept = bernoulli(x.shape(), 1 - probability_, x.dtype(), numbers);
    const auto masked = [scale = 1 / (1 - probability_)](auto a, auto k) { return where(k != 0, a * scale, 0); };
    return pointwise_with({.saved = Which::only(1), .kind = OperationKind::product}, "dropout", masked, x, kept);
  });
}

}  // namespace xgrad::nn
