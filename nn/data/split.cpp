#include <autograd/ops/random.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/data/split.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace xgrad::nn {

namespace {

using Indices = std::vector<std::int64_t>;

/// How many rows a group may give.
struct Bounds {
  std::int64_t least;
  std::int64_t most;
};

/// Which share of `wanted` rows each group gives when they leave in proportion to the groups' sizes, within the bounds
/// if these leave it open.
Indices shares(const Indices& sizes, std::int64_t wanted, const std::vector<Bounds>& bounds) {
  const auto total = static_cast<double>(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}));
  Indices counts;
  std::vector<double> exact;
  for (std::size_t group = 0; group < sizes.size(); ++group) {
    exact.push_back(total == 0 ? 0 : static_cast<double>(sizes[group]) * static_cast<double>(wanted) / total);
    counts.push_back(std::clamp(static_cast<std::int64_t>(exact[group]), bounds[group].least, bounds[group].most));
  }
  const auto missing = [&](std::size_t group) { return exact[group] - static_cast<double>(counts[group]); };
  // The first group for which a row more, or less, is the most welcome.
  const auto best = [&](double sign, const auto& may_change) {
    std::optional<std::size_t> found;
    for (std::size_t group = 0; group < sizes.size(); ++group)
      if (may_change(group) && (!found || sign * missing(group) > sign * missing(*found))) found = group;
    return found;
  };
  for (std::int64_t left = wanted - std::accumulate(counts.begin(), counts.end(), std::int64_t{0}); left != 0;) {
    const std::optional<std::size_t> group = left > 0
                                                 ? best(1, [&](std::size_t g) { return counts[g] < bounds[g].most; })
                                                 : best(-1, [&](std::size_t g) { return counts[g] > bounds[g].least; });
    if (!group) break;
    const std::int64_t step = left > 0 ? 1 : -1;
    counts[*group] += step;
    left -= step;
  }
  return counts;
}

/// The class of each row, numbered from 0, and the classes' labels.
struct Groups {
  std::vector<std::size_t> of_row;
  Indices labels;
};

/// One group of all rows unless they are to be stratified; `operation` stands in messages.
Groups groups_of(const Dataset& data, bool stratify, const char* operation) {
  if (!stratify) return {std::vector<std::size_t>(static_cast<std::size_t>(data.size()), 0), {0}};
  const Rows& targets = data.targets();
  if (targets.shape().rank() != 1)
    throw_as<ShapeError>("{}: stratify with targets {}; need class labels (n,)", operation, targets.shape());
  const Tensor labels = targets.all();
  if (labels.dtype() != int64)
    throw_as<TypeError>("{}: stratify with targets of {}; need class labels of int64", operation, labels.dtype());
  std::map<std::int64_t, std::size_t> numbers;
  for (const std::int64_t label : labels.values<std::int64_t>()) numbers.emplace(label, 0);
  Groups groups;
  for (auto& [label, number] : numbers) {
    number = groups.labels.size();
    groups.labels.push_back(label);
  }
  if (groups.labels.size() < 2)
    throw_as<ValueError>("{}: stratify with one class only, {} in all {} rows; need two or more", operation,
                         fmt::join(groups.labels, ""), targets.rows());
  for (const std::int64_t label : labels.values<std::int64_t>()) groups.of_row.push_back(numbers[label]);
  return groups;
}

/// Of all rows.
Indices order_of(std::int64_t rows, bool shuffle, std::uint64_t seed) {
  Generator generator(seed);
  const Tensor order = shuffle ? permutation(rows, generator) : arange(rows);
  const auto values = order.values<std::int64_t>();
  return {values.begin(), values.end()};
}

constexpr std::array<const char*, 3> part_names = {"train", "validation", "test"};

void require_every_class(const Groups& groups, const Indices& sizes, const std::array<Indices, 3>& counts,
                         const std::array<std::int64_t, 3>& wanted) {
  const auto classes = static_cast<std::int64_t>(sizes.size());
  for (std::size_t part = 0; part < 3; ++part) {
    if (wanted[part] == 0) continue;
    if (wanted[part] < classes)
      throw_as<ValueError>("split: {} rows of {} classes for the {} part; stratify needs one of each in every part",
                           wanted[part], classes, part_names[part]);
    for (std::size_t group = 0; group < sizes.size(); ++group)
      if (counts[part][group] == 0)
        throw_as<ValueError>("split: class {} has {} rows, too few for the {} part; stratify needs one in every part",
                             groups.labels[group], sizes[group], part_names[part]);
  }
}

}  // namespace

