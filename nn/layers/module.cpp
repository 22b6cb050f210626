#include <autograd/tensor/format.hpp>
#include <nn/layers/layer_stream.hpp>
#include <nn/layers/module.hpp>

#include <optional>
#include <unordered_set>

namespace xgrad::nn {

struct ModuleState {
  struct Item {
    std::string name;
    bool first;  // this module gave it its path
    bool is_buffer;
    Tensor tensor;  // or
    std::optional<Shared<ModuleState>> child;
    std::optional<LayerStream> stream;
    TorchForm torch;
  };
  std::string path;
  bool added = false;
  bool training = true;
  bool released = false;  // a model that held it was assigned another as a whole
  std::vector<Item> items;

  using Seen = std::unordered_set<const void*>;

  static std::string join(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }

  /// This module and all below it, each once.
  std::vector<ModuleState*> modules() {
    std::vector<ModuleState*> list = {this};
    Seen seen = {this};
    for (std::size_t i = 0; i < list.size(); ++i)
      for (const Item& item : list[i]->items)
        if (item.child && seen.insert(&**item.child).second) list.push_back(&**item.child);
    return list;
  }

  /// Appends the buffers, or parameters, of this module and all below it, in order of registration, each once.
  void collect(bool buffers, const std::string& prefix, Seen& seen, std::vector<NamedTensor>& list,
               std::vector<TorchForm>& forms) const {
    if (!seen.insert(this).second) return;
    for (const Item& item : items) {
      if (item.child)
        (*item.child)->collect(buffers, join(prefix, item.name), seen, list, forms);
      else if (!item.stream && seen.insert(item.tensor.body_or_null()).second && item.is_buffer == buffers) {
        list.push_back({join(prefix, item.name), item.tensor});
        forms.push_back(item.torch);
      }
    }
  }

  void collect_streams(const std::string& prefix, Seen& seen, std::vector<NamedStream>& list) const {
    if (!seen.insert(this).second) return;
    for (const Item& item : items) {
      if (item.child)
        (*item.child)->collect_streams(join(prefix, item.name), seen, list);
      else if (item.stream && seen.insert(item.stream->identity()).second)
        list.push_back({join(prefix, item.name), *item.stream});
    }
  }

  void place(const std::string& at) {
    path = at;
    for (Item& item : items) {
      if (!item.first) continue;
      if (item.child)
        (*item.child)->place(join(path, item.name));
      else if (!item.stream)
        item.tensor.label(join(path, item.name));
    }
  }

