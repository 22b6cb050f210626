#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/data/data.hpp>
#include <nn/layers/layer_stream.hpp>
#include <nn/layers/module.hpp>
#include <nn/losses/losses.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// Tensors to look at: one, or those of a list, `{ids, age}` too. It owns nothing, as a span does not: an argument of a
/// call, and nothing to keep.
class TensorList : public std::span<const Tensor> {
 public:
  TensorList(std::initializer_list<Tensor> several)  // NOLINT(google-explicit-constructor)
      : span(several.begin(), several.size()) {}
  TensorList(const Tensor& one) : span(&one, 1) {}                   // NOLINT(google-explicit-constructor)
  TensorList(const std::vector<Tensor>& several) : span(several) {}  // NOLINT(google-explicit-constructor)
  TensorList(const Columns& columns) : span(columns.tensors()) {}    // NOLINT(google-explicit-constructor)
  TensorList(std::span<const Tensor> several) : span(several) {}     // NOLINT(google-explicit-constructor)
};

/// The rows that all of these have. ShapeError, in the name of who asks, if their numbers differ or there are none.
std::int64_t rows_of(const char* operation, TensorList inputs, TensorList targets);

/// How models and losses are called: with a tensor for each argument, at most so many, or with a std::vector of them.
inline constexpr std::size_t max_tensor_arguments = 8;

template <class F, std::size_t n>
inline constexpr bool takes_tensors = []<std::size_t... I>(std::index_sequence<I...>) {
  return std::is_invocable_v<const F&, decltype((static_cast<void>(I), std::declval<const Tensor&>()))...>;
}
(std::make_index_sequence<n>());
/// One bit for each number of tensors that F takes.
template <class F>
inline constexpr unsigned tensor_counts = []<std::size_t... I>(std::index_sequence<I...>) {
  return ((takes_tensors<F, I + 1> ? 2u << I : 0u) | ...);
}
(std::make_index_sequence<max_tensor_arguments>());

/// What a model gives: a Tensor, or a std::vector, std::array, pair or tuple of them.
std::vector<Tensor> output_list(const Tensor& one);
inline std::vector<Tensor> output_list(std::vector<Tensor> several) { return several; }
template <class Tuple>
requires requires { std::tuple_size<Tuple>::value; }
std::vector<Tensor> output_list(const Tuple& several) {
  return std::apply([](const auto&... x) { return std::vector<Tensor>{x...}; }, several);
}
/// A call with more tensors than any, or fewer; counts: as tensor_counts.
[[noreturn]] void throw_tensor_count(const char* what, std::size_t given, unsigned counts);

/// f(list[0], list[1], ...), or f(list); ShapeError, which begins with `what`, if f takes another number.
template <class Result, class F, class Convert>
Result call_with(const F& f, TensorList list, const char* what, const Convert& convert) {
  if constexpr (tensor_counts<F> == 0) {
    return convert(f(std::vector<Tensor>(list.begin(), list.end())));
  } else {
    std::optional<Result> result;
    const auto call = [&]<std::size_t... I>(std::index_sequence<I...>) {
      if constexpr (takes_tensors<F, sizeof...(I)>) result.emplace(convert(f(list[I]...)));
    };
    [&]<std::size_t... N>(std::index_sequence<N...>) {
      static_cast<void>(((list.size() == N + 1 && (call(std::make_index_sequence<N + 1>()), true)) || ...));
    }
    (std::make_index_sequence<max_tensor_arguments>());
    if (!result) throw_tensor_count(what, list.size(), tensor_counts<F>);
    return *std::move(result);
  }
}

/// A const call with a tensor for each input, or with a std::vector<Tensor>, that gives what output_list
/// takes.
template <class M>
concept TrainableModel = tensor_counts<M>
!= 0 || std::is_invocable_v<const M&, const std::vector<Tensor>&>;
template <class M>
concept ClonableModel = TrainableModel<M> && std::derived_from<M, Module> && std::copy_constructible<M>;
/// A loss: one number from an output and a target; from the outputs and then the targets, a tensor each; or from two
/// std::vector<Tensor>.
template <class L>
concept TrainingLoss = (tensor_counts<L> & ~2u) != 0 ||
                       std::is_invocable_r_v<Tensor, const L&, const std::vector<Tensor>&, const std::vector<Tensor>&>;

/// Whether both are what training takes; where not, a line says what to write.
template <class M, class L>
constexpr bool are_model_and_loss() {
  constexpr bool not_const = std::is_invocable_v<std::remove_const_t<M>&, const Tensor&> ||
                             std::is_invocable_v<std::remove_const_t<M>&, const Tensor&, const Tensor&>;
  static_assert(TrainableModel<M> || !not_const,
                "the model's operator() is not const: write `Tensor operator()(const Tensor& x) const`");
  static_assert(TrainableModel<M> || not_const,
                "a model is called as `Tensor operator()(const Tensor& x) const`, with a tensor for each input");
  static_assert(TrainingLoss<L>,
                "a loss is called as `Tensor loss(const Tensor& output, const Tensor& target)`, with a tensor for each "
                "output and target");
  return TrainableModel<M> && TrainingLoss<L>;
}
template <class M, class L>
constexpr bool are_clonable_model_and_loss() {
  static_assert(std::derived_from<std::remove_const_t<M>, Module>, "a model that is cloned derives from nn::Module");
  static_assert(std::copy_constructible<std::remove_const_t<M>>, "a model that is cloned has a copy constructor");
  return are_model_and_loss<M, L>() && ClonableModel<M>;
}

