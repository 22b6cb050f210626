#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/kernels/layout.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/creation.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace kernels = xgrad::kernels;
using xgrad::Extents;
using xgrad::Shape;
using xgrad::Tensor;

namespace {

using Integers = std::vector<std::int64_t>;

/// A selection of elements: where index 0 lies, and how far each axis steps.
struct View {
  Integers shape;
  Integers strides;
  std::int64_t offset = 0;
};

std::size_t elements(const View& view) {
  return std::accumulate(view.shape.begin(), view.shape.end(), std::size_t{1},
                         [](std::size_t n, std::int64_t extent) { return n * static_cast<std::size_t>(extent); });
}

/// The element that each index of the view names, by the definition.
std::vector<std::size_t> positions(const View& view) {
  std::vector<std::size_t> result(elements(view));
  for (std::size_t k = 0; k < result.size(); ++k) {
    std::int64_t position = view.offset;
    std::size_t rest = k;
    for (std::size_t axis = view.shape.size(); axis-- > 0;) {
      const auto extent = static_cast<std::size_t>(view.shape[axis]);
      position += static_cast<std::int64_t>(rest % extent) * view.strides[axis];
      rest /= extent;
    }
    result[k] = static_cast<std::size_t>(position);
  }
  return result;
}

const std::vector<View> views{
    {{}, {}},    // one element
    {{0}, {1}},  // none
    {{3, 0, 2}, {2, 2, 1}},
    {{1, 5, 1}, {9, 1, 7}},
    {{17}, {-1}, 16},     // reversed
    {{40000}, {3}},       // every third
    {{15, 16}, {1, 15}},  // transposes
    {{16, 16}, {1, 16}},
    {{17, 33}, {1, 17}},
    {{3, 1000}, {1, 3}},
    {{1000, 3}, {1, 1000}},
    {{1, 7}, {7, 1}},
    {{257, 513}, {1, 257}},
    {{5, 130, 131}, {130 * 131, 1, 130}},      // of a batch
    {{31, 5, 7}, {1, 31 * 7, 31}},             // axes (2, 0, 1) of (5, 7, 31)
    {{6, 5, 4, 3}, {1, 6, 30, 120}},           // all axes backwards
    {{4, 6, 9, 16}, {6 * 9 * 16, 16, 96, 1}},  // the middle ones
    {{33, 2, 65, 2}, {1, 33, 66, 66 * 65}},
    {{50, 70}, {0, 1}},  // broadcast rows, columns, both, an axis between
    {{50, 70}, {1, 0}},
    {{5, 7}, {0, 0}, 3},
    {{3, 40, 50}, {50, 0, 1}},
    {{300, 400}, {1, 0}},
    {{20, 30}, {50, 1}, 7},  // slices
    {{20, 10}, {50, -3}, 40},
    {{7, 11, 13}, {2000, 50, 1}, 19},
    {{9, 8}, {-20, 1}, 200},
    {{30, 20}, {-1, 40}, 29},
    {{2, 3, 2, 3, 2, 3, 2, 2}, {1, 2, 6, 12, 36, 72, 216, 432}},
    {{3, 70001}, {70001, 1}},
    {{2, 20011}, {30000, 1}, 5},
};

template <class T>
std::vector<T> numbered(std::size_t n) {
  std::vector<T> x(n);
  std::iota(x.begin(), x.end(), T(1));
  return x;
}

template <class T>
Tensor tensor_of(const std::vector<T>& values, const Shape& shape) {
  Tensor result = Tensor::uninitialized(shape, xgrad::dtype_of<T>);
  REQUIRE(result.size() == values.size());
  std::copy(values.begin(), values.end(), result.fresh_data<T>());
  return result;
}
template <class T>
Tensor tensor_of(const std::vector<T>& values) {
  return tensor_of(values, {static_cast<std::int64_t>(values.size())});
}

template <class T>
std::vector<T> values_of(const Tensor& x) {
  const auto values = x.values<T>();
  return {values.begin(), values.end()};
}

template <class T>
std::vector<T> copy(const View& view, const std::vector<T>& x) {
  return values_of<T>(kernels::gather(tensor_of(x), Shape(view.shape), view.offset, Extents(view.strides)));
}

template <class T>
std::vector<T> source_of(const View& view) {
  const std::vector<std::size_t> all = positions(view);
  return numbered<T>(all.empty() ? 0 : *std::max_element(all.begin(), all.end()) + 1);
}

Integers indices_below(std::size_t count, std::size_t n) {
  std::mt19937_64 engine(n);
  std::uniform_int_distribution<std::int64_t> draw(0, static_cast<std::int64_t>(count) - 1);
  Integers indices(n);
  for (std::int64_t& index : indices) index = draw(engine);
  return indices;
}

}  // namespace

