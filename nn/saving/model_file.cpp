#include <autograd/ops/layout.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/utf8.hpp>
#include <autograd/text/words.hpp>
#include <nn/saving/model_file.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace xgrad::nn {

namespace {

constexpr std::string_view own_keys = "xgrad.";
constexpr const char* graph_key = "xgrad.graph";

/// A tensor of a model as a file has it.
struct Entry {
  std::string name;
  Tensor tensor;
  bool transposed;

  /// From the model's orientation to the file's, and back.
  Tensor turned(const Tensor& x) const { return transposed ? transpose(x, 0, 1) : x; }
};

std::vector<Entry> entries_of(const Module& model, Naming naming) {
  std::vector<Entry> entries;
  const std::vector<NamedTensor> parameters = model.named_parameters();
  const std::vector<TorchForm> forms = model.torch_forms();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& [path, tensor] = parameters[i];
    const TorchForm form = naming == Naming::torch ? forms[i] : TorchForm();
    const bool renamed = form.name != nullptr;
    entries.push_back({renamed ? path.substr(0, path.rfind('.') + 1) + form.name : path, tensor, form.transposed});
  }
  for (const auto& [path, tensor] : model.named_buffers()) entries.push_back({path, tensor, false});
  return entries;
}

std::string described(const Tensor& x) { return fmt::format("{} {}", x.dtype(), x.shape()); }

}  // namespace

TensorFile tensors_of(const Module& model, Naming naming) {
  const Pause pause;
  TensorFile file;
  for (const Entry& entry : entries_of(model, naming))
    if (!file.tensors.emplace(entry.name, entry.turned(entry.tensor)).second)
      throw_as<ValueError>("save: two tensors of the model are called {}", entry.name);
  return file;
}

TensorFile file_of(const Module& model, const SaveOptions& options) {
  TensorFile file = tensors_of(model, options.naming);
  for (const auto& [key, text] : options.metadata)
    if (key.starts_with(own_keys))
      throw_as<ValueError>("save: the metadata key {} is taken; need one that does not begin with {}", key, own_keys);
  file.metadata = options.metadata;
  file.metadata.merge(metadata_of(options.preparation));
  if (options.graph) {
    if (options.naming != Naming::ours) throw ValueError("save: a graph has our names; need Naming::ours with it");
    file.metadata[graph_key] = json_of(*options.graph);
    for (const ModelGraph::Value& value : options.graph->values)
      if (value.constant.defined()) file.tensors.emplace(value.name, value.constant);
  }
  return file;
}

void save(const Module& model, const std::string& path, const SaveOptions& options) {
  write_safetensors(path, file_of(model, options));
}

std::string LoadReport::text() const {
  std::string text;
  const auto add = [&text](std::string line) { text.append(text.empty() ? "" : "\n").append(line); };
  for (const std::string& name : missing) add("missing " + name + did_you_mean(name, unexpected));
  for (const std::string& name : unexpected) add("unexpected " + printable(name) + did_you_mean(name, missing));
  for (const Mismatch& mismatch : mismatched)
    add(fmt::format("{} is {} in the file and {} in the model", mismatch.name, mismatch.in_file, mismatch.in_model));
  return text;
}

LoadReport load(Module& model, TensorFile content, const std::string& file, const LoadOptions& options) {
  const Pause pause;
  LoadReport report;
  std::vector<std::pair<Tensor, Tensor>> changes;
  for (const Entry& entry : entries_of(model, options.naming)) {
    const auto found = content.tensors.extract(entry.name);
    if (found.empty()) {
      report.missing.push_back(entry.name);
      continue;
    }
    const Tensor& stored = found.mapped();
    const bool fits = is_floating(stored.dtype()) == is_floating(entry.tensor.dtype()) &&
                      (!entry.transposed || stored.rank() == 2) && entry.turned(stored).shape() == entry.tensor.shape();
    if (fits) {
      report.loaded.push_back(entry.name);
      changes.emplace_back(entry.tensor, entry.turned(stored));
    } else {
      report.mismatched.push_back({entry.name, described(stored), described(entry.turned(entry.tensor))});
    }
  }
  for (const auto& [name, tensor] : content.tensors) {
    const bool counter = name.ends_with("num_batches_tracked") && tensor.dtype() == int64 && tensor.rank() == 0;
    if (name.starts_with(own_keys)) continue;  // constants of the graph
    if (options.naming != Naming::torch || !counter) report.unexpected.push_back(name);
  }
  report.preparation = preparation_of(content.metadata, file);
  report.metadata = std::move(content.metadata);
  if (options.strict && !report.complete())
    throw_as<FileError>("load: {} does not fit the model; need the same names and shapes, or .strict = false:\n{}",
                        file, report.text());
  const auto assign = [](auto& change) {
    auto& [tensor, values] = change;
    tensor.assign(values.dtype() == tensor.dtype() ? values : values.to(tensor.dtype()));
  };
  // Several threads copy faster than one, which would take a fifth of the time of a load. What shares its values with a
  // tensor before it comes after them, in order.
  std::set<const void*> written;
  const auto shared = std::stable_partition(changes.begin(), changes.end(), [&](const auto& change) {
    return written.insert(change.first.untyped_data()).second;
  });
  parallel_parts(static_cast<std::size_t>(shared - changes.begin()), [&](std::size_t i) { assign(changes[i]); });
  std::for_each(shared, changes.end(), assign);
  return report;
}

ModelGraph saved_graph(const TensorFile& content, const std::string& file) {
  const auto found = content.metadata.find(graph_key);
  if (found == content.metadata.end())
    throw_as<FileError>("load: {}: has no graph; need a model that was saved with .graph = nn::trace(model, shape)",
                        file);
  return graph_of(found->second, content.tensors, file);
}

SavedModel load_model(const std::string& path) {
  TensorFile content = read_safetensors(path);
  try {
    return {GraphModel(saved_graph(content, path)), preparation_of(content.metadata, path),
            std::move(content.metadata)};
  } catch (const ValueError& error) {
    throw_as<FileError>("load: {}: {}", path, error.what());
  }
}

LoadReport load(Module& model, const std::string& path, const LoadOptions& options) {
  return load(model, read_safetensors(path), path, options);
}

}  // namespace xgrad::nn
