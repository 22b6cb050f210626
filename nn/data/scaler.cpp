#include <autograd/tensor/error.hpp>
#include <nn/data/scaler.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <utility>

namespace xgrad::nn {

namespace {

std::size_t columns_of(const Tensor& x) {
  if (x.rank() != 1 && x.rank() != 2)
    throw ShapeError("Scaler: the table is " + to_string(x.shape()) + "; need (rows, columns) or (rows,)");
  if (!is_floating(x.dtype())) throw TypeError("Scaler: the table is int64; need float32 or float64");
  return x.rank() == 1 ? 1 : static_cast<std::size_t>(x.shape(1));
}

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

/// What one pass over a table tells of a column.
struct Summary {
  double least;
  double largest;
  double mean;
  double deviation;
};

std::vector<Summary> summarize(const Tensor& x, std::span<const std::string> names) {
  const std::size_t columns = columns_of(x);
  if (!names.empty() && names.size() != columns)
    throw ShapeError("Scaler: the table is " + to_string(x.shape()) + " with " + std::to_string(names.size()) +
                     " names; need one for each column");
  if (x.size() == 0) throw ValueError("Scaler: the table is " + to_string(x.shape()) + "; need at least one number");
  const std::size_t rows = x.size() / columns;
  const auto column_name = [&](std::size_t c) { return names.empty() ? "column " + std::to_string(c) : names[c]; };
  std::vector<Summary> summaries;
  visit_floating(x.dtype(), [&]<class T>(T) {
    const std::span<const T> values = x.values<T>();
    for (std::size_t c = 0; c < columns; ++c) {
      const double first = static_cast<double>(values[c]);
      Summary summary{first, first, 0, 0};
      // Of the differences from the first value, so that a large mean costs no digits.
      for (std::size_t row = 0; row < rows; ++row) {
        const double value = static_cast<double>(values[row * columns + c]);
        if (!std::isfinite(value))
          throw ValueError(column_name(c) + ": Scaler: " + text_of(value) + " in row " + std::to_string(row) +
                           "; need finite numbers");
        summary.least = std::min(summary.least, value);
        summary.largest = std::max(summary.largest, value);
        summary.mean += (value - first) / static_cast<double>(rows);
      }
      summary.mean += first;
      if (summary.least == summary.largest)
        throw ValueError(column_name(c) + ": Scaler: constant, " + text_of(first) + " in all " + std::to_string(rows) +
                         " rows; leave the column out");
      double squares = 0;
      for (std::size_t row = 0; row < rows; ++row) {
        const double difference = static_cast<double>(values[row * columns + c]) - summary.mean;
        squares += difference * difference;
      }
      summary.deviation = std::sqrt(squares / static_cast<double>(rows));
      summaries.push_back(summary);
    }
  });
  return summaries;
}

template <class F>
Tensor map_columns(const Tensor& x, std::size_t columns, const F& f) {
  if (columns_of(x) != columns)
    throw ShapeError("Scaler: the table is " + to_string(x.shape()) + ", the scaler was fitted to " +
                     std::to_string(columns) + " columns; need as many");
  const Tensor result = Tensor::uninitialized(x.shape(), x.dtype());
  visit_floating(x.dtype(), [&]<class T>(T) {
    const std::span<const T> values = x.values<T>();
    T* const target = static_cast<T*>(result.mutable_data());
    for (std::size_t i = 0; i < values.size(); ++i)
      target[i] = static_cast<T>(f(static_cast<double>(values[i]), i % columns));
  });
  return result;
}

}  // namespace

Scaler::Scaler(std::vector<double> centers, std::vector<double> spreads)
    : centers_(std::move(centers)), spreads_(std::move(spreads)) {
  if (centers_.empty() || centers_.size() != spreads_.size())
    throw ValueError("Scaler: " + std::to_string(centers_.size()) + " centers, " + std::to_string(spreads_.size()) +
                     " spreads; need as many of both, at least one");
  for (std::size_t c = 0; c < centers_.size(); ++c)
    if (!std::isfinite(centers_[c]) || !std::isfinite(spreads_[c]) || spreads_[c] == 0)
      throw ValueError("Scaler: column " + std::to_string(c) + ": center " + text_of(centers_[c]) + ", spread " +
                       text_of(spreads_[c]) + "; need finite numbers and a spread that is not 0");
}

Scaler Scaler::standard(const Tensor& x, std::span<const std::string> names) {
  std::vector<double> centers, spreads;
  for (const Summary& summary : summarize(x, names)) {
    centers.push_back(summary.mean);
    spreads.push_back(summary.deviation);
  }
  return {std::move(centers), std::move(spreads)};
}

Scaler Scaler::min_max(const Tensor& x, double low, double high, std::span<const std::string> names) {
  if (!(low < high) || !std::isfinite(high - low))
    throw ValueError("Scaler: min_max to [" + text_of(low) + ", " + text_of(high) + "]; need low < high");
  std::vector<double> centers, spreads;
  for (const Summary& summary : summarize(x, names)) {
    const double spread = (summary.largest - summary.least) / (high - low);
    centers.push_back(summary.least - low * spread);
    spreads.push_back(spread);
  }
  return {std::move(centers), std::move(spreads)};
}

Tensor Scaler::apply(const Tensor& x) const {
  return map_columns(x, centers_.size(),
                     [&](double value, std::size_t c) { return (value - centers_[c]) / spreads_[c]; });
}

Tensor Scaler::invert(const Tensor& y) const {
  return map_columns(y, centers_.size(),
                     [&](double value, std::size_t c) { return value * spreads_[c] + centers_[c]; });
}

}  // namespace xgrad::nn