TEST_CASE_TEMPLATE("a strided copy takes the elements that its strides name", T, float, double, std::int64_t) {
  for (const View& view : views) {
    CAPTURE(view.shape);
    CAPTURE(view.strides);
    const std::vector<T> x = source_of<T>(view);
    std::vector<T> expected;
    for (const std::size_t position : positions(view)) expected.push_back(x[position]);
    CHECK(copy(view, x) == expected);
  }
}

TEST_CASE_TEMPLATE("a strided scatter writes the elements that its strides name and no others", T, float, double) {
  for (const View& view : views) {
    std::vector<std::size_t> all = positions(view);
    std::vector<std::size_t> sorted = all;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) continue;  // broadcast
    CAPTURE(view.shape);
    CAPTURE(view.strides);
    std::vector<T> expected(source_of<T>(view).size() + 40, T(0));
    Tensor target = tensor_of(expected);
    const std::vector<T> x = numbered<T>(all.size());
    for (std::size_t k = 0; k < all.size(); ++k) expected[all[k]] = x[k];
    kernels::scatter(tensor_of(x, Shape(view.shape)), target, view.offset, Extents(view.strides));
    CHECK(values_of<T>(target) == expected);
  }
}

TEST_CASE("moved elements keep their bits, signalling NaN and denormals included") {
  std::vector<std::uint32_t> bits(16 * 16 + 3 * 5);
  for (std::size_t i = 0; i < bits.size(); ++i)
    bits[i] = (i % 3 == 0 ? 0x7f800001u : i % 3 == 1 ? 1u : 0xffc00000u) + static_cast<std::uint32_t>(i << 4);
  std::vector<float> x(bits.size());
  std::memcpy(x.data(), bits.data(), bits.size() * sizeof(float));
  for (const View& view : {View{{16, 16}, {1, 16}}, {{5, 3}, {1, 5}}, {{13}, {2}}, {{13}, {1}}, {{4, 3}, {1, 0}}}) {
    const std::vector<std::size_t> all = positions(view);
    const std::vector<float> out = copy(view, x);
    for (std::size_t k = 0; k < all.size(); ++k) CHECK(std::memcmp(&out[k], &bits[all[k]], 4) == 0);
  }
}

TEST_CASE_TEMPLATE("take gathers and scatter_add adds, duplicates in the order of the indices", T, float, double) {
  struct Case {
    std::size_t outer, count, inner, n;
  };
  for (const Case& c : std::vector<Case>{{1, 1, 1, 0},
                                         {0, 3, 2, 4},
                                         {1, 1, 1, 1},
                                         {1, 10, 1, 30},
                                         {3, 7, 1, 5},
                                         {2, 5, 3, 9},
                                         {1, 4, 16, 17},
                                         {2, 3, 17, 8},
                                         {1, 100, 64, 3000},
                                         {1, 9, 2000, 50},
                                         {1, 50, 1, 70000},
                                         {70, 20, 5, 40}}) {
    CAPTURE(c.outer);
    CAPTURE(c.count);
    CAPTURE(c.inner);
    CAPTURE(c.n);
    const Integers indices = indices_below(c.count, c.n);
    std::vector<T> x = numbered<T>(c.outer * c.count * c.inner);
    std::vector<T> g(c.outer * c.n * c.inner);
    for (std::size_t k = 0; k < g.size(); ++k) g[k] = static_cast<T>(static_cast<double>(k * 7919 % 1000) * 1.37);
    std::vector<T> expected_taken(g.size(), T(0));
    std::vector<T> expected_added = x;
    for (std::size_t o = 0; o < c.outer; ++o)
      for (std::size_t i = 0; i < c.n; ++i)
        for (std::size_t j = 0; j < c.inner; ++j) {
          const std::size_t at = (o * c.count + static_cast<std::size_t>(indices[i])) * c.inner + j;
          expected_taken[(o * c.n + i) * c.inner + j] = x[at];
          expected_added[at] += g[(o * c.n + i) * c.inner + j];
        }
    const auto shaped = [&](std::size_t middle) {
      return Shape{static_cast<std::int64_t>(c.outer), static_cast<std::int64_t>(middle),
                   static_cast<std::int64_t>(c.inner)};
    };
    const kernels::Around around(shaped(c.count), 1);
    Tensor taken = Tensor::uninitialized(shaped(c.n), xgrad::dtype_of<T>), added = tensor_of(x, shaped(c.count));
    kernels::take(added, tensor_of(indices), around, taken);
    CHECK(values_of<T>(taken) == expected_taken);
    kernels::scatter_add(tensor_of(g, shaped(c.n)), tensor_of(indices), around, added);
    CHECK(values_of<T>(added) == expected_added);  // the same additions in the same order: the same bits
  }
}

