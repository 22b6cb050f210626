#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>

#include <autograd/kernels/gemm/blocks.hpp>
#include <autograd/kernels/gemm/gemm.hpp>
#include <autograd/kernels/gemm/registers.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/error.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <thread>
#include <tuple>
#include <vector>

using namespace xgrad::kernels;
using expect::same_bits;

extern "C" [[gnu::weak]] int openblas_get_num_threads(void);

namespace {

struct Shape {
  std::size_t m, n, k;
};

/// At least one for each way in which a product is computed, in all four transpositions; mostly odd.
const std::vector<Shape> shapes{{1, 1, 1},      {4, 8, 2},     {3, 5, 7},      {8, 8, 8},      {1, 1, 300},
                                {1, 7, 40},     {1, 70, 90},   {90, 1, 70},    {1, 9, 60000},  {700, 1, 900},
                                {1, 1100, 330}, {2, 9, 13},    {17, 19, 23},   {32, 16, 16},   {40, 50, 60},
                                {5, 200, 31},   {97, 65, 64},  {100, 81, 99},  {128, 130, 70}, {200, 97, 3},
                                {3, 5, 50000},  {70, 10, 900}, {333, 100, 17}, {150, 161, 450}};

/// Values in [-1, 1).
template <class T>
std::vector<T> random_values(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<T> uniform(-1, 1);
  std::vector<T> values(count);
  for (T& value : values) value = uniform(generator);
  return values;
}

template <class T>
struct Matrices {
  Transpose ta, tb;
  Shape shape;
  std::vector<T> a = random_values<T>(shape.m * shape.k, 1);
  std::vector<T> b = random_values<T>(shape.k * shape.n, 2);

  T a_at(std::size_t i, std::size_t l) const { return a[ta == Transpose::yes ? l * shape.m + i : i * shape.k + l]; }
  T b_at(std::size_t l, std::size_t j) const { return b[tb == Transpose::yes ? j * shape.k + l : l * shape.n + j]; }
};

/// How often |c - exact| exceeds the bound for a sum of k products and one more term in any order,
/// (k + 1)·u / (1 - (k + 1)·u) · Σ|terms| (Higham 2002, section 3.1), doubled; `start` is added to the product.
template <class T>
std::size_t count_errors(const Matrices<T>& x, const T* c, const auto& start) {
  using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;
  const auto [m, n, k] = x.shape;
  const Wide unit = std::numeric_limits<T>::epsilon();
  std::size_t errors = 0;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      Wide sum = start(i, j), size = std::abs(sum);
      for (std::size_t l = 0; l < k; ++l) {
        const Wide term = static_cast<Wide>(x.a_at(i, l)) * static_cast<Wide>(x.b_at(l, j));
        sum += term;
        size += std::abs(term);
      }
      const Wide error = std::abs(static_cast<Wide>(c[i * n + j]) - sum);
      if (!(error <= static_cast<Wide>(k + 1) * unit * size)) ++errors;
    }
  }
  return errors;
}

template <class T, class F>
void for_all_matrices(const std::vector<Shape>& all, F f) {
  for (const Shape& shape : all) {
    for (const auto ta : {Transpose::no, Transpose::yes}) {
      for (const auto tb : {Transpose::no, Transpose::yes}) {
        CAPTURE(shape.m);
        CAPTURE(shape.n);
        CAPTURE(shape.k);
        CAPTURE(ta == Transpose::yes);
        CAPTURE(tb == Transpose::yes);
        f(Matrices<T>{ta, tb, shape});
      }
    }
  }
}

template <class T>
std::vector<T> product(const Matrices<T>& x) {
  std::vector<T> c(x.shape.m * x.shape.n, std::numeric_limits<T>::quiet_NaN());
  gemm<T>(x.ta, x.tb, x.shape.m, x.shape.n, x.shape.k, x.a.data(), x.b.data(), c.data());
  return c;
}

}  // namespace

TEST_CASE_TEMPLATE("products agree with their definition within the error bound", T, float, double) {
  for_all_matrices<T>(shapes, [](const Matrices<T>& x) {
    const auto [m, n, k] = x.shape;
    // C is not read, and nothing beyond it is written.
    std::vector<T> c(m * n + 100, std::numeric_limits<T>::quiet_NaN());
    std::fill(c.begin() + static_cast<std::ptrdiff_t>(m * n), c.end(), T(7));
    gemm<T>(x.ta, x.tb, m, n, k, x.a.data(), x.b.data(), c.data());
    CHECK(count_errors(x, c.data(), [](std::size_t, std::size_t) { return 0; }) == 0);
    for (std::size_t i = m * n; i < c.size(); ++i) CHECK(c[i] == T(7));
  });
}

