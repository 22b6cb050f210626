#include <autograd/ops/layout.hpp>
#include <autograd/ops/random.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/error.hpp>
#include <nn/report/samples.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

namespace xgrad::nn {

namespace {

/// What a model says about every row; inputs are still empty.
std::vector<Sample> judged(const char* who, const Tensor& probabilities, const Tensor& labels) {
  const std::string name = who;
  const Shape& shape = probabilities.shape();
  if (shape.rank() != 2 || shape[1] == 0 || labels.shape() != Shape{shape[0]})
    throw ShapeError(name + ": probabilities are " + to_string(shape) + ", labels are " + to_string(labels.shape()) +
                     "; need (n, classes) and (n,)");
  if (!is_floating(probabilities.dtype()) || labels.dtype() != int64)
    throw TypeError(name + ": probabilities are " + std::string(name_of(probabilities.dtype())) + ", labels are " +
                    std::string(name_of(labels.dtype())) + "; need floating probabilities and int64 labels");
  std::vector<Sample> result(static_cast<std::size_t>(shape[0]));
  const std::span<const std::int64_t> label = labels.values<std::int64_t>();
  visit_floating(probabilities.dtype(), [&]<class T>(T) {
    const auto classes = static_cast<std::size_t>(shape[1]);
    for (std::size_t row = 0; row < result.size(); ++row) {
      const std::span<const T> p = probabilities.values<T>().subspan(row * classes, classes);
      const auto place = name + ": row " + std::to_string(row) + " has ";
      for (const T value : p)
        if (!(value >= 0 && value <= T(1.0001)))  // sums of rounded numbers
          throw ValueError(place + "the probability " + std::to_string(value) + "; need 0 to 1, softmax of scores");
      if (label[row] < 0 || label[row] >= shape[1])
        throw ValueError(place + "the label " + std::to_string(label[row]) + "; need 0 <= label < " +
                         std::to_string(shape[1]));
      const std::int64_t predicted = std::max_element(p.begin(), p.end()) - p.begin();
      result[row] = {static_cast<std::int64_t>(row),
                     {},
                     label[row],
                     predicted,
                     static_cast<double>(p[static_cast<std::size_t>(predicted)]),
                     static_cast<double>(p[static_cast<std::size_t>(label[row])])};
    }
  });
  return result;
}

}  // namespace

std::vector<std::int64_t> pick_rows(const Tensor& probabilities, const Tensor& labels, const PickOptions& options) {
  if (options.wrong < 0 || options.right < 0)
    throw ValueError("pick_rows: " + std::to_string(options.wrong) + " wrong and " + std::to_string(options.right) +
                     " right; need 0 or more");
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
    if (row < 0 || row >= data.size())
      throw ValueError("samples_of: row " + std::to_string(row) + "; need 0 <= row < " + std::to_string(data.size()));
    result.push_back(all[static_cast<std::size_t>(row)]);
    result.back().input = reshape(data.inputs().take({&row, 1}), shape);
  }
  return result;
}

}  // namespace xgrad::nn
