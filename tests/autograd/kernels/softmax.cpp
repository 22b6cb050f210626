#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/kernels/softmax.hpp>
#include <autograd/parallel/parallel.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace kernels = xgrad::kernels;
using expect::same_bits;

namespace {

struct Extent {
  std::size_t rows, n;
};

/// Around the width of vectors, the longest rows that are transposed, the chunks of sums and parallel blocks.
const std::vector<Extent> extents{{1, 1},    {5, 1},    {4, 2},     {32, 3},    {17, 4},    {7, 5},    {16, 8},
                                  {33, 9},   {128, 10}, {15, 15},   {16, 16},   {17, 17},   {3, 31},   {5, 33},
                                  {9, 63},   {31, 64},  {2, 65},    {5, 129},   {3, 1023},  {2, 1024}, {2, 1025},
                                  {3, 4095}, {2, 4097}, {1, 70001}, {5000, 10}, {3000, 40}, {0, 3},    {300, 300}};

template <class T>
std::vector<T> uniform(std::size_t n, T low, T high, unsigned seed) {
  std::mt19937_64 engine(seed + n);
  std::uniform_real_distribution<T> draw(low, high);
  std::vector<T> x(n);
  for (T& value : x) value = draw(engine);
  return x;
}

template <class T>
constexpr long double unit = std::numeric_limits<T>::epsilon() / 2;

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();
template <class T>
constexpr T not_a_number = std::numeric_limits<T>::quiet_NaN();

// Roundings in units of u. A sum of vectors takes 64 additions in a chunk, 4 across lanes and one at the end; exp and
// log are within 1.5 ulp = 3 u; x - max rounds by u·|x - max|, which is the relative error of its exponential.
constexpr long double sum_error = 70;
constexpr long double function_error = 3;

/// A row in long double: what the kernels approximate.
struct Row {
  std::vector<long double> x;
  long double largest = 0;
  long double log_sum = 0;
  long double spread = 0;  ///< max |x - max x|

  template <class T>
  Row(const T* values, std::size_t n) : x(values, values + n) {
    largest = *std::max_element(x.begin(), x.end());
    long double sum = 0;
    for (const long double value : x) {
      sum += std::exp(value - largest);
      spread = std::max(spread, largest - value);
    }
    log_sum = std::log(sum);
  }
  long double log_probability(std::size_t j) const { return x[j] - largest - log_sum; }
  long double probability(std::size_t j) const { return std::exp(log_probability(j)); }
  /// Relative error of Σ exp(x - max), in u.
  long double total_error() const { return spread + function_error + sum_error; }
  /// Absolute error of x - max - log Σ, in u: each difference rounds, and the logarithm passes on the sum's error.
  long double log_error(std::size_t j) const {
    return (largest - x[j]) + total_error() + function_error * log_sum + std::abs(log_probability(j));
  }
};

/// What exp gives where its result is below the normal numbers.
template <class T>
constexpr long double tiny = 4 * static_cast<long double>(std::numeric_limits<T>::min());

/// A result that is filled before, behind which nothing may be written.
template <class T>
class Result {
 public:
  explicit Result(std::size_t n) : n_(n), values_(n + 40, T(77)) {}
  ~Result() { CHECK(std::all_of(values_.begin() + static_cast<std::ptrdiff_t>(n_), values_.end(), is_77)); }
  T* data() { return values_.data(); }
  T operator[](std::size_t i) const { return values_[i]; }
  std::vector<T> vector() const { return {values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(n_)}; }

