#pragma once

#include <autograd/tensor/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include "tests/support/expect.hpp"

// Sample statistics in units of their standard error under the hypothesis, so that a test reads `CHECK(z < 5)`. The
// seeds are fixed: a test that passes once passes always.
namespace statistics {

inline double mean(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

/// The mean of (x - center)^order.
inline double moment(const std::vector<double>& x, int order, double center) {
  double sum = 0;
  for (const double value : x) sum += std::pow(value - center, order);
  return sum / static_cast<double>(x.size());
}

/// |sample mean - mean| over √(variance / n).
inline double mean_error(const std::vector<double>& x, double expected, double variance) {
  return std::abs(mean(x) - expected) / std::sqrt(variance / static_cast<double>(x.size()));
}

/// |sample variance - variance| over √((fourth moment - variance²) / n).
inline double variance_error(const std::vector<double>& x, double expected_mean, double variance,
                             double fourth_moment) {
  return std::abs(moment(x, 2, expected_mean) - variance) /
         std::sqrt((fourth_moment - variance * variance) / static_cast<double>(x.size()));
}

/// (χ² - k) / √(2 k) for counts in bins of equal probability, k = bins - 1.
inline double chi_square_error(const std::vector<std::size_t>& counts) {
  double total = 0;
  for (const std::size_t count : counts) total += static_cast<double>(count);
  const double expected = total / static_cast<double>(counts.size());
  double chi_square = 0;
  for (const std::size_t count : counts) {
    const double excess = static_cast<double>(count) - expected;
    chi_square += excess * excess / expected;
  }
  const double freedom = static_cast<double>(counts.size() - 1);
  return (chi_square - freedom) / std::sqrt(2 * freedom);
}

/// Kolmogorov's √n D, from the sample and the distribution function; above 1.95 with probability 0.001.
template <class F>
double kolmogorov(std::vector<double> x, const F& distribution) {
  std::sort(x.begin(), x.end());
  const auto n = static_cast<double>(x.size());
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double p = distribution(x[i]);
    largest = std::max({largest, p - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - p});
  }
  return std::sqrt(n) * largest;
}

inline double normal_distribution(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

/// Sample correlation times √n, of two samples with known mean and variance.
inline double correlation_error(const std::vector<double>& x, const std::vector<double>& y, double center,
                                double variance) {
  const std::size_t n = std::min(x.size(), y.size());
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += (x[i] - center) * (y[i] - center);
  return std::abs(sum) / variance / std::sqrt(static_cast<double>(n));
}

}  // namespace statistics
