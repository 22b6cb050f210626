#include <autograd/tensor/format.hpp>
#include <nn/graph/plan.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

namespace xgrad::nn {

namespace {

using Number = std::uint32_t;  // of a node: the inputs first, then the nodes as described

template <class... Values>
[[noreturn]] void refuse(fmt::format_string<const Values&...> text, const Values&... values) {
  throw ValueError("NetworkGraph: " + fmt::format(text, values...));
}

/// The description with numbers for names.
struct NumberedGraph {
  explicit NumberedGraph(const GraphDescription& graph)
      : description(graph), inputs(graph.inputs.size()), count(inputs + graph.nodes.size()) {
    if (graph.inputs.empty()) refuse("no inputs; need at least one");
    if (graph.outputs.empty()) refuse("no outputs; need at least one");
    constexpr std::size_t limit = std::numeric_limits<Number>::max();
    if (count >= limit || graph.edges.size() >= limit)
      refuse("{} nodes and {} edges; need fewer than 2^32 of each", count, graph.edges.size());
    for (Number i = 0; i < count; ++i) {
      if (name(i).empty()) refuse("node {}, inputs counted, has no name", i);
      if (!numbers.emplace(name(i), i).second) refuse("node {} is listed twice", name(i));
    }
    std::unordered_set<std::uint64_t> seen;
    for (const GraphEdge& edge : graph.edges) {
      const std::string text = fmt::format("edge {} -> {}", edge.from, edge.to);
      from.push_back(find(edge.from, text));
      to.push_back(find(edge.to, text));
      if (to.back() < inputs) refuse("{} leads into an input; need inputs without edges into them", text);
      if (!seen.insert(std::uint64_t{from.back()} << 32 | to.back()).second) refuse("{} is listed twice", text);
    }
    seen.clear();
    for (const std::string& output : graph.outputs) {
      outputs.push_back(find(output, "output " + output));
      if (!seen.insert(outputs.back()).second) refuse("output {} is listed twice", output);
    }
  }

  const std::string& name(Number i) const {
    return i < inputs ? description.inputs[i] : description.nodes[i - inputs].name;
  }
  Number find(const std::string& wanted, const std::string& where) const {
    const auto found = numbers.find(wanted);
    if (found == numbers.end()) refuse("{}: there is no node {}", where, wanted);
    return found->second;
  }

  const GraphDescription& description;
  std::size_t inputs;
  std::size_t count;
  std::unordered_map<std::string, Number> numbers;
  std::vector<Number> from, to;  // of each edge
  std::vector<Number> outputs;
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
  constexpr std::size_t max_names = 20;
  for (std::size_t i = way.size(); i-- > 0 && way.size() - i <= max_names;) names += " -> " + graph.name(way[i]);
  if (way.size() > max_names) names += fmt::format(" -> … ({} nodes)", way.size());
  refuse("cycle {}; need an acyclic graph", names);
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
  std::map<NodeActivation, std::size_t> first_use;
  std::vector<std::pair<std::size_t, std::size_t>> activation;  // of a node: equal for equal ones
  for (const auto& [name, f] : description.nodes)
    activation.emplace_back(activation_order(f), first_use.try_emplace(f, activation.size()).first->second);
  const auto key = [&](Number i) { return std::tuple(level[i], activation[i - graph.inputs]); };

  std::vector<Number> order(graph.count);
  std::iota(order.begin(), order.end(), Number{0});
  std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(graph.inputs), order.end(),
                   [&](Number a, Number b) { return key(a) < key(b); });
  std::vector<std::uint32_t> row_of(graph.count);
  for (std::size_t row = 0; row < order.size(); ++row) row_of[order[row]] = static_cast<std::uint32_t>(row);

  GraphPlan plan;
  plan.inputs = graph.inputs;
  plan.rows = graph.count;
  plan.depth = *std::max_element(level.begin(), level.end());
  for (std::size_t row = plan.inputs; row < plan.rows; ++row) {
    const Number i = order[row];
    plan.node.push_back(static_cast<std::uint32_t>(i - graph.inputs));
    if (row > plan.inputs && key(order[row - 1]) == key(i))
      plan.runs.back().end = row + 1;
    else
      plan.runs.push_back({description.nodes[i - graph.inputs].activation, row, row + 1});
  }
  plan.kept_rows = plan.rows;
  for (GraphPlan::Run& run : plan.runs)
    if (activation_order(run.activation) == GraphPlan::none)
      run.kept = std::exchange(plan.kept_rows, plan.kept_rows + run.end - run.begin);

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
