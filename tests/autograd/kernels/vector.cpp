#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/kernels/vector.hpp>
#include <autograd/tensor/creation.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace xgrad;
using expect::random_tensor;
using expect::values;

namespace {

// Around vector widths, and around the blocks of 8192 beyond which loops run in parallel.
const std::vector<std::int64_t> sizes{0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 1000, 8192, 16384, 16385, 30001};

/// Calls f(size, dtype) for all sizes and both dtypes.
template <class F>
void for_sizes(const F& f) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t size : sizes) {
      CAPTURE(size);
      CAPTURE(name_of(dtype));
      f(size, dtype);
    }
}

/// What rounding one result of f to the dtype gives.
double rounded(double value, DType dtype) {
  return dtype == float32 ? static_cast<double>(static_cast<float>(value)) : value;
}

}  // namespace

TEST_CASE("add_scaled adds a multiple, whatever the size") {
  for_sizes([](std::int64_t size, DType dtype) {
    const Tensor x = random_tensor({size}, 1, dtype);
    for (const double factor : {1.0, -0.5, 2.0}) {  // powers of two: only the sum is rounded
      Tensor y = random_tensor({size}, 2, dtype);
      const std::vector<double> before = values(y);
      const std::vector<double> term = values(x);
      kernels::add_scaled(y, x, factor);
      std::vector<double> expected;
      for (std::size_t i = 0; i < before.size(); ++i) expected.push_back(rounded(before[i] + factor * term[i], dtype));
      CHECK(values(y) == expected);
    }
  });
}

TEST_CASE("scale and clamp work in place, and NaN stays") {
  for_sizes([](std::int64_t size, DType dtype) {
    Tensor x = random_tensor({size}, 3, dtype);
    if (size > 2)
      x.modify([](auto entries) {
        using T = std::remove_reference_t<decltype(entries[0])>;
        entries[2] = std::numeric_limits<T>::quiet_NaN();
      });
    const std::vector<double> before = values(x);
    kernels::scale(x, 4.0);
    bool right = true;
    std::vector<double> now = values(x);
    for (std::size_t i = 0; i < now.size(); ++i)
      right = right && (i == 2 && size > 2 ? std::isnan(now[i]) : now[i] == 4 * before[i]);
    CHECK(right);
    kernels::clamp(x, -1.5, 0.5);
    const std::vector<double> limited = values(x);
    right = true;
    for (std::size_t i = 0; i < now.size(); ++i)
      right =
          right && (i == 2 && size > 2 ? std::isnan(limited[i]) : limited[i] == std::min(0.5, std::max(-1.5, now[i])));
    CHECK(right);
  });
}

TEST_CASE("a copy has the same values in memory of its own, for int64 too") {
  for (const std::int64_t size : sizes) {
    for (const DType dtype : {float32, float64, int64}) {
      const Tensor x = arange(size, dtype);
      const Tensor y = kernels::copy(x);
      CHECK(y.dtype() == dtype);
      CHECK(values(y) == values(x));
      CHECK(y.untyped_data() != x.untyped_data());
    }
  }
}

TEST_CASE("the sum of squares is made in float64") {
  for_sizes([](std::int64_t size, DType dtype) {
    const Tensor x = arange(size, dtype);
    const double n = static_cast<double>(size) - 1;
    const double expected = size == 0 ? 0 : n * (n + 1) * (2 * n + 1) / 6;  // exact below 2^53
    CHECK(kernels::sum_of_squares(x) == doctest::Approx(expected).epsilon(1e-14));
  });
  // 2^26 + 1 has no float32: each of these squares does, the sum of them all is exact in float64 only.
  CHECK(kernels::sum_of_squares(full({(1 << 20) + 1}, 8.0)) == 64.0 * ((1 << 20) + 1));
}

TEST_CASE("infinite and NaN elements are counted wherever they stand") {
  for_sizes([](std::int64_t size, DType dtype) {
    Tensor x = ones({size}, dtype);
    CHECK(kernels::count_nonfinite(x) == 0);
    if (size < 4) return;
    x.modify([](auto entries) {
      using T = std::remove_reference_t<decltype(entries[0])>;
      entries[0] = static_cast<T>(INFINITY);
      entries[entries.size() / 2] = static_cast<T>(NAN);
      entries.back() = static_cast<T>(-INFINITY);
    });
    CHECK(kernels::count_nonfinite(x) == 3);
  });
  CHECK(kernels::count_nonfinite(arange(5)) == 0);
}
