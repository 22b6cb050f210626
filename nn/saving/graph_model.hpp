#pragma once

#include <nn/layers/module.hpp>
#include <nn/saving/model_graph.hpp>

namespace xgrad::nn {

/// A model that computes a graph: it can be run, checked and trained on as any other. Its parameters and buffers have
/// the paths that they have in the graph.
class GraphModel : public Module {
 public:
  /// The constants of the graph become parameters and buffers, with their values copied. ValueError for an operation
  /// that is not known, or a graph whose parts do not fit together.
  explicit GraphModel(ModelGraph graph);
  /// ShapeError unless x has the graph's input shape, and what its operations throw.
  Tensor operator()(const Tensor& x) const;
  const ModelGraph& graph() const& { return graph_; }
  ModelGraph graph() const&& { return graph_; }

 private:
  ModelGraph graph_;  // its constants are the parameters and buffers
};

}  // namespace xgrad::nn
