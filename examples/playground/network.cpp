#include "network.hpp"

#include <autograd/ops/layout.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/layers/init.hpp>

#include <numeric>

namespace playground {

using namespace xgrad;

namespace {

std::vector<std::int64_t> range(std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(end - begin));
  std::iota(values.begin(), values.end(), begin);
  return values;
}

/// What the function states about its values.
Bounds bounds_of(nn::NodeActivation function) {
  struct Listener : TapeObserver {
    Bounds bounds;
    void recorded(const RecordedOperation& operation) override { bounds = operation.traits.bounds; }
  } listener;
  if (function == nullptr) return {};
  const Tape tape({.observer = &listener});
  function(zeros({1}).requires_gradient());
  return listener.bounds;
}

}  // namespace

Structure::Structure(const Settings& settings, std::int64_t outputs) {
  widths.push_back(static_cast<std::int64_t>(settings.features.size()));
  for (const HiddenLayer& layer : settings.layers) widths.push_back(layer.units);
  widths.push_back(outputs);
  begin.push_back(0);
  for (const std::int64_t width : widths) begin.push_back(begin.back() + width);
  for (std::size_t layer = 1; layer < widths.size(); ++layer) {
    const std::int64_t first = settings.skip == "all" ? 0 : begin[layer - 1];
    std::vector<std::int64_t> from = range(first, begin[layer]);
    if (settings.skip == "features" && layer > 1) {
      const std::vector<std::int64_t> features = range(0, widths[0]);
      from.insert(from.begin(), features.begin(), features.end());
    }
    sources.push_back(std::move(from));
  }
}

std::vector<std::pair<std::int64_t, std::int64_t>> Structure::links() const {
  std::vector<std::pair<std::int64_t, std::int64_t>> all;
  for (std::size_t layer = 0; layer < sources.size(); ++layer)
    for (const std::int64_t from : sources[layer])
      for (std::int64_t to = begin[layer + 1]; to < begin[layer + 2]; ++to) all.emplace_back(from, to);
  return all;
}

std::string layer_name(const Structure& structure, std::size_t layer) {
  return layer + 1 == structure.sources.size() ? "output" : fmt::format("hidden{}", layer + 1);
}

Network::Network(const Settings& settings, std::int64_t outputs, nn::NodeActivation output, Generator& generator)
    : structure_(settings, outputs) {
  for (const HiddenLayer& layer : settings.layers)
    bounds_.push_back(bounds_of(row_of(activations(), layer.activation).function));
  if (settings.skip == "none")
    add_layers(settings, output, generator);
  else
    add_graph(settings, output, generator);
}

void Network::add_layers(const Settings& settings, nn::NodeActivation output, Generator& generator) {
  for (std::size_t i = 0; i < structure_.sources.size(); ++i) {
    const std::string name = layer_name(structure_, i);
    nn::Linear linear = add(name, nn::Linear(structure_.widths[i], structure_.widths[i + 1], {}, generator));
    if (i == settings.layers.size()) {
      layers_.push_back({std::move(linear), output, {}, {}});
      break;
    }
    const HiddenLayer& hidden = settings.layers[i];
    Layer layer = {std::move(linear), row_of(activations(), hidden.activation).function, {}, {}};
    if (hidden.activation == prelu) layer.slopes = add(fmt::format("prelu{}", i + 1), nn::PReLU(hidden.units));
    if (hidden.dropout > 0)
      layer.dropout = add(fmt::format("dropout{}", i + 1), nn::Dropout(hidden.dropout, generator));
    layers_.push_back(std::move(layer));
  }
  const InitChoice& init = row_of(inits(), settings.init);
  if (init.code.empty()) return;
  for (Layer& layer : layers_) {
    init.function(layer.linear.weight, generator);
    nn::init::constant(layer.linear.bias, init.bias);
  }
}

void Network::add_graph(const Settings& settings, nn::NodeActivation output, Generator& generator) {
  const auto unit_name = [](std::int64_t unit) { return std::to_string(unit); };
  nn::GraphDescription graph;
  for (std::int64_t unit = 0; unit < structure_.widths[0]; ++unit) graph.inputs.push_back(unit_name(unit));
  for (std::size_t layer = 1; layer < structure_.widths.size(); ++layer) {
    const bool hidden = layer <= settings.layers.size();
    const auto activation = hidden ? row_of(activations(), settings.layers[layer - 1].activation).function : output;
    for (std::int64_t unit = structure_.begin[layer]; unit < structure_.begin[layer + 1]; ++unit) {
      graph.nodes.push_back({unit_name(unit), activation});
      if (!hidden) graph.outputs.push_back(unit_name(unit));
    }
  }
  for (const auto& [from, to] : structure_.links()) graph.edges.push_back({unit_name(from), unit_name(to)});
  graph_ = add("graph", nn::NetworkGraph(graph, generator));

  graph.outputs.clear();
  for (const nn::GraphNode& node : graph.nodes) graph.outputs.push_back(node.name);
  Generator unused;
  every_unit_.emplace(graph, unused);

  const InitChoice& init = row_of(inits(), settings.init);
  if (init.code.empty()) return;
  std::vector<Tensor> parts;
  for (std::size_t layer = 0; layer < structure_.sources.size(); ++layer) {
    const auto in = static_cast<std::int64_t>(structure_.sources[layer].size());
    Tensor weight = zeros({in, structure_.widths[layer + 1]});
    init.function(weight, generator);
    parts.push_back(reshape(weight, {in * structure_.widths[layer + 1]}));
  }
  graph_->weight.assign(concatenate(parts));
  nn::init::constant(graph_->bias, init.bias);
}

Tensor Network::Layer::operator()(const Tensor& x) const {
  Tensor y = linear(x);
  if (activation != nullptr) y = activation(y);
  if (slopes) y = (*slopes)(y);
  return dropout ? (*dropout)(y) : y;
}

Tensor Network::operator()(const Tensor& x) const {
  if (graph_) return (*graph_)(x);
  Tensor y = x;
  for (const Layer& layer : layers_) y = layer(y);
  return y;
}

std::vector<Tensor> Network::layer_outputs(const Tensor& x) const {
  std::vector<Tensor> outputs;
  if (!graph_) {
    for (const Layer& layer : layers_) outputs.push_back(layer(outputs.empty() ? x : outputs.back()));
    return outputs;
  }
  for (auto [here, there] : {std::pair<Tensor, Tensor>(every_unit_->weight, graph_->weight),
                             std::pair<Tensor, Tensor>(every_unit_->bias, graph_->bias)})
    here.assign(there);
  const Tensor all = (*every_unit_)(x);
  const std::int64_t first = structure_.widths[0];
  for (std::size_t layer = 1; layer < structure_.widths.size(); ++layer)
    outputs.push_back(slice(all, 1, structure_.begin[layer] - first, structure_.begin[layer + 1] - first));
  return outputs;
}

std::vector<Tensor> Network::weights() const {
  if (graph_) return {graph_->weight};
  std::vector<Tensor> all;
  for (const Layer& layer : layers_) all.push_back(layer.linear.weight);
  return all;
}

std::vector<Tensor> Network::biases() const {
  if (graph_) return {graph_->bias};
  std::vector<Tensor> all;
  for (const Layer& layer : layers_) all.push_back(layer.linear.bias);
  return all;
}

std::vector<Tensor> Network::slopes() const {
  std::vector<Tensor> all;
  for (const Layer& layer : layers_)
    if (&layer != &layers_.back()) all.push_back(layer.slopes ? Tensor(layer.slopes->slope) : Tensor());
  all.resize(structure_.widths.size() - 2);
  return all;
}

}  // namespace playground
