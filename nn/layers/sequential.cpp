#include <autograd/ops/layout.hpp>
#include <autograd/tensor/error.hpp>
#include <nn/layers/sequential.hpp>

namespace xgrad::nn {

Tensor Sequential::operator()(const Tensor& x) const {
  Tensor y = x;
  for (const Step& step : steps_) y = step.held->call(y);
  return y;
}

void Sequential::throw_no_layer(std::size_t place) const {
  throw ValueError("Sequential: no layer of that type at " + std::to_string(place) + " of " + std::to_string(size()));
}

Tensor Flatten::operator()(const Tensor& x) const {
  return LayerCall(*this, "Flatten").run([&] {
    if (x.rank() == 0) throw ShapeError("flatten expects (n, …), got ()");
    if (x.rank() == 2) return x;
    std::int64_t rest = 1;
    for (std::size_t axis = 1; axis < x.rank(); ++axis) rest *= x.shape()[axis];
    return reshape(x, {x.shape()[0], rest});
  });
}

}  // namespace xgrad::nn