TEST_CASE_TEMPLATE("linear adds the bias to each row", T, float, double) {
  for (const Shape& shape : shapes) {
    const std::size_t m = shape.m, n = shape.n, k = shape.k;
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    const Matrices<T> x{Transpose::no, Transpose::no, shape};
    const std::vector<T> bias = random_values<T>(n, 4);
    std::vector<T> y(m * n, std::numeric_limits<T>::quiet_NaN());
    linear<T>(m, n, k, x.a.data(), x.b.data(), bias.data(), y.data());
    CHECK(count_errors(x, y.data(), [&](std::size_t, std::size_t j) { return bias[j]; }) == 0);
    linear<T>(m, n, k, x.a.data(), x.b.data(), nullptr, y.data());
    CHECK(same_bits(y, product(x)));
  }
}

TEST_CASE("a product of small integers is exact") {
  // (1 2; 3 4; 5 6) · (7 8 9; 10 11 12), by hand.
  const std::vector<float> a{1, 2, 3, 4, 5, 6}, b{7, 8, 9, 10, 11, 12};
  std::vector<float> c(9);
  gemm<float>(Transpose::no, Transpose::no, 3, 3, 2, a.data(), b.data(), c.data());
  CHECK(c == std::vector<float>{27, 30, 33, 61, 68, 75, 95, 106, 117});
}

TEST_CASE("a product outside the caches agrees with A · (B · v)") {
  const std::size_t size = 1300;
  const Matrices<float> x{Transpose::no, Transpose::yes, {size, size, size}};
  const std::vector<float> c = product(x), v = random_values<float>(size, 5);
  std::vector<double> bv(size, 0), bv_size(size, 0);
  for (std::size_t j = 0; j < size; ++j) {
    for (std::size_t l = 0; l < size; ++l) {
      const double term = static_cast<double>(x.b_at(l, j)) * v[j];
      bv[l] += term;
      bv_size[l] += std::abs(term);
    }
  }
  std::size_t errors = 0;
  for (std::size_t i = 0; i < size; ++i) {
    double cv = 0, abv = 0, bound = 0;
    for (std::size_t j = 0; j < size; ++j) {
      cv += static_cast<double>(c[i * size + j]) * v[j];
      abv += static_cast<double>(x.a_at(i, j)) * bv[j];
      bound += std::abs(static_cast<double>(x.a_at(i, j))) * bv_size[j];
    }
    if (!(std::abs(cv - abv) <= static_cast<double>(size + 1) * std::numeric_limits<float>::epsilon() * bound))
      ++errors;
  }
  CHECK(errors == 0);
}

TEST_CASE_TEMPLATE("products of size 0 are valid", T, float, double) {
  const std::vector<T> bias{1, 2, 3};
  std::vector<T> c{4, 5, 6, 7, 8, 9};
  const T* nothing = nullptr;
  const auto no = Transpose::no;
  linear<T>(2, 3, 0, nothing, nothing, bias.data(), c.data());
  CHECK(c == std::vector<T>{1, 2, 3, 1, 2, 3});
  gemm<T>(no, Transpose::yes, 2, 3, 0, nothing, nothing, c.data());
  CHECK(c == std::vector<T>(6, T(0)));
  gemm<T>(no, no, 0, 3, 1, nothing, bias.data(), nullptr);
  gemm<T>(no, no, 3, 0, 1, bias.data(), nothing, nullptr);
  batched_gemm<T>(no, no, 0, 2, 2, 2, nothing, nullptr, nothing, nullptr, nullptr);
  const std::size_t offsets[] = {0, 0};
  batched_gemm<T>(no, no, 2, 1, 3, 0, nothing, offsets, nothing, offsets, c.data());
}

TEST_CASE("a size that BLAS cannot index is an error") {
  const std::size_t huge = std::size_t{1} << 31;
  const float* nothing = nullptr;
  CHECK_THROWS_WITH_AS(
      gemm<float>(Transpose::no, Transpose::no, huge, 1, 2, nothing, nothing, nullptr),
      "matmul: a product of (2147483648, 2) and (2, 1); need extents of at most 2147483647, BLAS's largest",
      xgrad::ValueError);
  CHECK_THROWS_AS(linear<double>(1, 2, huge, nullptr, nullptr, nullptr, nullptr), xgrad::ValueError);
}

