#include <autograd/text/table.hpp>
#include <nn/layers/module.hpp>

#include <algorithm>
#include <optional>
#include <unordered_set>

namespace xgrad::nn {

struct Module::State {
  struct Item {
    std::string name;
    bool first;  // this module gave it its path
    bool is_buffer;
    Tensor tensor;  // or
    std::optional<Shared<State>> child;
  };
  std::string path;
  bool added = false;
  bool training = true;
  std::vector<Item> items;

  using Seen = std::unordered_set<const void*>;

  static std::string join(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }

  /// Calls f(state) for this module and all below it, each once.
  template <class F>
  void for_each_module(const F& f, Seen& seen) {
    if (!seen.insert(this).second) return;
    f(*this);
    for (Item& item : items)
      if (item.child) (*item.child)->for_each_module(f, seen);
  }
  template <class F>
  void for_each_module(const F& f) {
    Seen seen;
    for_each_module(f, seen);
  }

  /// Calls f(path from here, item) for the tensors of this module and all below it, in order of registration, each
  /// once.
  template <class F>
  void for_each_tensor(const F& f, const std::string& prefix, Seen& seen) {
    if (!seen.insert(this).second) return;
    for (Item& item : items) {
      if (item.child)
        (*item.child)->for_each_tensor(f, join(prefix, item.name), seen);
      else if (seen.insert(item.tensor.body_or_null()).second)
        f(join(prefix, item.name), item);
    }
  }
  template <class F>
  void for_each_tensor(const F& f) {
    Seen seen;
    for_each_tensor(f, "", seen);
  }

  void place(const std::string& at) {
    path = at;
    for (Item& item : items) {
      if (!item.first) continue;
      if (item.child)
        (*item.child)->place(join(path, item.name));
      else
        item.tensor.label(join(path, item.name));
    }
  }

  void check_name(const char* kind, std::string_view name) const {
    const std::string subject = (path.empty() ? "module" : path) + ": " + kind + " '" + std::string(name) + "'";
    if (name.empty() || name.find('.') != std::string_view::npos)
      throw ValueError(subject + "; need a name that is not empty and has no dot");
    for (const Item& item : items)
      if (item.name == name) throw ValueError(subject + ": the name is taken; need one that is new in this module");
  }
};

Module::Module() : state_(std::make_shared<State>()) {}
Module::Module(const Module& other) = default;
Module::Module(Module&& other) noexcept = default;
Module::~Module() = default;

Module& Module::operator=(const Module& other) {
  if (state_->added && !other.state_->added)
    throw ValueError(state_->path +
                     ": a new module is assigned to one that was added; the parent would keep the old one: write into "
                     "its parameters, or construct the parent anew");
  state_ = other.state_;
  return *this;
}

void Module::add_child(std::string_view name, const Module& child) {
  State& parent = *state_;
  State& added = *child.state_;
  parent.check_name("child", name);
  added.for_each_module([&](const State& below) {
    if (&below == &parent) throw ValueError("module: child '" + std::string(name) + "' contains its parent");
  });
  parent.items.push_back({std::string(name), !added.added, false, Tensor(), child.state_});
  if (added.added) return;
  added.added = true;
  added.place(State::join(parent.path, std::string(name)));
}

Tensor Module::add_tensor(const char* kind, std::string_view name, Tensor tensor) {
  State& state = *state_;
  state.check_name(kind, name);
  const bool is_buffer = kind[0] == 'b';
  if (!is_buffer) tensor.requires_gradient();
  const bool first = CopyScope::mark(tensor);
  if (first) tensor.label(State::join(state.path, std::string(name)));
  state.items.push_back({std::string(name), first, is_buffer, tensor, std::nullopt});
  return tensor;
}

Tensor Module::parameter(std::string_view name, Tensor tensor) {
  return add_tensor("parameter", name, std::move(tensor));
}

Tensor Module::buffer(std::string_view name, Tensor tensor) { return add_tensor("buffer", name, std::move(tensor)); }

std::vector<NamedTensor> Module::named_tensors(bool buffers) const {
  std::vector<NamedTensor> list;
  state_->for_each_tensor([&](const std::string& path, const State::Item& item) {
    if (item.is_buffer == buffers) list.push_back({path, item.tensor});
  });
  return list;
}

std::vector<NamedTensor> Module::named_parameters() const { return named_tensors(false); }
std::vector<NamedTensor> Module::named_buffers() const { return named_tensors(true); }

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
  state_->for_each_module([](State& state) { state.training = true; });
}

void Module::eval() {
  state_->for_each_module([](State& state) { state.training = false; });
}

bool Module::training() const { return state_->training; }

void Module::to(DType dtype) {
  if (!is_floating(dtype)) throw TypeError("module: to(int64); parameters are float32 or float64");
  const Pause pause;
  state_->for_each_tensor([dtype](const std::string&, State::Item& item) {
    if (is_floating(item.tensor.dtype()) && item.tensor.dtype() != dtype) item.tensor.assign(item.tensor.to(dtype));
  });
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

constinit thread_local SummaryScope* listener = nullptr;

std::string with_separators(double count) {
  std::string digits = std::to_string(static_cast<long long>(count));
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

}  // namespace

LayerCall::LayerCall(const Module& layer, const char* kind)
    : layer_(layer), kind_(kind), scope_(layer.path().empty() ? PathScope::current() : layer.path()) {}

void LayerCall::report(const Tensor& output, double flops) const {
  if (listener != nullptr) listener->report(layer_, kind_, output, flops);
}

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

SummaryScope::SummaryScope(const Module& model) : model_(model), outer_(std::exchange(listener, this)) {}
SummaryScope::~SummaryScope() { listener = outer_; }

Tensor SummaryScope::example(const Shape& shape) const {
  Shape batch = shape;
  batch.insert(0, 1);
  const std::vector<Tensor> parameters = model_.parameters();
  return zeros(batch, parameters.empty() ? default_dtype() : parameters.front().dtype());
}

void SummaryScope::report(const Module& layer, const char* kind, const Tensor& output, double flops) {
  const std::string path = layer.path().empty() ? "-" : layer.path();
  const bool again = std::any_of(rows_.begin(), rows_.end(), [&](const Row& row) { return row.path == path; });
  rows_.push_back({path, kind, output.shape(), again && path != "-" ? 0 : layer.parameter_count(), flops,
                   static_cast<double>(output.bytes())});
}

std::string SummaryScope::text(const Tensor& output) const {
  TextTable table = {{"layer", "kind", "output", "parameters", "flops", "bytes"}};
  double flops = 0;
  double bytes = 0;
  for (const Row& row : rows_) {
    table.push_back({row.path, row.kind, to_string(row.output), with_separators(static_cast<double>(row.parameters)),
                     with_separators(row.flops), with_separators(row.bytes)});
    flops += row.flops;
    bytes += row.bytes;
  }
  table.push_back({"total", "", to_string(output.shape()),
                   with_separators(static_cast<double>(model_.parameter_count())), with_separators(flops),
                   with_separators(bytes)});
  std::string text = aligned(table, 3);
  double parameter_bytes = 0;
  double frozen = 0;
  for (const Tensor& parameter : model_.parameters()) {
    parameter_bytes += static_cast<double>(parameter.bytes());
    if (!parameter.is_leaf()) frozen += static_cast<double>(parameter.size());
  }
  text += "parameters take " + with_separators(parameter_bytes) + " bytes";
  if (frozen > 0) text += "; " + with_separators(frozen) + " parameters are frozen";
  return text + '\n';
}

}  // namespace xgrad::nn
