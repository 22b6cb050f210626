#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/losses/losses.hpp>

#include <adolc/adolc.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

// Gradients and Hessians against those of ADOL-C (Griewank, Juedes, Utke 1996), which differentiates by operator
// overloading on scalars and shares nothing with xgrad. Each function is written twice: on a tensor x (n,), and on n
// adoubles with plain loops.

using namespace xgrad;

namespace {

using Numbers = std::vector<double>;
using Adoubles = std::vector<adouble>;

struct Case {
  std::string name;
  std::int64_t n;
  double low, high;  // of the entries of x
  Tensor (*ours)(const Tensor& x);
  adouble (*theirs)(const Adoubles& x);
};

/// Entries of x from `start` on, in another shape.
Tensor part(const Tensor& x, std::int64_t start, const Shape& shape) {
  return reshape(slice(x, 0, start, start + static_cast<std::int64_t>(shape.elements())), shape);
}

/// All entries but the last, or but the first.
Tensor head(const Tensor& x) { return slice(x, 0, 0, -1); }
Tensor tail(const Tensor& x) { return slice(x, 0, 1, x.shape(0)); }

/// Constants of the functions: data, weights.
Numbers data(std::size_t count, std::uint64_t seed, double low = -1, double high = 1) {
  return expect::numbers(count, 1000 + seed, low, high);
}
Tensor data(const Shape& shape, std::uint64_t seed, double low = -1, double high = 1) {
  return tensor(data(shape.elements(), seed, low, high), shape, float64);
}

template <class F>
adouble total(std::size_t count, F term) {
  adouble result = 0;
  for (std::size_t i = 0; i < count; ++i) result += term(i);
  return result;
}

/// a (m, k) · b (k, n), row-major; a and b hold adoubles or numbers.
template <class A, class B>
Adoubles product(const std::vector<A>& a, const std::vector<B>& b, std::size_t m, std::size_t k, std::size_t n) {
  Adoubles c(m * n);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      c[i * n + j] = total(k, [&](std::size_t l) -> adouble { return a[i * k + l] * b[l * n + j]; });
  return c;
}

Adoubles part(const Adoubles& x, std::size_t start, std::size_t count) {
  Adoubles result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = x[start + i];
  return result;
}

adouble log_sum_exp(const Adoubles& x) {
  return log(total(x.size(), [&](std::size_t i) -> adouble { return exp(x[i]); }));
}

adouble sigmoid_of(const adouble& x) { return 1 / (1 + exp(-x)); }

constexpr std::int64_t labels[] = {2, 0, 1, 1, 0};

const std::vector<Case> cases = {
    {"Rosenbrock", 6, -2, 2,
     [](const Tensor& x) { return sum(100.0 * square(tail(x) - square(head(x))) + square(1.0 - head(x))); },
     [](const Adoubles& x) {
       return total(5, [&](std::size_t i) -> adouble {
         const adouble r = x[i + 1] - x[i] * x[i];
         return 100 * r * r + (1 - x[i]) * (1 - x[i]);
       });
     }},
    // Of a mixed fluid; Griewank 1989, "On automatic differentiation".
    {"Helmholtz energy", 6, 0.05, 0.15,
     [](const Tensor& x) {
       const Tensor bx = dot(data(Shape{6}, 1, 0.5, 1), x);
       const Tensor xax = dot(x, matmul(data(Shape{6, 6}, 2, 0, 1), x));
       return sum(x * log(x / (1.0 - bx))) -
              xax / (std::sqrt(8.0) * bx) * log((1.0 + (1 + std::sqrt(2.0)) * bx) / (1.0 + (1 - std::sqrt(2.0)) * bx));
     },
     [](const Adoubles& x) -> adouble {
       const Numbers b = data(6, 1, 0.5, 1);
       const adouble bx = product(b, x, 1, 6, 1)[0];
       const adouble xax = product(x, product(data(36, 2, 0, 1), x, 6, 6, 1), 1, 6, 1)[0];
       return total(6, [&](std::size_t i) -> adouble { return x[i] * log(x[i] / (1 - bx)); }) -
              xax / (std::sqrt(8.0) * bx) * log((1 + (1 + std::sqrt(2.0)) * bx) / (1 + (1 - std::sqrt(2.0)) * bx));
     }},
    {"product of the entries (Speelpenning)", 7, 0.5, 1.5, [](const Tensor& x) { return prod(x); },
     [](const Adoubles& x) {
       adouble y = 1;
       for (const adouble& one : x) y *= one;
       return y;
     }},
    {"elementary functions", 6, -1, 1,
     [](const Tensor& x) {
       return sum(sin(head(x)) * exp(neg(square(tail(x)))) + cos(head(x) * tail(x)) + tanh(head(x) - tail(x)) +
                  log1p(square(head(x))) * sqrt(tail(x) + 2.0) + expm1(head(x) * tail(x)));
     },
     [](const Adoubles& x) {
       return total(5, [&](std::size_t i) -> adouble {
         const adouble a = x[i], b = x[i + 1];
         return sin(a) * exp(-b * b) + cos(a * b) + tanh(a - b) + log(1 + a * a) * sqrt(b + 2) + exp(a * b) - 1;
       });
     }},
    {"powers", 5, 0.5, 2.5,
     [](const Tensor& x) { return sum(pow(head(x), tail(x))) + sum(pow(x, 2.5) / 3.0 + pow(1.7, x) * pow(x, -1.5)); },
     [](const Adoubles& x) -> adouble {
       return total(4, [&](std::size_t i) -> adouble { return pow(x[i], x[i + 1]); }) +
              total(5, [&](std::size_t i) -> adouble { return pow(x[i], 2.5) / 3 + pow(1.7, x[i]) * pow(x[i], -1.5); });
     }},
    {"quotients", 6, -2, 2,
     [](const Tensor& x) { return sum(head(x) / (1.0 + square(tail(x)))) / (2.0 + sum(square(x))); },
     [](const Adoubles& x) -> adouble {
       return total(5, [&](std::size_t i) -> adouble { return x[i] / (1 + x[i + 1] * x[i + 1]); }) /
              (2 + total(6, [&](std::size_t i) -> adouble { return x[i] * x[i]; }));
     }},
    {"activations", 6, -3, 3,
     [](const Tensor& x) {
       return sum(sigmoid(x) * swish(x) + softplus(x) * square(x) + square(elu(x, 0.7)) + log_sigmoid(x) * x);
     },
     [](const Adoubles& x) {
       return total(6, [&](std::size_t i) -> adouble {
         adouble elu_of;
         condassign(elu_of, x[i], x[i], 0.7 * (exp(x[i]) - 1));
         return sigmoid_of(x[i]) * x[i] * sigmoid_of(x[i]) + log(1 + exp(x[i])) * x[i] * x[i] + elu_of * elu_of -
                log(1 + exp(-x[i])) * x[i];
       });
     }},
    {"pieces, away from their ends", 6, -2, 2,
     [](const Tensor& x) {
       return sum(square(maximum(head(x), tail(x))) * minimum(head(x), tail(x)) + abs(head(x)) * tail(x) +
                  square(leaky_relu(tail(x), 0.1))) +
              square(max(x)) * min(x);
     },
     [](const Adoubles& x) -> adouble {
       adouble largest = x[0], smallest = x[0];
       for (std::size_t i = 1; i < 6; ++i) {
         largest = fmax(largest, x[i]);
         smallest = fmin(smallest, x[i]);
       }
       return largest * largest * smallest + total(5, [&](std::size_t i) -> adouble {
                const adouble a = x[i], b = x[i + 1];
                const adouble high = fmax(a, b);
                adouble leaky;
                condassign(leaky, b, b, 0.1 * b);
                return high * high * fmin(a, b) + fabs(a) * b + leaky * leaky;
              });
     }},
    {"log of the sum of exponentials of a linear map", 4, -1, 1,
     [](const Tensor& x) {
       return logsumexp(matmul(data(Shape{7, 4}, 3, -2, 2), x));
     },
     [](const Adoubles& x) { return log_sum_exp(product(data(28, 3, -2, 2), x, 7, 4, 1)); }},
    {"Kullback-Leibler divergence of two softmaxes", 8, -2, 2,
     [](const Tensor& x) {
       const Tensor a = part(x, 0, {4}), b = part(x, 4, {4});
       return sum(softmax(a) * (log_softmax(a) - log_softmax(b)));
     },
     [](const Adoubles& x) {
       const Adoubles a = part(x, 0, 4), b = part(x, 4, 4);
       const adouble la = log_sum_exp(a), lb = log_sum_exp(b);
       return total(4, [&](std::size_t i) -> adouble { return exp(a[i] - la) * (a[i] - la - b[i] + lb); });
     }},
    {"norms of residuals", 4, -1, 1,
     [](const Tensor& x) {
       return sum(norm(linear(reshape(x, {2, 2}), data(Shape{2, 3}, 4), data(Shape{3}, 5)), {1})) + square(norm(x));
     },
     [](const Adoubles& x) -> adouble {
       const Adoubles r = product(x, data(6, 4), 2, 2, 3);
       const Numbers b = data(3, 5);
       return total(4, [&](std::size_t i) -> adouble { return x[i] * x[i]; }) + total(2, [&](std::size_t i) -> adouble {
                return sqrt(total(3, [&](std::size_t j) -> adouble {
                  const adouble one = r[i * 3 + j] + b[j];
                  return one * one;
                }));
              });
     }},
    {"distance from orthogonal columns, |XᵀX - 1|²", 6, -1, 1,
     [](const Tensor& x) {
       const Tensor m = reshape(x, {3, 2});
       return sum(square(matmul(m, m, true, false) - tensor({{1, 0}, {0, 1}}, float64)));
     },
     [](const Adoubles& x) {
       return total(4, [&](std::size_t e) -> adouble {
         const adouble r = total(3, [&](std::size_t k) -> adouble { return x[k * 2 + e / 2] * x[k * 2 + e % 2]; }) -
                           (e / 2 == e % 2 ? 1.0 : 0.0);
         return r * r;
       });
     }},
    {"variance times mean", 6, -1, 1, [](const Tensor& x) { return var(exp(x)) * mean(square(x) * x) + var(x); },
     [](const Adoubles& x) -> adouble {
       Adoubles e(6);
       for (std::size_t i = 0; i < 6; ++i) e[i] = exp(x[i]);
       const auto variance = [](const Adoubles& y) -> adouble {
         const adouble center = total(6, [&](std::size_t i) -> adouble { return y[i]; }) / 6;
         return total(6, [&](std::size_t i) -> adouble { return (y[i] - center) * (y[i] - center); }) / 6;
       };
       return variance(e) * total(6, [&](std::size_t i) -> adouble { return x[i] * x[i] * x[i]; }) / 6 + variance(x);
     }},
    {"logistic regression", 4, -1, 1,
     [](const Tensor& x) {
       const Tensor targets = tensor({1, 0, 0, 1, 1, 0, 1, 0}, float64);
       return nn::binary_cross_entropy_with_logits(matmul(data(Shape{8, 4}, 6, -2, 2), x), targets);
     },
     [](const Adoubles& x) -> adouble {
       const double targets[] = {1, 0, 0, 1, 1, 0, 1, 0};
       const Adoubles z = product(data(32, 6, -2, 2), x, 8, 4, 1);
       return total(8, [&](std::size_t i) -> adouble { return log(1 + exp(z[i])) - targets[i] * z[i]; }) / 8;
     }},
    {"cross-entropy of a network 3-4-3 by its 31 parameters", 31, -1, 1,
     [](const Tensor& x) {
       const Tensor hidden = tanh(linear(data(Shape{5, 3}, 7, -2, 2), part(x, 0, {3, 4}), part(x, 12, {4})));
       const Tensor logits = linear(hidden, part(x, 16, {4, 3}), part(x, 28, {3}));
       Tensor classes = zeros({5}, int64);
       classes.modify([](std::span<std::int64_t> values) { std::copy_n(labels, 5, values.begin()); });
       return nn::cross_entropy(logits, classes);
     },
     [](const Adoubles& x) -> adouble {
       Adoubles hidden = product(data(15, 7, -2, 2), part(x, 0, 12), 5, 3, 4);
       for (std::size_t i = 0; i < 20; ++i) hidden[i] = tanh(hidden[i] + x[12 + i % 4]);
       Adoubles logits = product(hidden, part(x, 16, 12), 5, 4, 3);
       for (std::size_t i = 0; i < 15; ++i) logits[i] += x[28 + i % 3];
       return total(5,
                    [&](std::size_t i) -> adouble {
                      return log_sum_exp(part(logits, i * 3, 3)) - logits[i * 3 + static_cast<std::size_t>(labels[i])];
                    }) /
              5;
     }},
    {"attention of three points to themselves", 6, -1, 1,
     [](const Tensor& x) {
       const Tensor m = reshape(x, {3, 2});
       return sum(data(Shape{3, 2}, 8) * matmul(softmax(matmul(m, transpose(m)) / std::sqrt(2.0)), m));
     },
     [](const Adoubles& x) {
       const Numbers w = data(6, 8);
       Adoubles weights(9);
       for (std::size_t i = 0; i < 3; ++i) {
         for (std::size_t j = 0; j < 3; ++j)
           weights[i * 3 + j] = (x[i * 2] * x[j * 2] + x[i * 2 + 1] * x[j * 2 + 1]) / std::sqrt(2.0);
         const adouble scale = log_sum_exp(part(weights, i * 3, 3));
         for (std::size_t j = 0; j < 3; ++j) weights[i * 3 + j] = exp(weights[i * 3 + j] - scale);
       }
       const Adoubles y = product(weights, x, 3, 3, 2);
       return total(6, [&](std::size_t i) -> adouble { return w[i] * y[i]; });
     }},
    {"six steps of a recurrent cell", 6, -1.5, 1.5,
     [](const Tensor& x) {
       const Tensor w = part(x, 0, {2, 2});
       Tensor state = part(x, 4, {2});
       for (int step = 0; step < 6; ++step) state = tanh(matmul(state, w) + data(Shape{2}, 9));
       return sum(square(state)) + dot(state, data(Shape{2}, 10));
     },
     [](const Adoubles& x) {
       const Numbers b = data(2, 9), c = data(2, 10);
       Adoubles state = part(x, 4, 2);
       for (int step = 0; step < 6; ++step) {
         const Adoubles next = product(state, x, 1, 2, 2);
         for (std::size_t i = 0; i < 2; ++i) state[i] = tanh(next[i] + b[i]);
       }
       return total(2, [&](std::size_t i) -> adouble { return state[i] * state[i] + state[i] * c[i]; });
     }},
};

struct Derivatives {
  double value = 0;
  Numbers gradient, hessian;
};

Derivatives of_adolc(const Case& one, const Numbers& point) {
  constexpr short tag = 1;
  const int n = static_cast<int>(one.n);
  Derivatives result{0, Numbers(point.size()), Numbers(point.size() * point.size())};
  trace_on(tag);
  {
    Adoubles x(point.size());
    for (std::size_t i = 0; i < point.size(); ++i) x[i] <<= point[i];
    adouble y = one.theirs(x);
    y >>= result.value;
  }
  trace_off();
  Numbers at = point;
  std::vector<double*> rows;
  for (std::size_t i = 0; i < point.size(); ++i) rows.push_back(&result.hessian[i * point.size()]);
  REQUIRE(::gradient(tag, n, at.data(), result.gradient.data()) >= 0);
  REQUIRE(::hessian(tag, n, at.data(), rows.data()) >= 0);  // its lower triangle
  for (std::size_t i = 0; i < point.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) rows[j][i] = rows[i][j];
  return result;
}

/// The largest |a_i - b_i| relative to the larger of |b_i| and the rms of b.
double worst(const Numbers& a, const Numbers& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double squares = 0, largest = 0;
  for (const double x : b) squares += x * x;
  const double rms = std::sqrt(squares / static_cast<double>(b.size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double error = std::abs(a[i] - b[i]) / std::max(std::abs(b[i]), rms);
    largest = error <= largest ? largest : std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
  }
  return largest;
}

}  // namespace

TEST_CASE("gradients and Hessians agree with ADOL-C's to 1e-12") {
  for (const Case& one : cases)
    for (const std::uint64_t seed : {1u, 2u, 3u}) {
      CAPTURE(one.name);
      CAPTURE(seed);
      const Numbers point = expect::numbers(static_cast<std::size_t>(one.n), seed, one.low, one.high);
      const Tensor x = tensor(point, {one.n}, float64);
      const Derivatives expected = of_adolc(one, point);
      const auto [value, slope] = value_and_gradient(one.ours, x);
      CHECK(worst({value.item()}, {expected.value}) <= 1e-12);
      CHECK(worst(expect::values(slope), expected.gradient) <= 1e-12);
      CHECK(worst(expect::values(hessian(one.ours, x)), expected.hessian) <= 1e-12);
    }
}

TEST_CASE("the comparison with ADOL-C sees one entry of a Hessian that is off by 1e-11") {
  for (const Case& one : cases) {
    CAPTURE(one.name);
    const Numbers point = expect::numbers(static_cast<std::size_t>(one.n), 1, one.low, one.high);
    const Derivatives exact = of_adolc(one, point);
    for (const Numbers& right : {exact.gradient, exact.hessian}) {
      Numbers wrong = right;
      double& largest = *std::max_element(wrong.begin(), wrong.end());
      largest *= 1 + 1e-11;
      CHECK(worst(right, right) == 0);
      CHECK(worst(wrong, right) > 1e-12);
    }
  }
}
