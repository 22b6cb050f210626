#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/linear_algebra.hpp>
#include <autograd/ops/random.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
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

const GraphPlan& NetworkGraph::plan() const {
  if (plan_ == nullptr) throw ValueError("network_graph: it was moved from; need the one that it was moved to");
  return *plan_;
}

namespace {

/// The same in operations that other programs know: for each run of nodes a product with the dense matrix of its
/// weights, which are constants in it.
Tensor taken_apart(const GraphPlan& plan, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor values = x;  // (batch, rows so far)
  for (const GraphPlan::Run& run : plan.runs) {
    const auto rows = static_cast<std::int64_t>(run.begin), nodes = static_cast<std::int64_t>(run.end - run.begin);
    Tensor matrix = zeros({rows, nodes}, x.dtype()), shift = zeros({nodes}, x.dtype());
    visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      for (std::size_t row = run.begin; row < run.end; ++row) {
        const std::size_t node = row - run.begin;
        shift.fresh_data<T>()[node] = bias.data<T>()[plan.node[row - plan.inputs]];
        for (std::uint32_t k = plan.into.begin[row]; k < plan.into.begin[row + 1]; ++k)
          matrix.fresh_data<T>()[plan.into.row[k] * (run.end - run.begin) + node] +=
              weight.data<T>()[plan.into.edge[k]];
      }
    });
    const Tensor sums = linear(values, matrix, shift);
    values = concatenate({values, run.activation == nullptr ? sums : run.activation(sums)}, 1);
  }
  Tensor outputs = Tensor::uninitialized({static_cast<std::int64_t>(plan.outputs.size())}, DType::int64);
  std::copy(plan.outputs.begin(), plan.outputs.end(), outputs.fresh_data<std::int64_t>());
  return take(values, outputs, 1);
}

}  // namespace

Tensor NetworkGraph::operator()(const Tensor& x) const {
  const auto call = [&] {
    const auto inputs = static_cast<std::int64_t>(plan().inputs);
    if (x.rank() != 2 || x.shape()[1] != inputs)
      throw_as<ShapeError>("network_graph expects (batch, {}), got {}", inputs, x.shape());
    common_floating_dtype("network_graph", x, weight);
    return records_everything() ? taken_apart(plan(), x, weight, bias) : evaluate_graph(plan_, x, weight, bias);
  };
  check_defined("network_graph", "x", x);
  const double batch = x.rank() == 0 ? 1 : static_cast<double>(x.shape()[0]);
  return LayerCall(*this, "NetworkGraph").run(call, 2 * batch * static_cast<double>(plan().edges()));
}

std::size_t NetworkGraph::depth() const { return plan().depth; }

}  // namespace xgrad::nn
