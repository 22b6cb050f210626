#pragma once

#include <nn/layers/module.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// What can stand in a Sequential: a module, function or lambda from tensor to tensor.
template <class L>
concept Layer = requires(const L& layer, const Tensor& x) {
  { layer(x) } -> std::convertible_to<Tensor>;
};

/// Layers of any types, one after another: `nn::Sequential(nn::Linear(784, 256), nn::ReLU(), nn::Linear(256, 10))`.
/// Those that are modules become the children "0", "1", ..., by their place.
class Sequential : public Module {
 public:
  /// The identity, to be appended to.
  Sequential() = default;
  template <Layer First, Layer... Rest>
  explicit Sequential(First first, Rest... rest) {
    append(std::move(first));
    (append(std::move(rest)), ...);
  }

  template <Layer L>
  void append(L layer) {
    if constexpr (std::derived_from<L, Module>) add(std::to_string(size()), layer);
    steps_.emplace_back(std::move(layer));
  }

  Tensor operator()(const Tensor& x) const;
  std::size_t size() const { return steps_.size(); }
  /// The layer at a place. ValueError if there is none or it is not an L.
  template <Layer L>
  const L& at(std::size_t place) const& {
    const L* const layer = place < size() ? steps_[place].template target<L>() : nullptr;
    if (layer == nullptr) throw_no_layer(place);
    return *layer;
  }
  template <Layer L>
  L at(std::size_t place) const&& {
    return at<L>(place);
  }

 private:
  [[noreturn]] void throw_no_layer(std::size_t place) const;

  std::vector<std::function<Tensor(const Tensor&)>> steps_;  // copies hold copies of the layers
};

/// (n, ...) to (n, product of the others): keeps axis 0. ShapeError for a scalar.
class Flatten : public Module {
 public:
  Tensor operator()(const Tensor& x) const;
};

}  // namespace xgrad::nn
