#include <nn/ranks/part_tree.hpp>

namespace xgrad::nn {

namespace {

/// A node of the tree: number `node` of a level of so many.
struct Place {
  std::int64_t parts;
  std::int64_t level = 1;
  std::int64_t node = 0;
  Run run() const { return share_of(parts, level, node); }
  Place lower() const { return {parts, 2 * level, 2 * node}; }
  Place upper() const { return {parts, 2 * level, 2 * node + 1}; }
};

void find_nodes(const Place& place, const Run& run, std::vector<Run>& found) {
  const Run here = place.run();
  if (here.first >= run.last || here.last <= run.first || here.size() == 0) return;
  if (here.first >= run.first && here.last <= run.last) return found.push_back(here);
  find_nodes(place.lower(), run, found);
  find_nodes(place.upper(), run, found);
}

/// Whether the place holds any of the nodes, from the one on that has no closing yet.
bool close(const Place& place, std::span<const Run> nodes, std::vector<std::uint8_t>& closings) {
  const Run here = place.run();
  const std::size_t next = closings.size();
  if (here.size() == 0 || next == nodes.size() || nodes[next].first >= here.last) return false;
  if (nodes[next] == here) {
    closings.push_back(0);
    return true;
  }
  if (here.size() == 1) return false;
  const bool lower = close(place.lower(), nodes, closings), upper = close(place.upper(), nodes, closings);
  if (lower && upper) ++closings.back();
  return lower || upper;
}

}  // namespace

std::vector<Run> PartTree::nodes_of(const Run& run) const {
  std::vector<Run> nodes;
  find_nodes({parts_}, run, nodes);
  return nodes;
}

std::vector<std::uint8_t> PartTree::closings(std::span<const Run> nodes) const {
  std::vector<std::uint8_t> closings;
  close({parts_}, nodes, closings);
  return closings;
}

double PartTree::sum(std::span<const Run> nodes, std::span<const double> numbers) const {
  std::vector<double> open(numbers.begin(), numbers.end());
  return open.empty() ? 0.0 : add_up<double>(open, closings(nodes), [](double& to, double number) { to += number; });
}

std::vector<Run> PartTree::parts_of(const Run& run) {
  std::vector<Run> parts;
  for (std::int64_t part = run.first; part < run.last; ++part) parts.push_back({part, part + 1});
  return parts;
}

}  // namespace xgrad::nn
