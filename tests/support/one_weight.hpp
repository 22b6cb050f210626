#pragma once

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cstdint>
#include <vector>

/// A training that can be followed by hand.
namespace one_weight {

using namespace xgrad;

/// y = w·x with w = 1 at first, of float64.
struct Line : nn::Module {
  Tensor w = parameter("w", tensor({{1}}, float64));
  Tensor operator()(const Tensor& x) const { return matmul(x, w); }
  double weight() const { return w.item(); }
};

inline nn::Dataset points(const std::vector<double>& x, const std::vector<double>& y) {
  const auto rows = static_cast<std::int64_t>(x.size());
  return {tensor(x, {rows, 1}, float64), tensor(y, {rows, 1}, float64)};
}

inline nn::FitOptions in_order(std::int64_t size, std::int64_t epochs = 1) {
  return {.epochs = epochs, .batches = {.size = size}};
}

}  // namespace one_weight
