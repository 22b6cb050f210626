#include <autograd/ops/layout.hpp>
#include <autograd/ops/random.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/report/samples.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace xgrad::nn {

namespace {

/// What a model says about every row; inputs are still empty.
std::vector<Sample> judged(const char* who, const Tensor& probabilities, const Tensor& labels) {
  check_defined(who, "probabilities", probabilities);
  check_defined(who, "labels", labels);
  const Shape& shape = probabilities.shape();
  if (shape.rank() != 2 || shape[1] == 0 || labels.shape() != Shape{shape[0]})
    throw_as<ShapeError>("{}: probabilities are {}, labels are {}; need (n, classes) and (n,)", who, shape,
                         labels.shape());
  if (!is_floating(probabilities.dtype()) || labels.dtype() != int64)
    throw_as<TypeError>("{}: probabilities are {}, labels are {}; need floating probabilities and int64 labels", who,
                        probabilities.dtype(), labels.dtype());
  std::vector<Sample> result(shape.extent(0));
  const std::span<const std::int64_t> label = labels.values<std::int64_t>();
  visit_floating(probabilities.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::size_t row = 0; row < result.size(); ++row) {
      const std::span<const T> p = probabilities.values<T>().subspan(row * shape.extent(1), shape.extent(1));
      for (const T value : p)
        if (!(value >= 0 && value <= T(1.0001)))  // sums of rounded numbers
          throw_as<ValueError>("{}: row {} has the probability {}; need 0 to 1, softmax of scores", who, row, value);
      if (label[row] < 0 || label[row] >= shape[1])
        throw_as<ValueError>("{}: row {} has the label {}; need 0 <= label < {}", who, row, label[row], shape[1]);
      const auto largest = std::max_element(p.begin(), p.end());
      result[row] = {.row = static_cast<std::int64_t>(row),
                     .input = {},
                     .label = label[row],
                     .predicted = largest - p.begin(),
                     .probability = static_cast<double>(*largest),
                     .label_probability = static_cast<double>(p[static_cast<std::size_t>(label[row])])};
    }
  });
  return result;
}

}  // namespace

std::vector<std::int64_t> pick_rows(const Tensor& probabilities, const Tensor& labels, const PickOptions& options) {
  if (options.wrong < 0 || options.right < 0)
    throw_as<ValueError>("pick_rows: {} wrong and {} right; need 0 or more", options.wrong, options.right);
  std::vector<Sample> all = judged("pick_rows", probabilities, labels);
  const auto wrong_end =
      std::stable_partition(all.begin(), all.end(), [](const Sample& one) { return one.predicted != one.label; });
  std::stable_sort(all.begin(), wrong_end,
                   [](const Sample& a, const Sample& b) { return a.probability > b.probability; });
  std::vector<std::int64_t> rows, right;
  for (auto one = all.begin(); one != wrong_end && static_cast<std::int64_t>(rows.size()) < options.wrong; ++one)
    rows.push_back(one->row);
  for (auto one = wrong_end; one != all.end(); ++one) right.push_back(one->row);
  Generator generator(options.seed);
  shuffle(right, generator);
  right.resize(std::min(right.size(), static_cast<std::size_t>(options.right)));
  std::sort(right.begin(), right.end());
  rows.insert(rows.end(), right.begin(), right.end());
  return rows;
}

std::vector<Sample> samples_of(const Dataset& data, const Tensor& probabilities,
                               const std::vector<std::int64_t>& rows) {
  const Pause pause;
  const Tensor all_rows = arange(data.size());
  const std::vector<Sample> all =
      judged("samples_of", probabilities, data.targets().take(all_rows.values<std::int64_t>()));
  Shape shape = data.inputs().shape();
  shape.erase(0);
  std::vector<Sample> result;
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= data.size()) throw_as<ValueError>("samples_of: row {}; need 0 <= row < {}", row, data.size());
    result.push_back(all[static_cast<std::size_t>(row)]);
    result.back().input = reshape(data.inputs().take({&row, 1}), shape);
  }
  return result;
}

}  // namespace xgrad::nn
