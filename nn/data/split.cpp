#include <autograd/ops/random.hpp>
#include <autograd/tensor/error.hpp>
#include <nn/data/split.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace xgrad::nn {

namespace {

using Indices = std::vector<std::int64_t>;

/// Which share of `wanted` rows each group gives when they leave in proportion to the groups' sizes.
Indices shares(const Indices& sizes, std::int64_t wanted) {
  const auto total = static_cast<double>(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}));
  Indices counts;
  std::vector<double> remainders;
  for (const std::int64_t size : sizes) {
    const double share = total == 0 ? 0 : static_cast<double>(size) * static_cast<double>(wanted) / total;
    counts.push_back(static_cast<std::int64_t>(share));
    remainders.push_back(share - std::floor(share));
  }
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  std::int64_t left = wanted - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  for (const std::size_t group : order) {
    if (left <= 0) break;
    if (counts[group] == sizes[group]) continue;
    ++counts[group];
    --left;
  }
  return counts;
}

/// The class of each row, numbered from 0, and the classes' labels.
struct Groups {
  std::vector<std::size_t> of_row;
  Indices labels;
};

Groups groups_of(const Rows& targets) {
  if (targets.shape().rank() != 1)
    throw ShapeError("split: stratify with targets " + to_string(targets.shape()) + "; need class labels (n,)");
  Indices all(static_cast<std::size_t>(targets.rows()));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  const Tensor labels = targets.take(all);
  if (labels.dtype() != int64)
    throw TypeError("split: stratify with targets of " + std::string(name_of(labels.dtype())) +
                    "; need class labels of int64");
  std::map<std::int64_t, std::size_t> numbers;
  for (const std::int64_t label : labels.values<std::int64_t>()) numbers.emplace(label, 0);
  Groups groups;
  for (auto& [label, number] : numbers) {
    number = groups.labels.size();
    groups.labels.push_back(label);
  }
  if (groups.labels.size() < 2)
    throw ValueError("split: stratify with one class only, " +
                     (groups.labels.empty() ? std::string("none") : std::to_string(groups.labels.front())) +
                     " in all " + std::to_string(targets.rows()) + " rows; need two or more");
  for (const std::int64_t label : labels.values<std::int64_t>()) groups.of_row.push_back(numbers[label]);
  return groups;
}

constexpr std::array<const char*, 3> part_names = {"train", "validation", "test"};

void require_every_class(const Groups& groups, const Indices& sizes, const std::array<Indices, 3>& counts) {
  for (std::size_t part = 0; part < 3; ++part) {
    if (std::all_of(counts[part].begin(), counts[part].end(), [](std::int64_t count) { return count == 0; })) continue;
    for (std::size_t group = 0; group < sizes.size(); ++group)
      if (counts[part][group] == 0)
        throw ValueError("split: class " + std::to_string(groups.labels[group]) + " has " +
                         std::to_string(sizes[group]) + " rows, too few for the " + part_names[part] +
                         " part; stratify needs one in every part");
  }
}

}  // namespace

std::int64_t Portion::of(std::int64_t rows, const char* name) const {
  if (!is_fraction_) {
    if (count_ < 0) throw ValueError(std::string("split: ") + name + " " + std::to_string(count_) + "; need 0 or more");
    return count_;
  }
  if (!(fraction_ >= 0 && fraction_ < 1))
    throw ValueError(std::string("split: ") + name + " fraction " + std::to_string(fraction_) +
                     "; need 0 <= fraction < 1 (a count is an integer)");
  const auto count = static_cast<std::int64_t>(std::floor(fraction_ * static_cast<double>(rows) + 0.5));
  if (count == 0 && fraction_ > 0)
    throw ValueError(std::string("split: ") + name + " fraction " + std::to_string(fraction_) + " of " +
                     std::to_string(rows) + " rows is no row");
  return count;
}

DatasetParts split(const Dataset& data, const SplitOptions& options) {
  const std::int64_t rows = data.size();
  const std::int64_t validation = options.validation.of(rows, "validation");
  const std::int64_t test = options.test.of(rows, "test");
  if (validation >= rows || test >= rows - validation)
    throw ValueError("split: validation " + std::to_string(validation) + " and test " + std::to_string(test) + " of " +
                     std::to_string(rows) + " rows; need rows that are left to train");

  Groups groups{std::vector<std::size_t>(static_cast<std::size_t>(rows), 0), {0}};
  if (options.stratify) groups = groups_of(data.targets());
  Indices sizes(groups.labels.size(), 0);
  for (const std::size_t group : groups.of_row) ++sizes[group];
  std::array<Indices, 3> left;  // how many rows each part still takes of each class
  left[2] = shares(sizes, test);
  Indices rest = sizes;
  for (std::size_t group = 0; group < rest.size(); ++group) rest[group] -= left[2][group];
  left[1] = shares(rest, validation);
  for (std::size_t group = 0; group < rest.size(); ++group) rest[group] -= left[1][group];
  left[0] = rest;
  if (options.stratify) require_every_class(groups, sizes, left);

  Indices order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (options.shuffle) {
    Generator generator(options.seed);
    shuffle(order, generator);
  }
  std::array<Indices, 3> parts;
  for (const std::int64_t row : order) {
    const std::size_t group = groups.of_row[static_cast<std::size_t>(row)];
    std::size_t part = 0;
    while (left[part][group] == 0) ++part;
    --left[part][group];
    parts[part].push_back(row);
  }
  return {data.select(parts[0]), data.select(parts[1]), data.select(parts[2])};
}

}  // namespace xgrad::nn