std::int64_t Portion::of(std::int64_t rows, const char* name) const {
  if (!is_fraction_) {
    if (count_ < 0) throw_as<ValueError>("split: {} {}; need 0 or more", name, count_);
    return count_;
  }
  if (!(fraction_ >= 0 && fraction_ < 1))
    throw_as<ValueError>("split: {} fraction {}; need 0 <= fraction < 1 (a count is an integer)", name, fraction_);
  const auto count = static_cast<std::int64_t>(std::floor(fraction_ * static_cast<double>(rows) + 0.5));
  if (count == 0 && fraction_ > 0)
    throw_as<ValueError>("split: {} fraction {} of {} rows is no row", name, fraction_, rows);
  return count;
}

DatasetParts split(const Dataset& data, const SplitOptions& options) {
  const std::int64_t rows = data.size();
  const std::int64_t validation = options.validation.of(rows, "validation");
  const std::int64_t test = options.test.of(rows, "test");
  if (validation >= rows || test >= rows - validation)
    throw_as<ValueError>("split: validation {} and test {} of {} rows; need rows that are left to train", validation,
                         test, rows);

  const Groups groups = groups_of(data, options.stratify, "split");
  Indices sizes(groups.labels.size(), 0);
  for (const std::size_t group : groups.of_row) ++sizes[group];
  std::array<Indices, 3> left = {sizes};  // how many rows each part still takes of each class
  std::int64_t parts_left = 1 + (validation > 0) + (test > 0);
  const std::int64_t all_parts = parts_left;
  for (const auto& [part, wanted] : {std::pair(std::size_t{2}, test), std::pair(std::size_t{1}, validation)}) {
    if (wanted > 0) --parts_left;
    // A class that can be in every part is: it gives one row at least, and leaves one for every part to come.
    std::vector<Bounds> bounds;
    for (std::size_t group = 0; group < sizes.size(); ++group) {
      const bool everywhere = options.stratify && wanted > 0 && sizes[group] >= all_parts;
      bounds.push_back(everywhere ? Bounds{1, left[0][group] - parts_left} : Bounds{0, left[0][group]});
    }
    left[part] = shares(left[0], wanted, bounds);
    for (std::size_t group = 0; group < sizes.size(); ++group) left[0][group] -= left[part][group];
  }
  if (options.stratify) require_every_class(groups, sizes, left, {rows - validation - test, validation, test});

  std::array<Indices, 3> parts;
  for (const std::int64_t row : order_of(rows, options.shuffle, options.seed)) {
    const std::size_t group = groups.of_row[static_cast<std::size_t>(row)];
    std::size_t part = 0;
    while (left[part][group] == 0) ++part;
    --left[part][group];
    parts[part].push_back(row);
  }
  return {data.select(parts[0]), data.select(parts[1]), data.select(parts[2])};
}

std::vector<Fold> folds(const Dataset& data, const FoldsOptions& options) {
  const std::int64_t rows = data.size();
  if (options.count < 2 || options.count > rows)
    throw_as<ValueError>("folds: {} folds of {} rows; need 2 folds or more, and a row for each", options.count, rows);
  const Groups groups = groups_of(data, options.stratify, "folds");
  std::vector<Indices> of_group(groups.labels.size());
  for (const std::int64_t row : order_of(rows, options.shuffle, options.seed))
    of_group[groups.of_row[static_cast<std::size_t>(row)]].push_back(row);
  // Dealt like cards, class by class.
  std::vector<std::size_t> fold_of(static_cast<std::size_t>(rows));
  std::size_t dealt = 0;
  const auto count = static_cast<std::size_t>(options.count);
  for (std::size_t group = 0; group < of_group.size(); ++group) {
    if (of_group[group].size() < count)
      throw_as<ValueError>("folds: class {} has {} rows, too few for {} folds; stratify needs one in each",
                           groups.labels[group], of_group[group].size(), options.count);
    for (const std::int64_t row : of_group[group]) fold_of[static_cast<std::size_t>(row)] = dealt++ % count;
  }
  std::vector<Fold> folds(count);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::size_t fold = 0; fold < count; ++fold)
      (fold == fold_of[static_cast<std::size_t>(row)] ? folds[fold].test : folds[fold].train).push_back(row);
  return folds;
}

}  // namespace xgrad::nn
