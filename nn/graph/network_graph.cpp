#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/random.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/graph/network_graph.hpp>
#include <nn/graph/plan.hpp>

#include <algorithm>
#include <cmath>

namespace xgrad::nn {

NetworkGraph::NetworkGraph(const GraphDescription& description, Generator& generator)
    : plan_(std::make_shared<const GraphPlan>(make_plan(description))) {
  const GraphPlan& plan = *plan_;
  std::vector<double> of_edges(description.edges.size()), of_nodes(description.nodes.size());
  for (std::size_t row = plan.inputs; row < plan.rows; ++row) {
    const std::uint32_t begin = plan.into.begin[row], end = plan.into.begin[row + 1];
    const double bound = 1 / std::sqrt(std::max(end - begin, 1u));
    of_nodes[plan.node[row - plan.inputs]] = bound;
    for (std::uint32_t k = begin; k < end; ++k) of_edges[plan.into.edge[k]] = bound;
  }
  const auto drawn = [&generator](const std::vector<double>& bounds) {
    const Shape shape = {static_cast<std::int64_t>(bounds.size())};
    return uniform(shape, -1, 1, default_dtype(), generator) * tensor(bounds, shape);
  };
  weight = parameter("weight", drawn(of_edges));
  bias = parameter("bias", drawn(of_nodes));
}

Tensor NetworkGraph::operator()(const Tensor& x) const {
  const auto call = [&] {
    const auto inputs = static_cast<std::int64_t>(plan_->inputs);
    if (x.rank() != 2 || x.shape()[1] != inputs)
      throw_as<ShapeError>("network_graph expects (batch, {}), got {}", inputs, x.shape());
    common_floating_dtype("network_graph", x, weight);
    return evaluate_graph(plan_, x, weight, bias);
  };
  check_defined("network_graph", "x", x);
  const double batch = x.rank() == 0 ? 1 : static_cast<double>(x.shape()[0]);
  return LayerCall(*this, "NetworkGraph").run(call, 2 * batch * static_cast<double>(plan_->edges()));
}

std::size_t NetworkGraph::depth() const { return plan_->depth; }

}  // namespace xgrad::nn