/// loss(outputs, targets).
template <class L>
Tensor call_loss(const L& loss, TensorList outputs, TensorList targets) {
  if constexpr (tensor_counts<L> == 0) {
    return loss(std::vector<Tensor>(outputs.begin(), outputs.end()),
                std::vector<Tensor>(targets.begin(), targets.end()));
  } else {
    if constexpr (takes_tensors<L, 2>)
      if (outputs.size() == 1 && targets.size() == 1) return loss(outputs[0], targets[0]);
    std::vector<Tensor> all(outputs.begin(), outputs.end());
    all.insert(all.end(), targets.begin(), targets.end());
    return call_with<Tensor>(loss, all, "loss: outputs and targets together", [](Tensor y) { return y; });
  }
}

/// A model and its loss without their types: all that training, inspection and the doctor need of them. It refers to
/// both, which must outlive it, and costs no memory; a clone owns its model. What goes in and comes out are lists.
class AnyModel {
 public:
  template <TrainableModel M, TrainingLoss L>
  AnyModel(M& model, const L& loss)
      : model_(std::shared_ptr<void>(), address(model)),
        loss_(address(loss)),
        outputs_of_([](const void* m, TensorList x) { return call_model(object<M>(m), x); }),
        loss_of_outputs_([](const void* l, TensorList y, TensorList t) { return call_loss(object<L>(l), y, t); }),
        loss_of_inputs_([](const void* m, const void* l, TensorList x, TensorList t) -> Tensor {
          if constexpr (std::is_invocable_r_v<Tensor, const M&, const Tensor&> && takes_tensors<L, 2>)
            if (x.size() == 1 && t.size() == 1) {
              const Tensor y = object<M>(m)(x[0]);
              return object<L>(l)(y, t[0]);
            }
          return call_loss(object<L>(l), call_model(object<M>(m), x), t);
        }),
        mean_over_rows_(nn::mean_over_rows<L>) {
    // The mode belongs to all copies of a module, as parameters do: a const one takes part.
    if constexpr (std::derived_from<M, Module>) module_ = const_cast<std::remove_const_t<M>*>(&model);
  }
  /// A function of inputs and targets: the loss of a model that passes its inputs on.
  template <TrainingLoss L>
  explicit AnyModel(const L& function) : AnyModel(pass_on, function) {
    loss_of_inputs_ = [](const void*, const void* l, TensorList x, TensorList t) {
      return call_loss(object<L>(l), x, t);
    };
  }
  /// The same; a static assertion where M or L is none.
  template <class M, class L>
  static AnyModel of(M& model, const L& loss) {
    if constexpr (are_model_and_loss<M, L>())
      return AnyModel(model, loss);
    else
      std::terminate();
  }
  template <class M, class L>
  static AnyModel clonable_of(M& model, const L& loss) {
    if constexpr (are_clonable_model_and_loss<M, L>())
      return clonable(model, loss);
    else
      std::terminate();
  }
  /// One that has `clone`. Only here is the copy constructor of M asked for.
  template <ClonableModel M, TrainingLoss L>
  static AnyModel clonable(M& model, const L& loss) {
    AnyModel result(model, loss);
    result.clone_ = [](AnyModel& any) {
      auto copy = std::make_shared<std::remove_const_t<M>>(nn::clone(object<M>(any.model_.get())));
      any.module_ = copy.get();
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

  bool is_module() const { return module_ != nullptr; }
  bool training() const { return module_ == nullptr || module_->training(); }
  void training(bool on) const {
    if (module_ != nullptr) on ? module_->train() : module_->eval();
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
  std::vector<NamedMemory> memories() const {
    return module_ != nullptr ? module_->named_memories() : std::vector<NamedMemory>();
  }
  std::vector<Tensor> with_buffers(std::vector<Tensor> tensors) const {
    for (NamedTensor& named : buffers()) tensors.push_back(std::move(named.tensor));
    return tensors;
  }
  /// Of a clone.
  Module& module() const { return *module_; }

 private:
  static constexpr auto pass_on = [](const std::vector<Tensor>& x) { return x; };

  template <class M>
  static std::vector<Tensor> call_model(const M& model, TensorList inputs) {
    return call_with<std::vector<Tensor>>(model, inputs, "model: inputs",
                                          [](auto&& y) { return output_list(std::forward<decltype(y)>(y)); });
  }

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
  Module* module_ = nullptr;
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
