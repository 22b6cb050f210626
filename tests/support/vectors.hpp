#pragma once

// What tests of vector kernels share.

#include <autograd/kernels/simd/elementary.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tests/support/expect.hpp"

namespace vectors {

using xgrad::kernels::Vec;

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();
template <class T>
constexpr T not_a_number = std::numeric_limits<T>::quiet_NaN();

template <class T>
using Lanes = std::array<T, Vec<T>::width>;

template <class T>
Lanes<T> lanes(Vec<T> x) {
  Lanes<T> result;
  x.store(result.data());
  return result;
}

/// One lane of a vector of equal values.
template <class T>
T one(Vec<T> x) {
  return lanes(x)[0];
}

/// The largest difference of a vector function from the scalar one at 4000 places of [low, high], in units in the last
/// place.
template <class T, class F, class Reference>
double worst_ulps(F f, Reference reference, double low, double high) {
  double worst = 0;
  for (const double x : expect::numbers(4000, 1, low, high)) {
    const T rounded = static_cast<T>(x);
    const long double exact = reference(static_cast<long double>(rounded));
    const T nearest = static_cast<T>(exact);
    const T unit = std::nextafter(std::abs(nearest), infinity<T>) - std::abs(nearest);
    const long double error = std::abs(static_cast<long double>(one(f(Vec<T>(rounded)))) - exact) / unit;
    worst = std::max(worst, static_cast<double>(error));
  }
  return worst;
}

}  // namespace vectors
