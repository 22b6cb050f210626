#include <autograd/tensor/format.hpp>
#include <nn/layers/layer_stream.hpp>
#include <nn/layers/module.hpp>
#include <nn/layers/running_statistics.hpp>

#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

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
    std::optional<Shared<RunningStatistics>> statistics = std::nullopt;
  };
  std::string path;
  bool added = false;
  bool training = true;
  bool released = false;  // a model that held it was assigned another as a whole
  std::vector<Item> items;

  using Seen = std::unordered_set<const void*>;

  ModuleState() = default;
  ModuleState(const ModuleState&) = default;
  ModuleState& operator=(const ModuleState&) = default;
  ~ModuleState();
  static const Shared<ModuleState>& deepest_first(const Shared<ModuleState>& state);

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

  /// Calls visit(item, path) for what this module and all below it hold, in order of registration, without recursion:
  /// models may be nested deeply. A child is gone into if visit says so.
  template <class Visit>
  void walk(const std::string& from, const Visit& visit) {
    struct Place {
      ModuleState* module;
      std::string path;
      std::size_t next = 0;
    };
    std::vector<Place> open;
    open.push_back({this, from});
    while (!open.empty()) {
      Place& place = open.back();
      if (place.next == place.module->items.size()) {
        open.pop_back();
        continue;
      }
      Item& item = place.module->items[place.next++];
      std::string below = join(place.path, item.name);
      if (visit(item, below) && item.child) open.push_back({&**item.child, std::move(below)});
    }
  }

  /// Calls visit(item, path) for what is no child, each object once.
  template <class Visit>
  void each(const Visit& visit) {
    Seen seen = {this};
    walk("", [&](const Item& item, const std::string& at) {
      const void* const object = item.child        ? static_cast<const void*>(&**item.child)
                                 : item.stream     ? item.stream->identity()
                                 : item.statistics ? static_cast<const void*>(&**item.statistics)
                                                   : item.tensor.body_or_null();
      if (!seen.insert(object).second) return false;
      if (!item.child) visit(item, at);
      return true;
    });
  }

  void place(const std::string& at) {
    path = at;
    walk(at, [](Item& item, const std::string& below) {
      if (item.first && item.child)
        (*item.child)->path = below;
      else if (item.first)
        item.tensor.label(below);
      return item.first;
    });
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

/// Takes apart what nobody else holds, from the outside in: the destructors of children have none left to call.
ModuleState::~ModuleState() {
  std::vector<std::shared_ptr<ModuleState>> orphans;
  const auto take_children = [&orphans](ModuleState& of) {
    for (Item& item : of.items)
      if (item.child && item.child->pointer().use_count() == 1) {
        orphans.push_back(item.child->pointer());
        item.child.reset();
      }
  };
  take_children(*this);
  while (!orphans.empty()) {
    const std::shared_ptr<ModuleState> orphan = std::move(orphans.back());
    orphans.pop_back();
    take_children(*orphan);
  }
}

/// In a CopyScope, copies the deepest modules first, so that the copies of those around find them made.
const Shared<ModuleState>& ModuleState::deepest_first(const Shared<ModuleState>& state) {
  CopyScope* const scope = CopyScope::current();
  if (scope == nullptr || scope->substitutes() || scope->copy_of(&*state) != nullptr) return state;
  std::vector<const Shared<ModuleState>*> list = {&state};
  Seen seen = {&*state};
  for (std::size_t i = 0; i < list.size(); ++i)
    for (const Item& item : (*list[i])->items)
      if (item.child && seen.insert(&**item.child).second) list.push_back(&*item.child);
  for (std::size_t i = list.size(); i-- > 0;) static_cast<void>(Shared<ModuleState>(*list[i]));  // kept by the scope
  return state;
}

Module::Module() : state_(std::make_shared<ModuleState>()) {}
Module::Module(const Module& other) : state_(ModuleState::deepest_first(other.state_)) {}
Module::Module(Module&& other) noexcept = default;
Module::~Module() = default;

Module& Module::operator=(const Module& other) {
  if (&*state_ == &*other.state_) return *this;
  if (state_->added && !(state_->released && other.state_->added))
    throw_as<ValueError>(
        "{}: another module is assigned to one that was added; the parent would keep the old one: write into its "
        "parameters by assign(...), or construct the parent anew",
        state_->path);
  for (ModuleState* const below : state_->modules()) {  // its members follow
    below->released = true;
    for (const ModuleState::Item& item : below->items)
      if (item.tensor.defined()) item.tensor.body().exchangeable = true;
  }
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
  check_defined("module", is_buffer ? "a buffer" : "a parameter", tensor);
  if (!is_buffer && !is_floating(tensor.dtype()))
    throw_as<TypeError>("module: parameter '{}' is {}; need float32 or float64, or a buffer", name, tensor.dtype());
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

Shared<RunningStatistics> Module::add_statistics(std::string_view name, const Shared<RunningStatistics>& statistics) {
  state_->check_name("statistics", name);
  state_->items.push_back({std::string(name), false, false, Tensor(), std::nullopt, std::nullopt, {}, statistics});
  return statistics;
}

std::vector<NamedTensor> Module::named_tensors(bool buffers) const {
  std::vector<NamedTensor> list;
  state_->each([&](const ModuleState::Item& item, const std::string& at) {
    if (item.tensor.defined() && item.is_buffer == buffers) list.push_back({at, item.tensor});
  });
  return list;
}

std::vector<NamedTensor> Module::named_parameters() const { return named_tensors(false); }
std::vector<NamedTensor> Module::named_buffers() const { return named_tensors(true); }

std::vector<TorchForm> Module::torch_forms() const {
  std::vector<TorchForm> forms;
  state_->each([&](const ModuleState::Item& item, const std::string&) {
    if (item.tensor.defined() && !item.is_buffer) forms.push_back(item.torch);
  });
  return forms;
}

std::vector<NamedStream> Module::named_streams() const {
  std::vector<NamedStream> list;
  state_->each([&](const ModuleState::Item& item, const std::string& at) {
    if (item.stream) list.push_back({at, *item.stream});
  });
  return list;
}

std::vector<NamedMemory> Module::named_memories() const {
  std::vector<NamedMemory> list;
  state_->each([&](const ModuleState::Item& item, const std::string& at) {
    if (item.stream) list.push_back({at, item.stream->memory()});
    if (item.statistics) list.push_back({at, item.statistics->pointer()});
  });
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

const std::string& Module::path() const& { return state_->path; }

void Module::become_outermost() {
  state_->added = false;
  state_->place("");
}

namespace {

constinit thread_local LayerObserver* observer_of_thread = nullptr;

}  // namespace

LayerObserver::LayerObserver() : of_thread_(&observer_of_thread), outer_(std::exchange(observer_of_thread, this)) {}
LayerObserver::~LayerObserver() {
  if (of_thread_ == &observer_of_thread) observer_of_thread = outer_;
}
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