TEST_CASE_TEMPLATE("NaN and infinity times zero give NaN in exactly their row and column", T, float, double) {
  for_all_matrices<T>(shapes, [](Matrices<T> x) {
    const auto [m, n, k] = x.shape;
    for (const T special : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
      // A is zero but for one element of row `row`, B is zero: 0 · special = NaN.
      const std::size_t row = m / 2, depth = k - 1, column = n - 1;
      std::fill(x.a.begin(), x.a.end(), T(0));
      std::fill(x.b.begin(), x.b.end(), T(0));
      x.a[x.ta == Transpose::yes ? depth * m + row : row * k + depth] = special;
      std::vector<T> c = product(x);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < m * n; ++i) wrong += std::isnan(c[i]) == (i / n == row) ? 0 : 1;
      CHECK(wrong == 0);

      std::fill(x.a.begin(), x.a.end(), T(0));
      x.b[x.tb == Transpose::yes ? column * k + depth : depth * n + column] = special;
      c = product(x);
      for (std::size_t i = 0; i < m * n; ++i) wrong += std::isnan(c[i]) == (i % n == column) ? 0 : 1;
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE_TEMPLATE("1, 2, 3 and 8 threads give the same bits", T, float, double) {
  std::vector<Shape> all = shapes;
  all.insert(all.end(), {{64, 128, 784}, {784, 128, 64}, {64, 10, 128}, {257, 1024, 100}, {16, 24, 8192}});
  for_all_matrices<T>(all, [](const Matrices<T>& x) {
    const std::vector<T> one = with_threads(1, [&] { return product(x); });
    for (const int threads : {2, 3, 8}) CHECK(same_bits(with_threads(threads, [&] { return product(x); }), one));
    const SerialScope serial;
    CHECK(same_bits(product(x), one));
  });
}

TEST_CASE_TEMPLATE("rows are told of as they end, in order, with the bits of the product", T, float, double) {
  std::size_t told_early = 0;
  for_all_matrices<T>({{512, 64, 256}, {256, 700, 64}, {1, 200, 300}, {9, 5, 7}, {64, 10, 128}, {0, 3, 4}},
                      [&](const Matrices<T>& x) {
                        const std::size_t m = x.shape.m, n = x.shape.n, k = x.shape.k;
                        const std::vector<T> expected = product(x);
                        for (const int threads : {1, 2, 8}) {
                          std::vector<T> c(m * n), seen(m * n);
                          std::size_t before = 0, wrong = 0;
                          with_threads(threads, [&] {
                            gemm<T>(x.ta, x.tb, m, n, k, x.a.data(), x.b.data(), c.data(), [&](std::size_t rows) {
                              wrong += rows <= before || rows >= m ? 1 : 0;
                              std::copy(c.data() + before * n, c.data() + rows * n, seen.data() + before * n);
                              before = rows;
                            });
                          });
                          CHECK(wrong == 0);
                          CHECK(same_bits(c, expected));
                          CHECK(std::equal(seen.data(), seen.data() + before * n, expected.data()));
                          told_early += before > 0 ? 1 : 0;
                        }
                      });
  CHECK(told_early > 0);
}

TEST_CASE("the bits do not depend on where the matrices lie in memory") {
  for_all_matrices<float>(shapes, [](const Matrices<float>& x) {
    const auto [m, n, k] = x.shape;
    const std::vector<float> expected = product(x);
    for (const std::size_t offset : {1U, 3U, 8U}) {
      std::vector<float> a(offset), b(offset), c(offset + m * n);
      a.insert(a.end(), x.a.begin(), x.a.end());
      b.insert(b.end(), x.b.begin(), x.b.end());
      gemm<float>(x.ta, x.tb, m, n, k, a.data() + offset, b.data() + offset, c.data() + offset);
      CHECK(std::memcmp(c.data() + offset, expected.data(), m * n * sizeof(float)) == 0);
    }
  });
}

TEST_CASE("OpenBLAS runs on one thread after the first product") {
  product(Matrices<float>{Transpose::no, Transpose::no, {1, 200, 300}});
  if (openblas_get_num_threads != nullptr) CHECK(openblas_get_num_threads() == 1);
}

TEST_CASE("threads of the program may multiply at the same time") {
  const Matrices<float> x{Transpose::no, Transpose::yes, {100, 200, 150}};
  const std::vector<float> expected = product(x);
  std::vector<int> same(4, 0);
  std::vector<std::thread> threads;
  for (int& all_same : same) {
    threads.emplace_back([&] {
      all_same = 1;
      for (int round = 0; round < 20; ++round) all_same &= same_bits(product(x), expected) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(same == std::vector<int>(4, 1));
}

TEST_CASE_TEMPLATE("a batch has the bits of its products", T, float, double) {
  for (const Shape& shape : {Shape{3, 4, 5}, Shape{20, 30, 40}, Shape{100, 110, 90}}) {
    for (const std::size_t count : {1U, 3U, 7U, 20U}) {
      const std::size_t m = shape.m, n = shape.n, k = shape.k;
      CAPTURE(m);
      CAPTURE(count);
      const std::vector<T> a = random_values<T>(count * m * k, 1), b = random_values<T>(3 * k * n, 2);
      // A one after another; B repeats in the order 2, 0, 1, 2, ...
      std::vector<std::size_t> a_offsets(count), b_offsets(count);
      for (std::size_t i = 0; i < count; ++i) {
        a_offsets[i] = i * m * k;
        b_offsets[i] = (i + 2) % 3 * k * n;
      }
      std::vector<T> c = random_values<T>(count * m * n, 3), expected = c;
      for (const auto& [ta, tb] :
           {std::pair(Transpose::yes, Transpose::no), std::pair(Transpose::no, Transpose::yes)}) {
        batched_gemm<T>(ta, tb, count, m, n, k, a.data(), a_offsets.data(), b.data(), b_offsets.data(), c.data());
        for (std::size_t i = 0; i < count; ++i)
          gemm<T>(ta, tb, m, n, k, a.data() + a_offsets[i], b.data() + b_offsets[i], expected.data() + i * m * n);
        CHECK(same_bits(c, expected));
      }
    }
  }
}

TEST_CASE_TEMPLATE("outer products are a·b, rounded once, in caches and past them", T, float, double) {
  // The first is written past the caches; the others have tails, or few columns.
  for (const auto& [count, m, n] : {std::tuple(128U, 512U, 256U), std::tuple(5U, 70U, 33U), std::tuple(2U, 300U, 7U)}) {
    std::vector<T> a = random_values<T>(count * m, 1), b = random_values<T>(count * n, 2), c(count * m * n);
    a[0] = 0, b[1] = -1;
    std::vector<std::size_t> a_offsets(count), b_offsets(count);
    for (std::size_t i = 0; i < count; ++i) a_offsets[i] = i * m, b_offsets[i] = i * n;
    batched_gemm<T>(Transpose::yes, Transpose::no, count, m, n, 1, a.data(), a_offsets.data(), b.data(),
                    b_offsets.data(), c.data());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < m * n; ++j)
        wrong += c[i * m * n + j] == a[i * m + j / n] * b[i * n + j % n] + T(0) ? 0 : 1;
    CHECK(wrong == 0);
    CHECK(!std::signbit(c[1]));  // 0 + 0·(-1), as every sum of products
  }
}

TEST_CASE("the cut of a product keeps its promises for every shape") {
  std::mt19937 generator(6);
  std::uniform_real_distribution<double> exponent(0, 11.5);
  const auto extent = [&] { return static_cast<std::size_t>(std::exp2(exponent(generator))); };
  for (int round = 0; round < 20000; ++round) {
    const std::size_t m = extent(), n = extent(), k = extent();
    const auto ta = static_cast<Transpose>(round & 1), tb = static_cast<Transpose>(round >> 1 & 1);
    const GemmCut cut = cut_product(ta, tb, m, n, k);
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    CAPTURE(round & 3);
    // The blocks cover C and k, and none lies outside.
    CHECK(cut.row_blocks * cut.block_rows >= m);
    CHECK((cut.row_blocks - 1) * cut.block_rows < m);
    CHECK(cut.column_blocks * cut.block_columns + (cut.column_blocks == 1 && cut.block_columns < n ? column_slack : 0) +
              (cut.column_blocks > 1 ? column_slack : 0) >=
          n);
    CHECK((cut.column_blocks - 1) * cut.block_columns < n);
    CHECK(cut.depth_blocks * cut.block_depth >= k);
    CHECK((cut.depth_blocks - 1) * cut.block_depth < k);
    CHECK(cut.tile_columns >= 1);
    CHECK(cut.tile_columns <= cut.block_columns);
    CHECK(cut.tile_depth >= 1);
    CHECK(cut.tile_depth <= cut.block_depth);

    const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    const double writing = 4 * static_cast<double>(m) * static_cast<double>(n);
    if (work + writing < 0.4e6 && (work < 0.1e6 || (m > 1 && n > 1))) {
      CHECK(cut.blocks() == 1);
    } else if (m > 1 && n > 1) {
      CHECK(!runs_in_registers(tb, m, n, k));
    }
    if (m > 1 && n > 1 && work > 2e6) CHECK(cut.blocks() >= 2);
    CHECK((cut.kernel == TileKernel::vector) == (m == 1 || n == 1));
    CHECK((cut.kernel == TileKernel::packing) == (m > 1 && n > 1 && work + writing > 2e9));
    if (cut.kernel == TileKernel::registers) CHECK(cut.tile_depth <= 512);
    if (cut.kernel == TileKernel::registers && tb == Transpose::yes) CHECK(cut.copies_b);
    // The parts of a cut k are small beside the product.
    if (cut.depth_blocks > 1) CHECK(cut.block_depth >= 64);
  }
}

TEST_CASE("the products of a network are cut as measured") {
  const auto blocks = [](Transpose ta, Transpose tb, std::size_t m, std::size_t n, std::size_t k) {
    const GemmCut cut = cut_product(ta, tb, m, n, k);
    return std::vector<std::size_t>{cut.row_blocks, cut.column_blocks, cut.depth_blocks};
  };
  using Blocks = std::vector<std::size_t>;
  const auto no = Transpose::no, yes = Transpose::yes;
  const bool copies_b = register_columns < 64;  // in blocks of more rows
  CHECK(runs_in_registers(no, 32, 64, 64));     // 2.3 µs: not worth a second thread
  // Even shares for 2 and 4 threads.
  CHECK(blocks(no, no, 128, 256, 784) == (copies_b ? Blocks{1, 2, 2} : Blocks{4, 2, 2}));
  CHECK(blocks(yes, no, 784, 256, 128) == (copies_b ? Blocks{6, 4, 1} : Blocks{8, 4, 1}));
  CHECK(blocks(no, yes, 128, 784, 256) == Blocks{1, 12, 1});
  CHECK(better_transposed(yes, no, 128, 10));      // dW of an output layer
  CHECK(blocks(yes, no, 10, 128, 8192)[2] == 16);  // a long batch and a small dW: along k
  // Weights that caches hold are halved in rows, for their update is cut so.
  CHECK(blocks(no, no, 64, 128, 784) == Blocks{2, 1, 2});
  CHECK(blocks(no, no, 128, 512, 784)[2] == 2);
  CHECK(blocks(no, no, 256, 1024, 1024)[2] == 1);
}

TEST_CASE_TEMPLATE("the register kernel rounds once a step, whatever the tile", T, float, double) {
  std::mt19937 generator(9);
  const auto up_to = [&](std::size_t most) { return 1 + generator() % most; };
  for (int round = 0; round < 400; ++round) {
    const std::size_t m = up_to(20), n = up_to(150), k = generator() % 40, gap = generator() % 5;
    const auto ta = static_cast<Transpose>(round & 1);
    const std::size_t a_row = (ta == Transpose::yes ? m : k) + gap, b_row = n + gap, c_row = n + gap;
    const std::vector<T> a = random_values<T>((ta == Transpose::yes ? k : m) * a_row, 1);
    const std::vector<T> b = random_values<T>(k * b_row, 2), bias = random_values<T>(n, 3);
    const std::vector<T> before = random_values<T>(m * c_row, 4);
    std::vector<T> c = before;
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    const int kind = round / 2 % 3;  // from zeros, a bias, C
    const T* const start = kind == 0 ? nullptr : kind == 1 ? bias.data() : c.data();
    run_in_registers<T>({ta, m, n, k, a.data(), a_row, b.data(), b_row, start, kind == 1 ? 0 : c_row, c.data(), c_row});
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < c_row; ++j) {
        T expected = before[i * c_row + j];
        if (j < n) {
          if (kind < 2) expected = kind == 0 ? T(0) : bias[j];
          for (std::size_t l = 0; l < k; ++l) {
            const T x = a[ta == Transpose::yes ? l * a_row + i : i * a_row + l], y = b[l * b_row + j];
#if defined(__FMA__)
            expected = std::fma(x, y, expected);
#else
            expected += x * y;
#endif
          }
        }
        wrong += c[i * c_row + j] == expected ? 0 : 1;
      }
    }
    CHECK(wrong == 0);
  }
}
