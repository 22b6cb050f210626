#pragma once

#include <nn/graph/network_graph.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xgrad::nn {

/// A graph in the order of its evaluation. Row r is the value of a node: first the inputs, then the nodes by level (the
/// longest way from a node without edges into it), within a level by activation (activation_order, then by the first
/// node that has it), then as they were described.
struct GraphPlan {
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  /// Edges by the row at one end: those of row r are [begin[r], begin[r + 1]).
  struct Edges {
    std::vector<std::uint32_t> begin;
    std::vector<std::uint32_t> row;   ///< at the other end
    std::vector<std::uint32_t> edge;  ///< position in the description
  };
  /// Rows [begin, end) of one level and activation.
  struct Run {
    NodeActivation activation;
    std::size_t begin;
    std::size_t end;
    std::size_t kept = none;  ///< the row from which on their sums are kept, if their derivatives need these
  };

  std::size_t inputs = 0;
  std::size_t rows = 0;
  std::size_t kept_rows = 0;  ///< these and the sums that are kept
  std::size_t depth = 0;
  std::vector<std::uint32_t> node;  ///< position in the description of row inputs + i
  std::vector<Run> runs;            ///< of the rows behind the inputs
  Edges into;
  Edges out_of;
  std::vector<std::uint32_t> outputs;        ///< their rows
  std::vector<std::uint32_t> output_of_row;  ///< or none

  std::size_t edges() const { return into.row.size(); }
};

/// The errors of NetworkGraph's constructor.
GraphPlan make_plan(const GraphDescription& description);

/// The place of f among the activations whose derivative follows from their value, by which nodes of a level are
/// sorted; GraphPlan::none for others.
std::size_t activation_order(NodeActivation f);

/// y (batch, outputs) of x (batch, inputs), recorded. All fit.
Tensor evaluate_graph(const std::shared_ptr<const GraphPlan>& plan, const Tensor& x, const Tensor& weight,
                      const Tensor& bias);

}  // namespace xgrad::nn
