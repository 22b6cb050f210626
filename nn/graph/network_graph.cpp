#include <autograd/tensor/error.hpp>
#include <nn/graph/network_graph.hpp>
#include <nn/graph/plan.hpp>
#include <nn/layers/init.hpp>

#include <cmath>
#include <string>

namespace xgrad::nn {

NetworkGraph::NetworkGraph(const GraphDescription& description, Generator& generator)
    : plan_(std::make_shared<const GraphPlan>(make_plan(description))) {
  weight = parameter("weight", zeros({static_cast<std::int64_t>(description.edges.size())}));
  bias = parameter("bias", zeros({static_cast<std::int64_t>(description.nodes.size())}));
  init::uniform(weight, -1, 1, generator);
  init::uniform(bias, -1, 1, generator);
  const GraphPlan& plan = *plan_;
  const auto scale = [&](Tensor& parameter, const auto& each) {
    parameter.modify([&](auto values) {
      using T = typename decltype(values)::value_type;
      for (std::size_t row = plan.inputs; row < plan.rows; ++row) {
        const std::size_t begin = plan.into.begin[row], end = plan.into.begin[row + 1];
        const double fan_in = static_cast<double>(end > begin ? end - begin : 1);
        each(values, row, begin, end, static_cast<T>(1 / std::sqrt(fan_in)));
      }
    });
  };
  scale(weight, [&](auto values, std::size_t, std::size_t begin, std::size_t end, auto bound) {
    for (std::size_t k = begin; k < end; ++k) values[plan.into.edge[k]] *= bound;
  });
  scale(bias, [&](auto values, std::size_t row, std::size_t, std::size_t, auto bound) {
    values[plan.node[row - plan.inputs]] *= bound;
  });
}

Tensor NetworkGraph::operator()(const Tensor& x) const {
  const auto call = [&] {
    const auto inputs = static_cast<std::int64_t>(plan_->inputs);
    if (x.rank() != 2 || x.shape()[1] != inputs)
      throw ShapeError("network_graph expects (batch, " + std::to_string(inputs) + "), got " + to_string(x.shape()));
    if (x.dtype() != weight.dtype())
      throw TypeError("network_graph expects " + std::string(name_of(weight.dtype())) + ", as its weight is, got " +
                      std::string(name_of(x.dtype())) + "; convert with to(...)");
    return evaluate_graph(plan_, x, weight, bias);
  };
  const double batch = x.rank() == 0 ? 1 : static_cast<double>(x.shape()[0]);
  return LayerCall(*this, "NetworkGraph").run(call, 2 * batch * static_cast<double>(plan_->edges()));
}

std::size_t NetworkGraph::depth() const { return plan_->depth; }

}  // namespace xgrad::nn