 private:
  static bool is_77(T v) { return v == T(77); }
  std::size_t n_;
  std::vector<T> values_;
};

template <class T, class Kernel>
std::vector<T> run(std::size_t n, const Kernel& kernel) {
  Result<T> out(n);
  kernel(out.data());
  return out.vector();
}

template <class T>
struct CrossEntropy {
  std::vector<T> loss, gradient;
};

/// Loss and gradient, for class labels or for soft targets.
template <class T, class Targets>
CrossEntropy<T> cross_entropy(const Extent& e, const std::vector<T>& x, const Targets& targets, const std::vector<T>& g,
                              std::size_t g_step) {
  std::vector<kernels::LogNormalizer<T>> normalizers(e.rows);
  CrossEntropy<T> result;
  if constexpr (std::is_same_v<typename Targets::value_type, std::int64_t>) {
    result.loss = run<T>(e.rows, [&](T* loss) {
      kernels::cross_entropy(e.rows, e.n, x.data(), targets.data(), loss, normalizers.data());
    });
    result.gradient = run<T>(x.size(), [&](T* dx) {
      kernels::cross_entropy_vjp(e.rows, e.n, x.data(), targets.data(), normalizers.data(), g.data(), g_step, dx);
    });
  } else {
    result.loss = run<T>(e.rows, [&](T* loss) {
      kernels::cross_entropy_soft(e.rows, e.n, x.data(), targets.data(), loss, normalizers.data());
    });
    result.gradient = run<T>(x.size(), [&](T* dx) {
      kernels::cross_entropy_soft_vjp(e.rows, e.n, x.data(), targets.data(), normalizers.data(), g.data(), g_step, dx);
    });
  }
  return result;
}

std::vector<std::int64_t> labels_for(const Extent& e) {
  std::vector<std::int64_t> labels(e.rows);
  for (std::size_t r = 0; r < e.rows; ++r) labels[r] = static_cast<std::int64_t>((r * 7 + e.n - 1) % e.n);
  return labels;
}

}  // namespace

