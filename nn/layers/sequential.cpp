#include <autograd/ops/layout.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/sequential.hpp>

namespace xgrad::nn {

Tensor Sequential::operator()(const Tensor& x) const {
  Tensor y = x;
  for (const auto& step : steps_) y = step(y);
  return y;
}

void Sequential::throw_no_layer(std::size_t place) const {
  throw_as<ValueError>("Sequential: no layer of that type at {} of {}", place, size());
}

Tensor Flatten::operator()(const Tensor& x) const {
  return LayerCall(*this, "Flatten").run([&] {
    check_defined("flatten", "x", x);
    if (x.rank() == 0) throw ShapeError("flatten expects (n, …), got ()");
    if (x.rank() == 2) return x;
    return x.rank() == 1 ? unsqueeze(x, 1) : flatten(x, 1);
  });
}

}  // namespace xgrad::nn