  void check_name(const char* kind, std::string_view name) const {
    const std::string subject = fmt::format("{}: {} '{}'", path.empty() ? "module" : path, kind, name);
    if (name.empty() || name.find('.') != std::string_view::npos)
      throw ValueError(subject + "; need a name that is not empty and has no dot");
    for (const Item& item : items)
      if (item.name == name) throw ValueError(subject + ": the name is taken; need one that is new in this module");
  }
};

void Registered::throw_exchange() const {
  throw_as<ValueError>(
      "{}: another tensor is assigned to the handle of a registered one, which optimizers and parameters() would keep; "
      "write values by assign(...) or modify(...)",
      label().empty() ? "module" : label());
}

Module::Module() : state_(std::make_shared<ModuleState>()) {}
Module::Module(const Module& other) = default;
Module::Module(Module&& other) noexcept = default;
Module::~Module() = default;

Module& Module::operator=(const Module& other) {
  if (&*state_ == &*other.state_) return *this;
  if (state_->added && !(state_->released && other.state_->added))
    throw_as<ValueError>(
        "{}: another module is assigned to one that was added; the parent would keep the old one: write into its "
        "parameters by assign(...), or construct the parent anew",
        state_->path);
  for (ModuleState* const below : state_->modules()) below->released = true;  // its members follow
  state_ = other.state_;
  return *this;
}

void Module::add_child(std::string_view name, const Module& child) {
  ModuleState& parent = *state_;
  ModuleState& added = *child.state_;
  parent.check_name("child", name);
  for (const ModuleState* const below : added.modules())
    if (below == &parent) throw_as<ValueError>("module: child '{}' contains its parent", name);
  parent.items.push_back({std::string(name), !added.added, false, Tensor(), child.state_, std::nullopt, {}});
  if (added.added) return;
  added.added = true;
  added.place(ModuleState::join(parent.path, std::string(name)));
}

Tensor Module::add_tensor(bool is_buffer, std::string_view name, Tensor tensor, const TorchForm& torch) {
  ModuleState& state = *state_;
  state.check_name(is_buffer ? "buffer" : "parameter", name);
  if (!is_buffer) tensor.requires_gradient();
  const bool first = CopyScope::mark(tensor);
  if (first) tensor.label(ModuleState::join(state.path, std::string(name)));
  state.items.push_back({std::string(name), first, is_buffer, tensor, std::nullopt, std::nullopt, torch});
  return tensor;
}

Registered Module::parameter(std::string_view name, Tensor tensor, const TorchForm& torch) {
  return add_tensor(false, name, std::move(tensor), torch);
}

Registered Module::buffer(std::string_view name, Tensor tensor) {
  return add_tensor(true, name, std::move(tensor), {});
}

LayerStream Module::add_stream(std::string_view name, const LayerStream& numbers) {
  state_->check_name("stream", name);
  state_->items.push_back({std::string(name), false, false, Tensor(), std::nullopt, numbers, {}});
  return numbers;
}

std::vector<NamedTensor> Module::named_tensors(bool buffers) const {
  std::vector<NamedTensor> list;
  std::vector<TorchForm> forms;
  ModuleState::Seen seen;
  state_->collect(buffers, "", seen, list, forms);
  return list;
}

std::vector<NamedTensor> Module::named_parameters() const { return named_tensors(false); }
std::vector<NamedTensor> Module::named_buffers() const { return named_tensors(true); }

std::vector<TorchForm> Module::torch_forms() const {
  std::vector<NamedTensor> list;
  std::vector<TorchForm> forms;
  ModuleState::Seen seen;
  state_->collect(false, "", seen, list, forms);
  return forms;
}

std::vector<NamedStream> Module::named_streams() const {
  std::vector<NamedStream> list;
  ModuleState::Seen seen;
  state_->collect_streams("", seen, list);
  return list;
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> list;
  for (NamedTensor& named : named_parameters()) list.push_back(std::move(named.tensor));
  return list;
}

std::size_t Module::parameter_count() const {
  std::size_t count = 0;
  for (const Tensor& tensor : parameters()) count += tensor.size();
  return count;
}

void Module::train() {
  for (ModuleState* const module : state_->modules()) module->training = true;
}

void Module::eval() {
  for (ModuleState* const module : state_->modules()) module->training = false;
}

bool Module::training() const { return state_->training; }

void Module::to(DType dtype) {
  if (!is_floating(dtype)) throw TypeError("module: to(int64); parameters are float32 or float64");
  const Pause pause;
  for (const bool buffers : {false, true})
    for (auto& [path, tensor] : named_tensors(buffers))
      if (is_floating(tensor.dtype()) && tensor.dtype() != dtype) tensor.assign(tensor.to(dtype));
}

void Module::requires_gradient(bool required) {
  for (Tensor& tensor : parameters()) tensor.requires_gradient(required);
}

const std::string& Module::path() const { return state_->path; }

void Module::become_outermost() {
  state_->added = false;
  state_->place("");
}

namespace {

constinit thread_local LayerObserver* observer_of_thread = nullptr;

}  // namespace

LayerObserver::LayerObserver() : outer_(std::exchange(observer_of_thread, this)) {}
LayerObserver::~LayerObserver() { observer_of_thread = outer_; }
LayerObserver* LayerObserver::current() noexcept { return observer_of_thread; }

LayerCall::LayerCall(const Module& layer, const char* kind)
    : layer_(layer), kind_(kind), scope_(layer.path().empty() ? PathScope::current() : layer.path()) {}

void LayerCall::rethrow() const {
  const std::string& path = layer_.path();
  const auto message = [&path](const Error& error) {
    const std::string text = error.what();
    const bool carries_path = text.starts_with(path + ".");  // of a layer inside of this one
    return path.empty() || carries_path ? text : path + ": " + text;
  };
  try {
    throw;
  } catch (const ShapeError& error) {
    throw ShapeError(message(error));
  } catch (const TypeError& error) {
    throw TypeError(message(error));
  } catch (const TapeError& error) {
    throw TapeError(message(error));
  } catch (const ValueError& error) {
    throw ValueError(message(error));
  }
}

}  // namespace xgrad::nn
