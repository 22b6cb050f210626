#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/linear_algebra.hpp>
#include <autograd/ops/random.hpp>
#include <autograd/tensor/creation.hpp>

#include <cmath>

using namespace xgrad;

TEST_CASE(
    "the orthonormal factor is orthonormal, and what it leaves is triangular with a diagonal that is not negative") {
  for (const Shape& shape : {Shape{1, 1}, Shape{4, 4}, Shape{70, 7}, Shape{300, 300}}) {
    CAPTURE(to_string(shape));
    Generator generator(1);
    const Tensor x = normal(shape, 0, 1, float64, generator);
    const Tensor q = orthonormal_factor(x);
    REQUIRE(q.shape() == shape);
    const Tensor product = matmul(q, q, true, false), r = matmul(q, x, true, false);
    double off = 0, below = 0, lowest = 0;
    for (std::int64_t i = 0; i < shape[1]; ++i)
      for (std::int64_t j = 0; j < shape[1]; ++j) {
        off = std::max(off, std::abs(product.item({i, j}) - (i == j ? 1 : 0)));
        if (j < i) below = std::max(below, std::abs(r.item({i, j})));
        if (j == i) lowest = std::min(lowest, r.item({i, i}));
      }
    CHECK(off < 1e-13);
    CHECK(below < 1e-12);
    CHECK(lowest == 0);
  }
}

TEST_CASE("the orthonormal factor refuses wide, empty and float32 matrices, and an x that needs a gradient") {
  const auto error = [](const Tensor& x) { return expect::error_of([&] { orthonormal_factor(x); }); };
  const std::string need = "; need float64 (m, n) with m >= n > 0";
  CHECK(error(ones({2, 3}, float64)) == "ShapeError: orthonormal_factor: x is float64 (2, 3)" + need);
  CHECK(error(ones({2, 0}, float64)) == "ShapeError: orthonormal_factor: x is float64 (2, 0)" + need);
  CHECK(error(ones({3, 2})) == "ShapeError: orthonormal_factor: x is float32 (3, 2)" + need);
  CHECK(error(expect::leaf(ones({2, 2}, float64))) ==
        "TapeError: orthonormal_factor: x needs a gradient, and there is none; pass detach(x)");
}
