#pragma once

#include <autograd/ops/random.hpp>
#include <nn/layers/module.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace xgrad::nn {

/// What a node makes of its sum: a function of each number by itself, such as sigmoid, tanh, relu, or one of your own.
/// nullptr: the sum as it is.
using NodeActivation = Tensor (*)(const Tensor&);

struct GraphNode {
  std::string name;
  NodeActivation activation = nullptr;
};

struct GraphEdge {
  std::string from;
  std::string to;
};

/// A directed acyclic graph: exclusive or with a skip connection is
///
///     {.inputs = {"a", "b"},
///      .nodes = {{"hidden", sigmoid}, {"y"}},
///      .edges = {{"a", "hidden"}, {"b", "hidden"}, {"a", "y"}, {"b", "y"}, {"hidden", "y"}},
///      .outputs = {"y"}}
struct GraphDescription {
  std::vector<std::string> inputs = {};
  std::vector<GraphNode> nodes = {};  ///< without the inputs, in any order
  std::vector<GraphEdge> edges = {};
  std::vector<std::string> outputs = {};  ///< nodes or inputs
};

/// Where everything stands when a graph is evaluated.
struct GraphPlan;

/// A network of single nodes, not only of layers. Node j of value v_j computes
///
///     v_j = f_j(b_j + Σ w_e · v_i)   over the edges e from i to j
///
/// and y (batch, outputs) are the values of the outputs for x (batch, inputs). A call and its gradient take time and
/// memory proportional to edges and nodes, in as many topological levels as the graph has. A differentiable backward
/// records the graph's derivatives by levels, with the values of all levels so far at each.
///
/// Weights and biases begin uniform on ±1/√n for a node with n edges into it, as those of Linear do.
class NetworkGraph : public Module {
 public:
  /// ValueError that names what is wrong: a cycle; an edge or output whose node there is not; an edge into an input; a
  /// node, edge or output that is listed twice; a node without a name; no inputs or outputs. Parameters have the
  /// default dtype.
  explicit NetworkGraph(const GraphDescription& description, Generator& generator = default_generator());

  /// ShapeError unless x is (batch, inputs), TypeError unless it has the weight's dtype.
  Tensor operator()(const Tensor& x) const;

  /// Edges on the longest path.
  std::size_t depth() const;

  // Handles: write new values by `modify` or `assign`.
  Registered weight;  ///< (edges,), in the order of the description
  Registered bias;    ///< (nodes,), in the order of the description

 private:
  const GraphPlan& plan() const;

  std::shared_ptr<const GraphPlan> plan_;
};

}  // namespace xgrad::nn
