#include <autograd/tensor/error.hpp>
#include <nn/graph/plan.hpp>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

namespace xgrad::nn {

namespace {

using Number = std::uint32_t;  // of a node: the inputs first, then the nodes as described

[[noreturn]] void refuse(const std::string& what) { throw ValueError("NetworkGraph: " + what); }

std::string text(const GraphEdge& edge) { return edge.from + " -> " + edge.to; }

/// The description with numbers for names.
class NumberedGraph {
 public:
  explicit NumberedGraph(const GraphDescription& description)
      : description_(description), inputs(description.inputs.size()), count(inputs + description.nodes.size()) {
    if (description.inputs.empty()) refuse("no inputs; need at least one");
    if (description.outputs.empty()) refuse("no outputs; need at least one");
    constexpr std::size_t most = std::numeric_limits<Number>::max() - 1;
    if (count > most || description.edges.size() > most)
      refuse(std::to_string(count) + " nodes and " + std::to_string(description.edges.size()) +
             " edges; need fewer than 2^32 of each");
    for (std::size_t i = 0; i < count; ++i) {
      const std::string& one = name(static_cast<Number>(i));
      if (one.empty()) refuse("node " + std::to_string(i) + ", inputs counted, has no name");
      if (!numbers_.emplace(one, static_cast<Number>(i)).second) refuse("node " + one + " is listed twice");
    }
    read_edges();
    std::unordered_set<Number> seen;
    for (const std::string& output : description.outputs) {
      outputs.push_back(find(output, "output " + output));
      if (!seen.insert(outputs.back()).second) refuse("output " + output + " is listed twice");
    }
  }

  const std::string& name(Number i) const {
    return i < inputs ? description_.inputs[i] : description_.nodes[i - inputs].name;
  }

 private:
  const GraphDescription& description_;
  std::unordered_map<std::string, Number> numbers_;

 public:
  std::size_t inputs;
  std::size_t count;
  std::vector<Number> from, to;  // of each edge
  std::vector<Number> outputs;

 private:
  Number find(const std::string& wanted, const std::string& where) const {
    const auto found = numbers_.find(wanted);
    if (found == numbers_.end()) refuse(where + ": there is no node " + wanted);
    return found->second;
  }

  void read_edges() {
    std::unordered_set<std::uint64_t> seen;
    for (const GraphEdge& edge : description_.edges) {
      from.push_back(find(edge.from, "edge " + text(edge)));
      to.push_back(find(edge.to, "edge " + text(edge)));
      if (to.back() < inputs)
        refuse("edge " + text(edge) + " leads into an input; need inputs without edges into them");
      if (!seen.insert(std::uint64_t{from.back()} << 32 | to.back()).second)
        refuse("edge " + text(edge) + " is listed twice");
    }
  }
};

/// Edge numbers by one of their ends, in order: those of node i are [begin[i], begin[i + 1]).
struct Sorted {
  std::vector<std::uint32_t> begin;
  std::vector<std::uint32_t> edge;

