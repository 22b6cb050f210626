#include <autograd/error.hpp>
#include <nn/metrics.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace xgrad::nn {

namespace {

/// Whether the first largest score stands at the label; false beside a NaN.
template <class T>
bool is_largest(std::span<const T> scores, std::size_t label) {
  const T score = scores[label];
  return std::all_of(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(label),
                     [score](T other) { return other < score; }) &&
         std::all_of(scores.begin() + static_cast<std::ptrdiff_t>(label), scores.end(),
                     [score](T other) { return other <= score; });
}

}  // namespace

double accuracy(const Tensor& predictions, const Tensor& labels) {
  const Shape& shape = predictions.shape();
  if (shape.rank() != 2 || labels.shape() != Shape{shape[0]} || shape[0] == 0 || shape[1] == 0)
    throw ShapeError("accuracy: predictions are " + to_string(shape) + ", labels are " + to_string(labels.shape()) +
                     "; need (n, classes) and (n,), neither of them 0");
  if (!is_floating(predictions.dtype()) || labels.dtype() != int64)
    throw TypeError("accuracy: predictions are " + std::string(name_of(predictions.dtype())) + ", labels are " +
                    std::string(name_of(labels.dtype())) + "; need floating predictions and int64 labels");

  const std::span<const std::int64_t> label = labels.values<std::int64_t>();
  std::size_t correct = 0;
  visit_floating(predictions.dtype(), [&]<class T>(T) {
    const std::span<const T> scores = predictions.values<T>();
    const std::size_t classes = scores.size() / label.size();
    for (std::size_t row = 0; row < label.size(); ++row) {
      if (label[row] < 0 || label[row] >= shape[1])
        throw ValueError("accuracy: label " + std::to_string(label[row]) + " in row " + std::to_string(row) +
                         "; need 0 <= label < " + std::to_string(shape[1]));
      correct += is_largest(scores.subspan(row * classes, classes), static_cast<std::size_t>(label[row]));
    }
  });
  return static_cast<double>(correct) / static_cast<double>(label.size());
}

}  // namespace xgrad::nn
