#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/compare.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/data/scaler.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace xgrad::nn {

namespace {

std::size_t columns_of(const Tensor& x) {
  check_defined("Scaler", "the table", x);
  if (x.rank() != 1 && x.rank() != 2)
    throw_as<ShapeError>("Scaler: the table is {}; need (rows, columns) or (rows,)", x.shape());
  if (!is_floating(x.dtype())) throw TypeError("Scaler: the table is int64; need float32 or float64");
  return x.rank() == 1 ? 1 : x.extent(1);
}

/// What there is to know about a column.
struct Summary {
  double least;
  double largest;
  double mean;
  double std;
};

/// √(Σ (x - mean)² / n)
double deviation(const std::vector<double>& x, double mean) {
  double squares = 0;
  for (const double value : x) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(x.size()));
}

/// Of one column of a table; `name` stands in messages.
template <class T>
Summary summarize(std::span<const T> values, std::size_t column, std::size_t columns, const std::string& name,
                  const ScalerOptions& options) {
  std::vector<double> known;
  for (std::size_t i = column; i < values.size(); i += columns)
    if (!options.missing || !std::isnan(values[i])) known.push_back(values[i]);
  const std::size_t rows = known.size();
  if (rows == 0) throw_as<ValueError>("{}: Scaler: every number is missing; leave the column out", name);
  const auto at = [&](std::size_t row) { return known[row]; };
  const double first = at(0);
  Summary summary{first, first, 0, 0};
  // Of the differences from the first value, so that a large mean costs no digits.
  for (std::size_t row = 0; row < rows; ++row) {
    if (!std::isfinite(at(row)))
      throw_as<ValueError>("{}: Scaler: {:.9g} in row {}; need finite numbers", name, at(row), row);
    summary.least = std::min(summary.least, at(row));
    summary.largest = std::max(summary.largest, at(row));
    summary.mean += (at(row) - first) / static_cast<double>(rows);
  }
  summary.mean += first;
  if (summary.least == summary.largest && options.constant) return {first, first, first, 1};
  if (summary.least == summary.largest)
    throw_as<ValueError>("{}: Scaler: constant, {:.9g} in all {} rows; leave the column out", name, first, rows);
  summary.std = deviation(known, summary.mean);
  if (summary.std > 0x1p-480 && summary.std < 0x1p480 && std::isfinite(summary.mean)) return summary;
  // Squares or differences leave the range: the same in units of the largest number.
  const int exponent = std::ilogb(std::max(-summary.least, summary.largest));
  for (double& x : known) x = std::scalbn(x, -exponent);
  double mean = 0;
  for (const double x : known) mean += x / static_cast<double>(rows);
  summary.mean = std::scalbn(mean, exponent);
  summary.std = std::scalbn(deviation(known, mean), exponent);
  return summary;
}

std::vector<Summary> summarize(const Tensor& x, std::span<const std::string> names, const ScalerOptions& options) {
  const std::size_t columns = columns_of(x);
  if (!names.empty() && names.size() != columns)
    throw_as<ShapeError>("Scaler: the table is {} with {} names; need one for each column", x.shape(), names.size());
  if (x.size() == 0) throw_as<ValueError>("Scaler: the table is {}; need at least one number", x.shape());
  std::vector<Summary> summaries;
  visit_floating(x.dtype(), [&](auto zero) {
    for (std::size_t c = 0; c < columns; ++c)
      summaries.push_back(summarize(x.values<decltype(zero)>(), c, columns,
                                    names.empty() ? fmt::format("column {}", c) : names[c], options));
  });
  return summaries;
}

/// x in float64, for as many columns as there are constants.
Tensor checked(const Tensor& x, const std::vector<double>& constants) {
  if (columns_of(x) != constants.size())
    throw_as<ShapeError>("Scaler: the table is {}, the scaler was fitted to {} columns; need the same number",
                         x.shape(), constants.size());
  return x.to(float64);
}

Tensor row_of(const std::vector<double>& constants) {
  return tensor(constants, {static_cast<std::int64_t>(constants.size())}, float64);
}

}  // namespace

Scaler::Scaler(std::vector<double> centers, std::vector<double> spreads)
    : centers_(std::move(centers)), spreads_(std::move(spreads)) {
  if (centers_.empty() || centers_.size() != spreads_.size())
    throw_as<ValueError>("Scaler: {} centers, {} spreads; need one of each for every column", centers_.size(),
                         spreads_.size());
  for (std::size_t c = 0; c < centers_.size(); ++c)
    if (!std::isfinite(centers_[c]) || !std::isfinite(spreads_[c]) || spreads_[c] == 0)
      throw_as<ValueError>(
          "Scaler: column {}: center {:.9g}, spread {:.9g}; need finite numbers and a spread that is not 0", c,
          centers_[c], spreads_[c]);
}

Scaler Scaler::standard(const Tensor& x, std::span<const std::string> names, const ScalerOptions& options) {
  std::vector<double> centers, spreads;
  for (const Summary& summary : summarize(x, names, options)) {
    centers.push_back(summary.mean);
    spreads.push_back(summary.std);
  }
  return {std::move(centers), std::move(spreads)};
}

Scaler Scaler::min_max(const Tensor& x, double low, double high, std::span<const std::string> names,
                       const ScalerOptions& options) {
  if (!(low < high) || !std::isfinite(high - low))
    throw_as<ValueError>("Scaler: min_max to [{:.9g}, {:.9g}]; need low < high", low, high);
  std::vector<double> centers, spreads;
  for (const Summary& summary : summarize(x, names, options)) {
    const bool constant = summary.least == summary.largest;
    const double spread = constant ? 1 : (summary.largest - summary.least) / (high - low);
    centers.push_back(summary.least - low * spread);
    spreads.push_back(spread);
  }
  return {std::move(centers), std::move(spreads)};
}

Tensor Scaler::apply(const Tensor& x) const {
  const Pause pause;
  return ((checked(x, centers_) - row_of(centers_)) / row_of(spreads_)).to(x.dtype());
}

Tensor Scaler::fill(const Tensor& x) const {
  const Pause pause;
  const Tensor table = checked(x, centers_);
  return where(eq(table, table), table, row_of(centers_)).to(x.dtype());
}

Tensor Scaler::invert(const Tensor& y) const {
  const Pause pause;
  return (checked(y, centers_) * row_of(spreads_) + row_of(centers_)).to(y.dtype());
}

}  // namespace xgrad::nn
