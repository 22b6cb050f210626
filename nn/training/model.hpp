#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/layers/layer_stream.hpp>
#include <nn/layers/module.hpp>
#include <nn/losses/losses.hpp>

#include <concepts>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// Tensors to look at: one, or those of a list. It owns nothing, as a span does not.
class TensorList : public std::span<const Tensor> {
 public:
  TensorList(const Tensor& one) : span(&one, 1) {}                   // NOLINT(google-explicit-constructor)
  TensorList(const std::vector<Tensor>& several) : span(several) {}  // NOLINT(google-explicit-constructor)
};

template <class M>
concept TrainableModel = std::is_invocable_r_v<Tensor, const M&, const Tensor&>;
template <class M>
concept ClonableModel = TrainableModel<M> && std::derived_from<M, Module> && std::copy_constructible<M>;
template <class L>
concept TrainingLoss = std::is_invocable_r_v<Tensor, const L&, const Tensor&, const Tensor&>;

/// A model and its loss without their types: all that training, inspection and the doctor need of them. It refers to
/// both, which must outlive it, and costs no memory; a clone owns its model. What goes in and comes out are lists: the
/// models and losses that it takes so far have one tensor in each.
class AnyModel {
 public:
  template <TrainableModel M, TrainingLoss L>
  AnyModel(M& model, const L& loss)
      : model_(std::shared_ptr<void>(), address(model)),
        loss_(address(loss)),
        outputs_of_([](const void* m, TensorList x) { return std::vector<Tensor>{object<M>(m)(x[0])}; }),
        loss_of_outputs_([](const void* l, TensorList y, TensorList t) -> Tensor { return object<L>(l)(y[0], t[0]); }),
        loss_of_inputs_([](const void* m, const void* l, TensorList x, TensorList t) -> Tensor {
          const Tensor y = object<M>(m)(x[0]);
          return object<L>(l)(y, t[0]);
        }),
        mean_over_rows_(nn::mean_over_rows<L>) {
    if constexpr (std::derived_from<M, Module>) module_ = &model;
    // The mode belongs to all copies of a module, as parameters do: a const one takes part.
    if constexpr (std::derived_from<M, Module>) mutable_module_ = const_cast<std::remove_const_t<M>*>(&model);
  }
  /// A function of inputs and targets: the loss of a model that passes its inputs on.
  template <TrainingLoss L>
  explicit AnyModel(const L& function) : AnyModel(pass_on, function) {}
  /// One that has `clone`. Only here is the copy constructor of M asked for.
  template <ClonableModel M, TrainingLoss L>
  static AnyModel clonable(M& model, const L& loss) {
    AnyModel result(model, loss);
    result.clone_ = [](AnyModel& any) {
      auto copy = std::make_shared<std::remove_const_t<M>>(nn::clone(object<M>(any.model_.get())));
      any.module_ = any.mutable_module_ = copy.get();
      any.model_ = std::move(copy);
    };
    return result;
  }

  std::vector<Tensor> outputs(TensorList inputs) const { return outputs_of_(model_.get(), inputs); }
  Tensor loss(TensorList outputs, TensorList targets) const { return loss_of_outputs_(loss_, outputs, targets); }
  /// loss(outputs(inputs), targets), as a training step has it.
  Tensor loss_of(TensorList inputs, TensorList targets) const {
    return loss_of_inputs_(model_.get(), loss_, inputs, targets);
  }

  /// Of the loss, see losses.hpp.
  bool mean_over_rows() const { return mean_over_rows_; }

  /// The same with a clone of the model, see nn::clone.
  AnyModel clone() const {
    AnyModel copy = *this;
    clone_(copy);
    return copy;
  }

  // A model that is not a Module has no modes, parameters or buffers.

  bool training() const { return module_ == nullptr || module_->training(); }
  void training(bool on) const {
    if (mutable_module_ != nullptr) on ? mutable_module_->train() : mutable_module_->eval();
  }
  std::vector<NamedTensor> parameters() const {
    return module_ != nullptr ? module_->named_parameters() : std::vector<NamedTensor>();
  }
  std::vector<NamedTensor> buffers() const {
    return module_ != nullptr ? module_->named_buffers() : std::vector<NamedTensor>();
  }
  std::vector<NamedStream> streams() const {
    return module_ != nullptr ? module_->named_streams() : std::vector<NamedStream>();
  }
  std::vector<Tensor> with_buffers(std::vector<Tensor> tensors) const {
    for (NamedTensor& named : buffers()) tensors.push_back(std::move(named.tensor));
    return tensors;
  }
  /// Of a clone.
  Module& module() const { return *mutable_module_; }

 private:
  static constexpr auto pass_on = [](const Tensor& x) { return x; };

  // Of an object, or of a function.
  static const void* address(auto& callable) { return reinterpret_cast<const void*>(std::addressof(callable)); }
  template <class T>
  static const T& object(const void* address) {
    return *reinterpret_cast<const T*>(const_cast<void*>(address));
  }

  std::shared_ptr<const void> model_;
  const void* loss_;
  std::vector<Tensor> (*outputs_of_)(const void* model, TensorList inputs);
  Tensor (*loss_of_outputs_)(const void* loss, TensorList outputs, TensorList targets);
  Tensor (*loss_of_inputs_)(const void* model, const void* loss, TensorList inputs, TensorList targets);
  bool mean_over_rows_;
  void (*clone_)(AnyModel& any) = nullptr;
  const Module* module_ = nullptr;
  Module* mutable_module_ = nullptr;
};

/// While one lives the model is in this mode, and then again in the one that it was in.
class ModeScope {
 public:
  ModeScope(const AnyModel& model, bool training) : model_(model), before_(model.training()) {
    model.training(training);
  }
  ~ModeScope() { model_.training(before_); }
  ModeScope(const ModeScope&) = delete;
  ModeScope& operator=(const ModeScope&) = delete;

 private:
  const AnyModel& model_;
  bool before_;
};

}  // namespace xgrad::nn
