#pragma once

#include <autograd/tensor/tensor.hpp>

#include <span>
#include <string>
#include <vector>

namespace xgrad::nn {

/// What a fit takes besides finite numbers that differ.
struct ScalerOptions {
  bool missing = false;   ///< NaN stands for a missing number, which is left out; see Scaler::fill
  bool constant = false;  ///< a constant column gets the spread 1
};

/// Brings the columns of a table to one scale and remembers how: y = (x - center) / spread, column by column. Fit it on
/// the training rows, apply it to all:
///
///     const nn::Scaler scaler = nn::Scaler::standard(train);
///     model(scaler.apply(test));
///
/// Tables are floating (rows, columns), or (rows,) for one column. Numbers are computed in float64; nothing is
/// recorded.
class Scaler {
 public:
  /// Constants of an earlier fit, one of each for every column. ValueError for none, different counts, numbers that are
  /// not finite or a spread of 0.
  Scaler(std::vector<double> centers, std::vector<double> spreads);

  /// To mean 0 and variance 1: center is the column's mean, spread its standard deviation √(Σ (x - mean)² / rows).
  /// `names` are the columns' in messages. ShapeError, TypeError for anything but a table with names.size()
  /// columns, ValueError for no rows, a number that is not finite, or a constant column, as far as the options do not
  /// allow them, and for a column whose numbers are all missing.
  static Scaler standard(const Tensor& x, std::span<const std::string> names = {}, const ScalerOptions& options = {});
  /// To [low, high]: the column's least value becomes low, its largest high. Errors as above; ValueError unless low <
  /// high.
  static Scaler min_max(const Tensor& x, double low = 0, double high = 1, std::span<const std::string> names = {},
                        const ScalerOptions& options = {});

  /// A table with the same number of columns, in the dtype of x. ShapeError, TypeError for another.
  Tensor apply(const Tensor& x) const;
  /// x with its column's center in place of every NaN: `apply(fill(x))` has 0 where a number is missing.
  Tensor fill(const Tensor& x) const;
  /// The inverse: y · spread + center.
  Tensor invert(const Tensor& y) const;

  const std::vector<double>& centers() const& { return centers_; }
  std::vector<double> centers() const&& { return centers_; }
  const std::vector<double>& spreads() const& { return spreads_; }
  std::vector<double> spreads() const&& { return spreads_; }

 private:
  std::vector<double> centers_;
  std::vector<double> spreads_;
};

}  // namespace xgrad::nn
