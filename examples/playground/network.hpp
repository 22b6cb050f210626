#pragma once

#include <nn/graph/network_graph.hpp>
#include <nn/layers/activations.hpp>
#include <nn/layers/dropout.hpp>
#include <nn/layers/linear.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "choices.hpp"
#include "settings.hpp"

namespace playground {

/// The units of a network, numbered: the features, the hidden layers' from the left, the outputs'.
struct Structure {
  std::vector<std::int64_t> widths;  ///< of the features, the hidden layers and the output
  /// The unit at which each begins, and at last their number.
  std::vector<std::int64_t> begin;
  /// The units that each layer behind the features takes, in the order of its weights.
  std::vector<std::vector<std::int64_t>> sources;

  Structure(const Settings& settings, std::int64_t outputs);
  /// From and to, in the order of all weights: a weight (in, out) row by row, layer by layer.
  std::vector<std::pair<std::int64_t, std::int64_t>> links() const;
  std::int64_t units() const { return begin.back(); }
};

/// The name of the i-th layer behind the features: `hidden1`, ..., `output`.
std::string layer_name(const Structure& structure, std::size_t layer);

/// The network of the settings: layers, or with skip connections a graph. Parameters and random streams are drawn as
/// the shown program draws them: each layer's linear part, slopes and dropout, in order; then the initialisation.
class Network : public xgrad::nn::Module {
 public:
  /// output: what the output units make of their sums, nullptr for nothing.
  Network(const Settings& settings, std::int64_t outputs, xgrad::nn::NodeActivation output, Generator& generator);

  Tensor operator()(const Tensor& x) const;
  /// What each hidden layer and the output give, (rows, units) each.
  std::vector<Tensor> layer_outputs(const Tensor& x) const;

  const Structure& structure() const { return structure_; }
  /// The weights of the links, in the order of Structure::links, and those of the units behind the features.
  std::vector<Tensor> weights() const;
  std::vector<Tensor> biases() const;
  /// The slope of each hidden layer that learns them, else empty handles.
  std::vector<Tensor> slopes() const;
  /// Between what values each hidden layer's function stays.
  const std::vector<xgrad::Bounds>& bounds() const { return bounds_; }

 private:
  struct Layer {
    xgrad::nn::Linear linear;
    xgrad::nn::NodeActivation activation;
    std::optional<xgrad::nn::PReLU> slopes;
    std::optional<xgrad::nn::Dropout> dropout;
    Tensor operator()(const Tensor& x) const;
  };
  void add_layers(const Settings& settings, xgrad::nn::NodeActivation output, Generator& generator);
  void add_graph(const Settings& settings, xgrad::nn::NodeActivation output, Generator& generator);

  Structure structure_;
  std::vector<xgrad::Bounds> bounds_;
  std::vector<Layer> layers_;
  std::optional<xgrad::nn::NetworkGraph> graph_;
  std::optional<xgrad::nn::NetworkGraph> every_unit_;  // with all nodes as outputs; gets the parameters' values
};

}  // namespace playground
