#pragma once

#include <autograd/ops/arithmetic.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/tensor.hpp>
#include <nn/layers/shared.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xgrad::nn {

class LayerStream;
class RunningStatistics;

/// How PyTorch keeps a parameter that it keeps otherwise than we do.
struct TorchForm {
  const char* name = nullptr;  ///< in place of ours, a literal
  bool transposed = false;     ///< (out, in) in place of (in, out)
};

/// A tensor of a module with its path from there: `encoder.hidden.weight`.
struct NamedTensor {
  std::string path;
  Tensor tensor;
};

/// A layer's random numbers with the path of the layer.
struct NamedStream;

/// What a layer keeps of its calls, with its path.
struct NamedMemory;

/// A module's handle to a tensor that it has registered. It does not become another tensor, of which `parameters()` and
/// optimizers would not know: `linear.weight = x` throws a ValueError, and `linear.weight.assign(x)` writes x's values.
/// In all else it is a Tensor.
class Registered : public Tensor {
 public:
  /// An empty handle, to be set in a constructor.
  Registered() = default;
  Registered(Tensor tensor) : Tensor(std::move(tensor)) {}  // NOLINT(google-explicit-constructor)
  Registered(const Registered&) = default;
  Registered(Registered&&) noexcept = default;
  /// As with any tensor, and as members of a model that is assigned as a whole, `net = best`.
  Registered& operator=(const Registered& other) {
    if (defined() && !is(other) && !body().exchangeable) throw_exchange();
    Tensor::operator=(other);
    return *this;
  }
  /// ValueError unless the handle is empty, or the tensor the same.
  Registered& operator=(Tensor tensor) {
    if (defined() && !is(tensor)) throw_exchange();
    Tensor::operator=(std::move(tensor));
    return *this;
  }

 private:
  [[noreturn]] void throw_exchange() const;
};

template <class T>
Registered& operator+=(Registered&, const T&) = delete;  // x += y makes a new tensor: assign(x + y)
template <class T>
Registered& operator-=(Registered&, const T&) = delete;
template <class T>
Registered& operator*=(Registered&, const T&) = delete;
template <class T>
Registered& operator/=(Registered&, const T&) = delete;

/// What a module and its copies share.
struct ModuleState;

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
  /// Refers to what other refers to, for models as a whole. ValueError for a module that was added to another: the
  /// parent would keep the old one.
  Module& operator=(const Module& other);
  ~Module();

  /// Registers a child and returns it. The first module that adds a child gives it its path; added elsewhere, it is
  /// shared. Names are not empty, have no dot and are used once (ValueError).
  template <std::derived_from<Module> M>
  M add(std::string_view name, M child) {
    add_child(name, child);
    return child;
  }
  /// xgrad::add, the sum, which the name above would hide in a module.
  static Tensor add(const Tensor& x, const Tensor& y) { return xgrad::add(x, y); }
  static Tensor add(const Tensor& x, double y) { return xgrad::add(x, y); }
  static Tensor add(double x, const Tensor& y) { return xgrad::add(x, y); }

  /// Registers a tensor that is learned: marks it by requires_gradient, labels it with its path. TypeError for int64.
  /// Keep it as `nn::Registered w = parameter(...)`: to a plain Tensor another could be assigned, which nobody trains.
  Registered parameter(std::string_view name, Tensor tensor, const TorchForm& torch = {});
  /// Registers a tensor that belongs to the model and is not learned: running statistics, tables.
  Registered buffer(std::string_view name, Tensor tensor);
  /// Registers the random numbers of a layer, so that a checkpoint has their place.
  LayerStream add_stream(std::string_view name, const LayerStream& numbers);
  /// Registers the running statistics of a layer, of which processes that train a model together tell each other.
  Shared<RunningStatistics> add_statistics(std::string_view name, const Shared<RunningStatistics>& statistics);

  /// From here down, in order of registration, each tensor once however many modules share it.
  std::vector<Tensor> parameters() const;
  std::vector<NamedTensor> named_parameters() const;
  std::vector<NamedTensor> named_buffers() const;
  /// Of the parameters, in the order of `named_parameters`.
  std::vector<TorchForm> torch_forms() const;
  std::vector<NamedStream> named_streams() const;
  /// Of the streams and the running statistics.
  std::vector<NamedMemory> named_memories() const;
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
  const std::string& path() const&;
  std::string path() const&& { return path(); }

 private:
  template <std::copy_constructible M>
  friend M clone(const M& model);

  void add_child(std::string_view name, const Module& child);
  Tensor add_tensor(bool is_buffer, std::string_view name, Tensor tensor, const TorchForm& torch);
  std::vector<NamedTensor> named_tensors(bool buffers) const;
  void become_outermost();

  Shared<ModuleState> state_;
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

/// Hears of the layers that this thread calls while it lives; of several the one made last.
class LayerObserver {
 public:
  LayerObserver();
  virtual ~LayerObserver();
  LayerObserver(const LayerObserver&) = delete;
  LayerObserver& operator=(const LayerObserver&) = delete;
  /// kind: `Linear`; flops: additions and multiplications that the call took.
  virtual void called(const Module& layer, const char* kind, const Tensor& output, double flops) = 0;
  /// Of this thread; nullptr if there is none.
  static LayerObserver* current() noexcept;

 private:
  LayerObserver** of_thread_;
  LayerObserver* outer_;
};

/// One call of a layer: while it lives, the layer's path stands in listings and traces.
class LayerCall {
 public:
  /// kind: `Linear`, a literal.
  LayerCall(const Module& layer, const char* kind);
  /// f(), with the layer's path before the text of its errors; an observer hears what it gave. flops: additions and
  /// multiplications that it takes.
  template <class F>
  Tensor run(const F& f, double flops = 0) const {
    try {
      Tensor output = f();
      if (LayerObserver* const observer = LayerObserver::current()) [[unlikely]]
        observer->called(layer_, kind_, output, flops);
      return output;
    } catch (const Error&) {
      rethrow();
    }
  }

 private:
  [[noreturn]] void rethrow() const;  // the current exception

  const Module& layer_;
  const char* kind_;
  PathScope scope_;
};

}  // namespace xgrad::nn