  Sorted(const std::vector<Number>& end, std::size_t nodes) : begin(nodes + 1), edge(end.size()) {
    for (const Number i : end) ++begin[i + 1];
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    std::vector<std::uint32_t> next(begin.begin(), begin.end() - 1);
    for (std::size_t e = 0; e < end.size(); ++e) edge[next[end[e]]++] = static_cast<std::uint32_t>(e);
  }
};

/// Throws, with the names along a cycle through nodes that still wait for others.
[[noreturn]] void refuse_cycle(const NumberedGraph& graph, const Sorted& into,
                               const std::vector<std::uint32_t>& waiting) {
  Number at = 0;
  while (waiting[at] == 0) ++at;
  std::vector<std::uint32_t> visited(graph.count);  // position on the way, from 1
  std::vector<Number> way;                          // against the edges
  while (visited[at] == 0) {
    way.push_back(at);
    visited[at] = static_cast<std::uint32_t>(way.size());
    std::uint32_t k = into.begin[at];
    while (waiting[graph.from[into.edge[k]]] == 0) ++k;
    at = graph.from[into.edge[k]];
  }
  way.erase(way.begin(), way.begin() + (visited[at] - 1));
  std::string names = graph.name(at);
  constexpr std::size_t most = 20;
  for (std::size_t i = way.size(); i-- > 0 && way.size() - i <= most;) names += " -> " + graph.name(way[i]);
  if (way.size() > most) names += " -> … (" + std::to_string(way.size()) + " nodes)";
  refuse("cycle " + names + "; need an acyclic graph");
}

/// The longest way to each node (A. B. Kahn 1962).
std::vector<std::uint32_t> levels_of(const NumberedGraph& graph) {
  const Sorted into(graph.to, graph.count), out_of(graph.from, graph.count);
  std::vector<std::uint32_t> waiting(graph.count), level(graph.count);
  std::vector<Number> ready;
  for (Number i = 0; i < graph.count; ++i) {
    waiting[i] = into.begin[i + 1] - into.begin[i];
    if (waiting[i] == 0) ready.push_back(i);
  }
  for (std::size_t done = 0; done < ready.size(); ++done) {
    const Number i = ready[done];
    for (std::uint32_t k = out_of.begin[i]; k < out_of.begin[i + 1]; ++k) {
      const Number j = graph.to[out_of.edge[k]];
      level[j] = std::max(level[j], level[i] + 1);
      if (--waiting[j] == 0) ready.push_back(j);
    }
  }
  if (ready.size() < graph.count) refuse_cycle(graph, into, waiting);
  return level;
}

}  // namespace

GraphPlan make_plan(const GraphDescription& description) {
  const NumberedGraph graph(description);
  const std::vector<std::uint32_t> level = levels_of(graph);
  const auto activation = [&](Number i) { return description.nodes[i - graph.inputs].activation; };

  std::vector<Number> order(graph.count);
  std::iota(order.begin(), order.end(), Number{0});
  const auto inputs = static_cast<std::ptrdiff_t>(graph.inputs);
  std::stable_sort(order.begin() + inputs, order.end(), [&](Number a, Number b) {
    return std::tuple(level[a], activation(a)) < std::tuple(level[b], activation(b));
  });
  std::vector<std::uint32_t> row_of(graph.count);
  for (std::size_t row = 0; row < order.size(); ++row) row_of[order[row]] = static_cast<std::uint32_t>(row);

  GraphPlan plan;
  plan.inputs = graph.inputs;
  plan.rows = graph.count;
  plan.depth = *std::max_element(level.begin(), level.end());
  for (std::size_t row = plan.inputs; row < plan.rows; ++row) {
    const Number i = order[row];
    plan.node.push_back(static_cast<std::uint32_t>(i - graph.inputs));
    const bool follows =
        row > plan.inputs && level[order[row - 1]] == level[i] && activation(order[row - 1]) == activation(i);
    if (follows)
      plan.runs.back().end = row + 1;
    else
      plan.runs.push_back({activation(i), row, row + 1});
  }

  std::vector<std::uint32_t> from, to;
  for (std::size_t e = 0; e < graph.from.size(); ++e) {
    from.push_back(row_of[graph.from[e]]);
    to.push_back(row_of[graph.to[e]]);
  }
  const auto edges_by = [&](const std::vector<std::uint32_t>& end, const std::vector<std::uint32_t>& other) {
    Sorted sorted(end, plan.rows);
    std::vector<std::uint32_t> rows;
    for (std::size_t row = 0; row < plan.rows; ++row)
      std::sort(sorted.edge.begin() + sorted.begin[row], sorted.edge.begin() + sorted.begin[row + 1],
                [&](std::uint32_t a, std::uint32_t b) { return other[a] < other[b]; });
    for (const std::uint32_t e : sorted.edge) rows.push_back(other[e]);
    return GraphPlan::Edges{std::move(sorted.begin), std::move(rows), std::move(sorted.edge)};
  };
  plan.into = edges_by(to, from);
  plan.out_of = edges_by(from, to);
  plan.output_of_row.assign(plan.rows, GraphPlan::none);
  for (const Number output : graph.outputs) {
    plan.output_of_row[row_of[output]] = static_cast<std::uint32_t>(plan.outputs.size());
    plan.outputs.push_back(row_of[output]);
  }
  return plan;
}

}  // namespace xgrad::nn