TEST_CASE_TEMPLATE("softmax and log_softmax are within their error bounds", T, float, double) {
  for (const Extent& e : extents) {
    CAPTURE(e.rows);
    CAPTURE(e.n);
    const std::size_t size = e.rows * e.n;
    const std::vector<T> x = uniform<T>(size, T(-20), T(20), 1);
    const auto y = run<T>(size, [&](T* out) { kernels::softmax(e.rows, e.n, x.data(), out); });
    const auto log_y = run<T>(size, [&](T* out) { kernels::log_softmax(e.rows, e.n, x.data(), out); });
    std::size_t wrong = 0;
    for (std::size_t r = 0; r < e.rows; ++r) {
      const Row row(x.data() + r * e.n, e.n);
      for (std::size_t j = 0; j < e.n; ++j) {
        const long double p = row.probability(j);
        // The exponential, the sum, its reciprocal and the product.
        const long double relative = (row.spread + function_error + row.total_error() + 2) * unit<T>;
        if (!(std::abs(y[r * e.n + j] - p) <= relative * p + tiny<T>)) ++wrong;
        if (!(std::abs(log_y[r * e.n + j] - row.log_probability(j)) <= row.log_error(j) * unit<T>)) ++wrong;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE_TEMPLATE("the adjoints of softmax and log_softmax are within their error bounds", T, float, double) {
  for (const Extent& e : extents) {
    CAPTURE(e.rows);
    CAPTURE(e.n);
    const std::size_t size = e.rows * e.n;
    const std::vector<T> log_y = uniform<T>(size, T(-10), T(0), 2);
    const std::vector<T> y = uniform<T>(size, T(0), T(1), 3);
    const std::vector<T> g = uniform<T>(size, T(-1), T(1), 4);
    const auto dx = run<T>(size, [&](T* out) { kernels::softmax_vjp(e.rows, e.n, y.data(), g.data(), out); });
    const auto log_dx =
        run<T>(size, [&](T* out) { kernels::log_softmax_vjp(e.rows, e.n, log_y.data(), g.data(), out); });
    std::size_t wrong = 0;
    for (std::size_t r = 0; r < e.rows; ++r) {
      long double dot = 0, dot_size = 0, total = 0, total_size = 0;
      for (std::size_t k = r * e.n; k < (r + 1) * e.n; ++k) {
        const long double product = static_cast<long double>(g[k]) * y[k];
        dot += product;
        dot_size += std::abs(product);
        total += g[k];
        total_size += std::abs(g[k]);
      }
      for (std::size_t k = r * e.n; k < (r + 1) * e.n; ++k) {
        const long double expected = y[k] * (g[k] - dot);
        const long double error = y[k] * ((sum_error + 1) * dot_size + std::abs(g[k] - dot)) + std::abs(expected);
        if (!(std::abs(dx[k] - expected) <= 1.01L * error * unit<T>)) ++wrong;
        const long double p = std::exp(static_cast<long double>(log_y[k]));
        const long double log_expected = g[k] - p * total;
        const long double log_error =
            p * (sum_error * total_size + (function_error + 1) * std::abs(total)) + std::abs(log_expected);
        if (!(std::abs(log_dx[k] - log_expected) <= 1.01L * log_error * unit<T>)) ++wrong;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE_TEMPLATE("cross-entropy with labels and with soft targets is within its error bound", T, float, double) {
  for (const Extent& e : extents) {
    CAPTURE(e.rows);
    CAPTURE(e.n);
    const std::size_t size = e.rows * e.n;
    const std::vector<T> x = uniform<T>(size, T(-20), T(20), 5);
    const std::vector<T> g = uniform<T>(std::max<std::size_t>(1, e.rows), T(0.5), T(1), 6);
    const std::vector<std::int64_t> labels = labels_for(e);
    std::vector<T> targets = uniform<T>(size, T(0), T(1), 7);
    for (std::size_t k = 0; k < size; k += 3) targets[k] = 0;
    for (const std::size_t step : {std::size_t{0}, std::size_t{1}}) {
      const CrossEntropy<T> hard = cross_entropy(e, x, labels, g, step);
      const CrossEntropy<T> soft = cross_entropy(e, x, targets, g, step);
      std::size_t wrong = 0;
      for (std::size_t r = 0; r < e.rows; ++r) {
        const Row row(x.data() + r * e.n, e.n);
        const auto label = static_cast<std::size_t>(labels[r]);
        if (!(std::abs(hard.loss[r] + row.log_probability(label)) <= row.log_error(label) * unit<T>)) ++wrong;
        long double loss = 0, loss_error = 0, total = 0;
        for (std::size_t j = 0; j < e.n; ++j) {
          const long double t = targets[r * e.n + j];
          loss -= t * row.log_probability(j);
          loss_error += t * (row.log_error(j) + (sum_error + 1) * std::abs(row.log_probability(j)));
          total += t;
        }
        if (!(std::abs(soft.loss[r] - loss) <= 1.01L * loss_error * unit<T> + tiny<T>)) ++wrong;
        const long double weight = g[r * step];
        for (std::size_t j = 0; j < e.n; ++j) {
          const long double p = row.probability(j);
          const long double p_error = p * (row.log_error(j) + function_error);
          const long double slope = p - (j == label ? 1 : 0);
          if (!(std::abs(hard.gradient[r * e.n + j] - weight * slope) <=
                1.01L * weight * (p_error + 2 * std::abs(slope)) * unit<T> + tiny<T>))
            ++wrong;
          const long double t = targets[r * e.n + j];
          const long double soft_slope = p * total - t;
          const long double soft_error = total * (p_error + (sum_error + 1) * p) + 2 * std::abs(soft_slope);
          if (!(std::abs(soft.gradient[r * e.n + j] - weight * soft_slope) <=
                1.01L * weight * soft_error * unit<T> + total * tiny<T>))
            ++wrong;
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE_TEMPLATE("cross-entropy of extreme logits is exact", T, float, double) {
  // SEMANTICS: CE([1000, 0], class 1) = 1000 with gradient (1, -1), as PyTorch; also among many classes and rows.
  for (const std::size_t n : {2u, 10u, 17u, 100u, 5000u}) {
    CAPTURE(n);
    const std::size_t rows = 19;
    std::vector<T> x(rows * n, T(0));
    std::vector<T> targets(rows * n, T(0));
    const std::vector<std::int64_t> labels(rows, static_cast<std::int64_t>(n - 1));
    for (std::size_t r = 0; r < rows; ++r) {
      x[r * n] = 1000;
      targets[r * n + n - 1] = 1;
    }
    const std::vector<T> g{T(1)};
    for (const CrossEntropy<T>& result :
         {cross_entropy<T>({rows, n}, x, labels, g, 0), cross_entropy<T>({rows, n}, x, targets, g, 0)})
      for (std::size_t r = 0; r < rows; ++r) {
        CHECK(result.loss[r] == T(1000));
        CHECK(result.gradient[r * n] == T(1));
        CHECK(result.gradient[r * n + n - 1] == T(-1));
        CHECK(std::count(result.gradient.begin() + static_cast<std::ptrdiff_t>(r * n),
                         result.gradient.begin() + static_cast<std::ptrdiff_t>((r + 1) * n),
                         T(0)) == static_cast<std::ptrdiff_t>(n - 2));
      }
  }
}

TEST_CASE_TEMPLATE("large equal shifts of all logits leave cross-entropy its precision", T, float, double) {
  // Multiples of 1/4 below 2^20 are exact in float32, so both rows have the same differences.
  const std::vector<T> near{T(0.25), T(1), T(0)};
  std::vector<T> far = near;
  for (T& v : far) v += T(1 << 20);
  const CrossEntropy<T> a = cross_entropy<T>({1, 3}, near, std::vector<std::int64_t>{2}, {T(1)}, 0);
  const CrossEntropy<T> b = cross_entropy<T>({1, 3}, far, std::vector<std::int64_t>{2}, {T(1)}, 0);
  CHECK(a.loss == b.loss);
  CHECK(a.gradient == b.gradient);
}

TEST_CASE_TEMPLATE("infinite logits give the limits, a row of -inf and NaN give NaN", T, float, double) {
  const T inf = infinity<T>;
  for (const std::size_t n : {3u, 16u, 20u, 64u, 100u, 2000u}) {
    CAPTURE(n);
    // Rows: one inf; two of them; one -inf; all -inf; a NaN; a NaN among -inf.
    const std::size_t rows = 6;
    std::vector<T> x(rows * n, T(0));
    const auto fill = [&](std::size_t r, T v) { std::fill_n(x.begin() + static_cast<std::ptrdiff_t>(r * n), n, v); };
    x[n - 1] = inf;
    x[n] = x[2 * n - 1] = inf;
    x[2 * n] = -inf;
    fill(3, -inf);
    x[4 * n + n / 2] = not_a_number<T>;
    fill(5, -inf);
    x[5 * n + 1] = not_a_number<T>;
    const auto y = run<T>(x.size(), [&](T* out) { kernels::softmax(rows, n, x.data(), out); });
    const auto log_y = run<T>(x.size(), [&](T* out) { kernels::log_softmax(rows, n, x.data(), out); });
    const auto log = [](double v) { return doctest::Approx(std::log(v)).epsilon(1e-6); };
    CHECK(y[n - 1] == 1);
    CHECK(y[0] == 0);
    CHECK(log_y[n - 1] == 0);
    CHECK(log_y[0] == -inf);
    CHECK(y[n] == T(0.5));
    CHECK(y[n + 1] == 0);
    CHECK(log_y[2 * n - 1] == log(0.5));
    CHECK(y[2 * n] == 0);
    CHECK(log_y[2 * n] == -inf);
    CHECK(log_y[2 * n + 1] == log(1.0 / static_cast<double>(n - 1)));
    for (std::size_t k = 3 * n; k < rows * n; ++k) CHECK((std::isnan(y[k]) && std::isnan(log_y[k])));

    const CrossEntropy<T> hard = cross_entropy<T>({rows, n}, x, std::vector<std::int64_t>(rows, 0), {T(1)}, 0);
    CHECK(hard.loss[0] == inf);
    CHECK(hard.gradient[0] == -1);
    CHECK(hard.gradient[n - 1] == 1);
    CHECK(hard.loss[2] == inf);
    for (std::size_t r = 3; r < rows; ++r) CHECK((std::isnan(hard.loss[r]) && std::isnan(hard.gradient[r * n])));
    // A target of 0 contributes 0 where the logit is -inf, and so does a cotangent of 0 where the slope is NaN.
    std::vector<T> targets(x.size(), T(0));
    for (std::size_t r = 0; r < rows; ++r) targets[r * n + 1] = 1;
    const CrossEntropy<T> soft = cross_entropy<T>({rows, n}, x, targets, {T(1)}, 0);
    CHECK(soft.loss[2] == log(static_cast<double>(n - 1)));
    CHECK(soft.gradient[2 * n] == 0);
    const CrossEntropy<T> silent = cross_entropy<T>({rows, n}, x, targets, {T(0)}, 0);
    CHECK(std::all_of(silent.gradient.begin(), silent.gradient.end(), [](T v) { return v == 0; }));
  }
}

TEST_CASE_TEMPLATE("adjoints mask an infinite cotangent where the probability is 0", T, float, double) {
  const T inf = infinity<T>;
  for (const std::size_t n : {4u, 50u}) {
    CAPTURE(n);
    std::vector<T> y(n, T(0)), log_y(n, -inf), g(n, T(2));
    y[0] = y[1] = T(0.5);
    log_y[0] = log_y[1] = std::log(T(0.5));
    g[n - 1] = inf;
    g[0] = 4;
    const auto dx = run<T>(n, [&](T* out) { kernels::softmax_vjp(1, n, y.data(), g.data(), out); });
    CHECK(dx[0] == T(0.5));  // ½ (4 - 3)
    CHECK(dx[1] == T(-0.5));
    CHECK(std::all_of(dx.begin() + 2, dx.end(), [](T v) { return v == 0; }));
    const auto log_dx = run<T>(n, [&](T* out) { kernels::log_softmax_vjp(1, n, log_y.data(), g.data(), out); });
    CHECK(log_dx[0] == -inf);
    CHECK(log_dx[2] == 2);
    CHECK(log_dx[n - 1] == inf);
  }
}

TEST_CASE_TEMPLATE("a row's bits depend on neither its neighbours nor the threads", T, float, double) {
  for (const Extent& e : {Extent{20003, 10}, {9001, 3}, {4001, 40}, {601, 100}, {5, 30001}}) {
    CAPTURE(e.rows);
    CAPTURE(e.n);
    const std::size_t size = e.rows * e.n;
    const std::vector<T> x = uniform<T>(size, T(-20), T(20), 8);
    const std::vector<T> g = uniform<T>(size, T(-1), T(1), 9);
    const std::vector<std::int64_t> labels = labels_for(e);
    const auto all = [&](std::size_t first, std::size_t rows) {
      const T* const from = x.data() + first * e.n;
      const T* const cotangent = g.data() + first * e.n;
      const std::size_t n = rows * e.n;
      std::vector<T> result;
      const auto append = [&](const std::vector<T>& part) {
        result.insert(result.end(), part.begin(), part.end());
        return part;
      };
      const auto y = append(run<T>(n, [&](T* out) { kernels::softmax(rows, e.n, from, out); }));
      append(run<T>(n, [&](T* out) { kernels::softmax_vjp(rows, e.n, y.data(), cotangent, out); }));
      const auto log_y = append(run<T>(n, [&](T* out) { kernels::log_softmax(rows, e.n, from, out); }));
      append(run<T>(n, [&](T* out) { kernels::log_softmax_vjp(rows, e.n, log_y.data(), cotangent, out); }));
      const auto ce = cross_entropy<T>({rows, e.n}, {from, from + n}, std::vector<std::int64_t>(rows, labels[0]),
                                       {cotangent, cotangent + n}, 0);
      append(ce.loss);
      append(ce.gradient);
      return result;
    };
    const auto one = with_threads(1, [&] { return all(0, e.rows); });
    for (const int threads : {2, 3, 8}) {
      CAPTURE(threads);
      CHECK(same_bits(with_threads(threads, [&] { return all(0, e.rows); }), one));
    }
    const std::size_t middle = e.rows / 2;
    const auto alone = run<T>(e.n, [&](T* out) { kernels::log_softmax(1, e.n, x.data() + middle * e.n, out); });
    const auto among = run<T>(size, [&](T* out) { kernels::log_softmax(e.rows, e.n, x.data(), out); });
    CHECK(same_bits(alone, {among.begin() + static_cast<std::ptrdiff_t>(middle * e.n),
                            among.begin() + static_cast<std::ptrdiff_t>((middle + 1) * e.n)}));
  }
}

TEST_CASE("kernels work in place") {
  for (const Extent& e : {Extent{33, 10}, {3, 100}}) {
    const std::vector<float> x = uniform<float>(e.rows * e.n, -3.0f, 3.0f, 10);
    std::vector<float> y(x.size());
    kernels::log_softmax(e.rows, e.n, x.data(), y.data());
    std::vector<float> z = x;
    kernels::log_softmax(e.rows, e.n, z.data(), z.data());
    CHECK(z == y);
    std::vector<float> dx(x.size());
    kernels::softmax_vjp(e.rows, e.n, y.data(), x.data(), dx.data());
    kernels::softmax_vjp(e.rows, e.n, z.data(), x.data(), z.data());
    CHECK(z == dx);
  }
}
