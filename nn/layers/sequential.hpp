#pragma once

#include <nn/layers/module.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
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
    steps_.emplace_back(std::make_unique<StepOf<L>>(std::move(layer)));
  }

  Tensor operator()(const Tensor& x) const;
  std::size_t size() const { return steps_.size(); }
  /// The layer at a place. ValueError if there is none or it is not an L.
  template <Layer L>
  const L& at(std::size_t place) const {
    const auto* found = place < size() ? dynamic_cast<const StepOf<L>*>(steps_[place].held.get()) : nullptr;
    if (found == nullptr) throw_no_layer(place);
    return found->layer;
  }

 private:
  struct AnyStep {
    virtual ~AnyStep() = default;
    virtual Tensor call(const Tensor& x) const = 0;
    virtual std::unique_ptr<AnyStep> copy() const = 0;
  };
  template <class L>
  struct StepOf final : AnyStep {
    explicit StepOf(L l) : layer(std::move(l)) {}
    StepOf(const StepOf&) = default;
    Tensor call(const Tensor& x) const override { return layer(x); }
    std::unique_ptr<AnyStep> copy() const override { return std::make_unique<StepOf>(*this); }
    L layer;
  };
  struct Step {
    explicit Step(std::unique_ptr<AnyStep> step) : held(std::move(step)) {}
    Step(const Step& other) : held(other.held->copy()) {}
    Step(Step&&) noexcept = default;
    Step& operator=(const Step& other) {
      held = other.held->copy();
      return *this;
    }
    Step& operator=(Step&&) noexcept = default;
    ~Step() = default;
    std::unique_ptr<AnyStep> held;
  };

  [[noreturn]] void throw_no_layer(std::size_t place) const;

  std::vector<Step> steps_;
};

/// (n, ...) to (n, product of the others): keeps axis 0. ShapeError for a scalar.
class Flatten : public Module {
 public:
  Tensor operator()(const Tensor& x) const;
};

}  // namespace xgrad::nn
