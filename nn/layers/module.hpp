#pragma once

#include <autograd/tape/operation.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/copy_scope.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/tensor.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// An object that the copies of a module share, and that a clone gets a copy of: once, however many refer to it.
template <class T>
class Shared {
 public:
  explicit Shared(std::shared_ptr<T> object) : object_(std::move(object)) {}
  Shared(const Shared& other) : object_(shared_or_copied(other.object_)) {}
  Shared(Shared&& other) noexcept : object_(other.object_) {}  // what was moved from stays usable
  Shared& operator=(const Shared& other) {
    object_ = Shared(other).object_;
    return *this;
  }
  ~Shared() = default;

  T& operator*() const { return *object_; }
  T* operator->() const { return object_.get(); }
  const std::shared_ptr<T>& pointer() const { return object_; }

 private:
  // The originals are kept too, so that no other object can take their address while the scope lives.
  struct Copied {
    std::shared_ptr<T> original;
    std::shared_ptr<T> copy;
  };
  static std::shared_ptr<T> shared_or_copied(const std::shared_ptr<T>& original) {
    CopyScope* const scope = CopyScope::current();
    if (scope == nullptr) return original;
    if (const auto& known = scope->copy_of(original.get())) return static_cast<const Copied*>(known.get())->copy;
    auto copy = std::make_shared<T>(*original);
    scope->copy_of(original.get()) = std::make_shared<Copied>(Copied{original, copy});
    scope->copy_of(copy.get()) = std::make_shared<Copied>(Copied{copy, copy});  // a copy of the copy is the copy
    return copy;
  }

  std::shared_ptr<T> object_;
};

/// A tensor of a module with its path from there: `encoder.hidden.weight`.
struct NamedTensor {
  std::string path;
  Tensor tensor;
};

/// A part of a model: it owns parameters, buffers and children, each under a name. Derive, register members by `add`,
/// `parameter` and `buffer` where they are initialised, and write `Tensor operator()(const Tensor& x) const`:
///
///     struct Net : nn::Module {
///       nn::Linear hidden = add("hidden", nn::Linear(784, 256));
///       nn::Linear output = add("output", nn::Linear(256, 10));
///       Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }
///     };
///
/// Copies of a module share everything that is registered, as copies of a tensor handle are one tensor; `clone` gives a
/// model of its own. A call is safe from several threads; what changes a module is not.
class Module {
 public:
  Module();
  Module(const Module& other);
  Module(Module&& other) noexcept;
  /// Refers to what other refers to. ValueError for a module that was added to another when `other` is new: the parent
  /// would keep the old one.
  Module& operator=(const Module& other);
  ~Module();

  /// Registers a child and returns it. The first module that adds a child gives it its path; added elsewhere, it is
  /// shared. Names are not empty, have no dot and are used once (ValueError).
  template <std::derived_from<Module> M>
  M add(std::string_view name, M child) {
    add_child(name, child);
    return child;
  }
  /// Registers a tensor that is learned: marks it by requires_gradient and labels it with its path. TypeError for
  /// int64.
  Tensor parameter(std::string_view name, Tensor tensor);
  /// Registers a tensor that belongs to the model and is not learned: running statistics, tables.
  Tensor buffer(std::string_view name, Tensor tensor);

  /// From here down, in order of registration, each tensor once however many modules share it.
  std::vector<Tensor> parameters() const;
  std::vector<NamedTensor> named_parameters() const;
  std::vector<NamedTensor> named_buffers() const;
  /// Numbers in all parameters.
  std::size_t parameter_count() const;

  /// Layers that behave differently in training and evaluation look at `training`; it is on at first. Both reach every
  /// child.
  void train();
  void eval();
  bool training() const;

  /// Converts parameters and floating buffers in place. TypeError for int64.
  void to(DType dtype);
  /// Whether the parameters are to be learned; those of a frozen module get no gradients.
  void requires_gradient(bool required);
  void freeze() { requires_gradient(false); }

  /// From the outermost module: `encoder.hidden`; empty for a module that was not added to any.
  const std::string& path() const;

 private:
  struct State;
  template <std::copy_constructible M>
  friend M clone(const M& model);

  void add_child(std::string_view name, const Module& child);
  Tensor add_tensor(const char* kind, std::string_view name, Tensor tensor);
  std::vector<NamedTensor> named_tensors(bool buffers) const;
  void become_outermost();

  Shared<State> state_;
};

/// A model with parameters, buffers and modules of its own, equal in value and bits: copy-constructs in a CopyScope, in
/// which everything registered is copied exactly once. Vectors of layers, nested modules and tied weights follow;
/// tensors that were not registered are shared.
template <std::copy_constructible M>
M clone(const M& model) {
  M copy = [&model] {
    const CopyScope scope;
    return M(model);
  }();
  if constexpr (std::derived_from<M, Module>) copy.become_outermost();
  return copy;
}

/// One call of a layer: while it lives, the layer's path stands in listings and traces.
class LayerCall {
 public:
  /// kind: `Linear`, a literal.
  LayerCall(const Module& layer, const char* kind);
  /// f(), with the layer's path before the text of its errors; `summary` learns what it gave. flops: additions and
  /// multiplications that it takes.
  template <class F>
  Tensor run(const F& f, double flops = 0) const {
    try {
      Tensor output = f();
      report(output, flops);
      return output;
    } catch (const Error&) {
      rethrow();
    }
  }

 private:
  void report(const Tensor& output, double flops) const;
  [[noreturn]] void rethrow() const;  // the current exception

  const Module& layer_;
  const char* kind_;
  PathScope scope_;
};

/// Listens to the layers that this thread calls, paused.
class SummaryScope {
 public:
  explicit SummaryScope(const Module& model);
  ~SummaryScope();
  SummaryScope(const SummaryScope&) = delete;
  SummaryScope& operator=(const SummaryScope&) = delete;

  /// Zeros (1, shape...) in the dtype of the model's parameters.
  Tensor example(const Shape& shape) const;
  std::string text(const Tensor& output) const;

 private:
  friend class LayerCall;
  struct Row {
    std::string path;
    std::string kind;
    Shape output;
    std::size_t parameters;
    double flops;
    double bytes;
  };
  void report(const Module& layer, const char* kind, const Tensor& output, double flops);

  const Module& model_;
  Pause pause_;
  SummaryScope* outer_;
  std::vector<Row> rows_;
};

/// A table of the layers that ran for one example of this shape, in order: path, kind, output shape, parameters,
/// floating operations and bytes of the output; then totals. The model itself is left alone: a clone runs, in eval
/// mode.
template <std::derived_from<Module> M>
std::string summary(const M& model, const Shape& shape) {
  M copy = clone(model);
  copy.eval();
  const SummaryScope scope(copy);
  return scope.text(copy(scope.example(shape)));
}

/// The same for a model that takes something else than (n, shape...) in the dtype of its parameters, such as indices:
/// for this input.
template <std::derived_from<Module> M, std::same_as<Tensor> X>
std::string summary(const M& model, const X& input) {
  M copy = clone(model);
  copy.eval();
  const SummaryScope scope(copy);
  return scope.text(copy(input));
}

}  // namespace xgrad::nn