TEST_CASE("moves give the same bits for 1, 2, 3 and 8 threads") {
  const std::size_t n = 1 << 20;
  const std::vector<float> x = numbered<float>(n);
  std::vector<float> small(n);
  for (std::size_t k = 0; k < n; ++k) small[k] = 1 / (1 + x[k]);
  const Integers indices = indices_below(100, n / 64);
  const auto all = [&] {
    std::vector<std::vector<float>> results;
    for (const View& view : {View{{1024, 1024}, {1, 1024}}, {{1024, 1024}, {0, 1}}, {{n}, {-1}, n - 1}})
      results.push_back(copy(view, x));
    const auto rows = static_cast<std::int64_t>(indices.size());
    const kernels::Around around({100, 64}, 0);
    Tensor added = xgrad::zeros({100, 64}), taken = Tensor::uninitialized({rows, 64}, xgrad::float32);
    kernels::scatter_add(tensor_of(small, {rows, 64}), tensor_of(indices), around, added);
    results.push_back(values_of<float>(added));
    kernels::take(added, tensor_of(indices), around, taken);
    results.push_back(values_of<float>(taken));
    return results;
  };
  const auto one = with_threads(1, all);
  for (const int threads : {2, 3, 8}) {
    CAPTURE(threads);
    CHECK(with_threads(threads, all) == one);
  }
}

TEST_CASE("casts round to the nearest, or towards zero for integers") {
  const double inf = std::numeric_limits<double>::infinity();
  const std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{17}, std::size_t{100003}}) {
    std::vector<double> x(n);
    for (std::size_t k = 0; k < n; ++k) x[k] = (static_cast<double>(k) - 7.5) * 1.3;
    const Tensor single_tensor = kernels::cast(tensor_of(x), xgrad::float32);
    const auto single = values_of<float>(single_tensor);
    const auto integers = values_of<std::int64_t>(kernels::cast(tensor_of(x), xgrad::int64));
    const auto back = values_of<double>(kernels::cast(single_tensor, xgrad::float64));
    std::size_t wrong = 0;
    for (std::size_t k = 0; k < n; ++k) {
      const bool right = single[k] == static_cast<float>(x[k]) &&
                         static_cast<double>(integers[k]) == std::trunc(x[k]) &&
                         back[k] == static_cast<double>(single[k]);
      wrong += right ? 0u : 1u;
    }
    CHECK(wrong == 0);
  }
  const std::vector<double> limits{inf, -inf, std::nan(""), 0x1p63, -0x1p63, 0x1p62, -0.9};
  CHECK(values_of<std::int64_t>(kernels::cast(tensor_of(limits), xgrad::int64)) ==
        Integers{lowest, lowest, lowest, lowest, lowest, std::int64_t{1} << 62, 0});
  CHECK(kernels::cast(tensor_of(limits), xgrad::float32).item({3}) == 0x1p63);
}

TEST_CASE("copied rows are those of the indices, converted, from any first row on") {
  const Integers rows = {2, 0, 2, 5, 1, 1, 3, 4, 0, 5};
  for (const std::int64_t length : {1, 3, 16, 785, 20000}) {
    CAPTURE(length);
    const auto n = static_cast<std::size_t>(length);
    std::vector<float> source(7 * n);
    std::vector<std::uint8_t> bytes(7 * n);
    for (std::size_t i = 0; i < source.size(); ++i) {
      source[i] = static_cast<float>(i) / 3;
      bytes[i] = static_cast<std::uint8_t>(i * 7);
    }
    const auto make = [&](xgrad::DType dtype) {
      return Tensor::uninitialized({static_cast<std::int64_t>(rows.size()), length}, dtype);
    };
    Tensor same = make(xgrad::float32), wide = make(xgrad::float64), read = make(xgrad::float32);
    std::vector<std::uint8_t> kept(rows.size() * n);
    kernels::copy_rows(tensor_of(source, {7, length}), 1, rows, same);
    kernels::copy_rows(tensor_of(source, {7, length}), 0, rows, wide);
    kernels::copy_rows(bytes, rows, 0.5, -3, read);
    kernels::copy_rows(bytes, rows, kept);
    std::size_t wrong = 0;
    for (std::size_t k = 0; k < kept.size(); ++k) {
      const std::size_t at = static_cast<std::size_t>(rows[k / n]) * n + k % n;
      const bool right = same.data<float>()[k] == source[at + n] && wide.data<double>()[k] == source[at] &&
                         read.data<float>()[k] == -3 + 0.5f * static_cast<float>(bytes[at]) && kept[k] == bytes[at];
      wrong += right ? 0u : 1u;
    }
    CHECK(wrong == 0);
  }
}
