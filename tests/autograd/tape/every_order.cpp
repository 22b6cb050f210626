#include "tests/support/expect.hpp"

#include <autograd/autograd.hpp>
#include <autograd/parallel/parts.hpp>
#include <autograd/pointwise.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace xgrad;
using expect::leaf;

namespace {

constexpr std::size_t orders = 6;

/// A truncated Taylor series Σ c_k t^k with its arithmetic: Griewank and Walther 2008, tables 13.1 and 13.2.
struct Series {
  std::array<long double, orders + 1> c{};
  Series() = default;
  Series(long double x) { c[0] = x; }
  static Series variable(long double x) {
    Series s(x);
    s.c[1] = 1;
    return s;
  }
};

Series operator+(Series a, const Series& b) {
  for (std::size_t k = 0; k <= orders; ++k) a.c[k] += b.c[k];
  return a;
}
Series operator-(const Series& a) {
  Series r;
  for (std::size_t k = 0; k <= orders; ++k) r.c[k] = -a.c[k];
  return r;
}
Series operator-(const Series& a, const Series& b) { return a + -b; }
Series operator*(const Series& a, const Series& b) {
  Series r;
  for (std::size_t k = 0; k <= orders; ++k)
    for (std::size_t j = 0; j <= k; ++j) r.c[k] += a.c[j] * b.c[k - j];
  return r;
}
Series operator/(const Series& a, const Series& b) {
  Series r;
  for (std::size_t k = 0; k <= orders; ++k) {
    long double sum = a.c[k];
    for (std::size_t j = 0; j < k; ++j) sum -= r.c[j] * b.c[k - j];
    r.c[k] = sum / b.c[0];
  }
  return r;
}
/// The series of f(a) from f(a_0) and the series of f'(a): k·v_k = Σ_j j·a_j·d_{k-j}.
Series integral(long double value, const Series& a, const std::function<Series(const Series&)>& derivative) {
  Series v(value);
  for (std::size_t k = 1; k <= orders; ++k) {
    const Series d = derivative(v);  // right up to order k - 1
    long double sum = 0;
    for (std::size_t j = 1; j <= k; ++j) sum += static_cast<long double>(j) * a.c[j] * d.c[k - j];
    v.c[k] = sum / static_cast<long double>(k);
  }
  return v;
}
Series exp(const Series& a) {
  return integral(std::exp(a.c[0]), a, [](const Series& v) { return v; });
}
Series log(const Series& a) {
  return integral(std::log(a.c[0]), a, [&](const Series&) { return Series(1) / a; });
}
Series sqrt(const Series& a) {
  return integral(std::sqrt(a.c[0]), a, [](const Series& v) { return Series(0.5L) / v; });
}
Series tanh(const Series& a) {
  return integral(std::tanh(a.c[0]), a, [](const Series& v) { return Series(1) - v * v; });
}
Series sin(const Series& a);
Series cos(const Series& a) {
  return integral(std::cos(a.c[0]), a, [&](const Series& v) {
    Series s;  // sin from cos' own recurrence: both at once
    s.c[0] = std::sin(a.c[0]);
    for (std::size_t k = 1; k <= orders; ++k) {
      for (std::size_t j = 1; j <= k; ++j) s.c[k] += static_cast<long double>(j) * a.c[j] * v.c[k - j];
      s.c[k] /= static_cast<long double>(k);
    }
    return -s;
  });
}
Series sin(const Series& a) { return -cos(a + Series(std::acos(0.0L))); }
Series sigmoid(const Series& a) { return Series(1) / (Series(1) + exp(-a)); }
Series softplus(const Series& a) { return log(Series(1) + exp(a)); }
Series pow(const Series& a, long double p) { return exp(Series(p) * log(a)); }

double derivative(const Series& s, std::size_t order) {
  long double factorial = 1;
  for (std::size_t k = 2; k <= order; ++k) factorial *= static_cast<long double>(k);
  return static_cast<double>(s.c[order] * factorial);
}

/// f, f', f'', ... at x, each by a sweep over the sweep before.
std::vector<double> derivatives(const std::function<Tensor(const Tensor&)>& f, double at, std::size_t up_to,
                                DType dtype = float64) {
  const Tensor x = leaf(tensor(at, dtype));
  Tape tape;
  Tensor y = f(x);
  std::vector<double> list{y.item()};
  for (std::size_t order = 1; order <= up_to; ++order) {
    y = tape.backward(y, {.differentiable = true})[x];
    list.push_back(y.item());
  }
  return list;
}

struct Composition {
  std::string name;
  std::function<Tensor(const Tensor&)> f;
  std::function<Series(const Series&)> series;
  std::vector<double> at;
};

const std::vector<Composition>& compositions() {
  const std::vector<double> anywhere{-1.3, 0.0, 0.7, 2.1}, positive{0.2, 1.0, 3.7};
  static const std::vector<Composition> list{
      {"tanh", [](const Tensor& x) { return tanh(x); }, [](const Series& x) { return tanh(x); }, anywhere},
      {"x·x·x as products", [](const Tensor& x) { return x * x * x; }, [](const Series& x) { return x * x * x; },
       anywhere},
      {"swish", [](const Tensor& x) { return swish(x); }, [](const Series& x) { return x * sigmoid(x); }, anywhere},
      {"softplus(sin x)", [](const Tensor& x) { return softplus(sin(x)); },
       [](const Series& x) { return softplus(sin(x)); }, anywhere},
      {"exp(-x²)", [](const Tensor& x) { return exp(-square(x)); }, [](const Series& x) { return exp(-(x * x)); },
       anywhere},
      {"log x · √x", [](const Tensor& x) { return log(x) * sqrt(x); }, [](const Series& x) { return log(x) * sqrt(x); },
       positive},
      {"x^2.5", [](const Tensor& x) { return pow(x, 2.5); }, [](const Series& x) { return pow(x, 2.5L); }, positive},
      {"x^x", [](const Tensor& x) { return pow(x, x); }, [](const Series& x) { return exp(x * log(x)); }, positive},
      {"1/(1 + x²)", [](const Tensor& x) { return 1.0 / (1.0 + square(x)); },
       [](const Series& x) { return Series(1) / (Series(1) + x * x); }, anywhere},
      {"elu(x)·cos x",
       [](const Tensor& x) { return elu(x) * cos(x); },
       [](const Series& x) { return (x.c[0] > 0 ? x : exp(x) - Series(1)) * cos(x); },
       {-1.3, 0.7, 2.1}},
      {"log1p(expm1(x)²)", [](const Tensor& x) { return log1p(square(expm1(x))); },
       [](const Series& x) { return log(Series(1) + (exp(x) - Series(1)) * (exp(x) - Series(1))); }, anywhere},
      {"mish in one lambda",
       [](const Tensor& x) {
         return pointwise(
             "mish", [](auto v) { return v * tanh(softplus(v)); }, x);
       },
       [](const Series& x) { return x * tanh(softplus(x)); }, anywhere},
      {"where takes one branch",
       [](const Tensor& x) {
         return pointwise(
             "branch", [](auto v) { return where(v > 1, sin(v) * v, exp(v)); }, x);
       },
       [](const Series& x) { return x.c[0] > 1 ? sin(x) * x : exp(x); },
       {-1.3, 0.7, 2.1}},
      {"a derivative of the author's own",
       [](const Tensor& x) {
         return pointwise(
             "own",
             [](auto v) {
               return with_derivative([](auto u) { return sin(u); }, [](auto u) { return cos(u); }, v) * v;
             },
             x);
       },
       [](const Series& x) { return sin(x) * x; }, anywhere},
      {"softmax of (x, 0)",
       [](const Tensor& x) {
         return slice(softmax(concatenate({reshape(x, {1}), zeros({1}, x.dtype())}, 0), 0), 0, 0, 1);
       },
       [](const Series& x) { return sigmoid(x); }, anywhere},
  };
  return list;
}

}  // namespace

TEST_CASE("compositions have their derivatives up to order 6") {
  for (const Composition& composition : compositions())
    for (const double at : composition.at) {
      const std::vector<double> found = derivatives(composition.f, at, orders);
      const Series expected = composition.series(Series::variable(at));
      double scale = 0;  // of the derivatives below: a sum of terms of that size may cancel
      for (std::size_t order = 0; order <= orders; ++order) {
        const double right = derivative(expected, order);
        scale = std::max(scale, std::abs(right));
        INFO(composition.name, " at ", at, ", order ", order, ": ", found[order], " for ", right);
        CHECK(std::abs(found[order] - right) <= 1e-12 * std::max(1.0, scale));
      }
    }
}

TEST_CASE("in float32 the derivatives are those of float64, to its rounding") {
  for (const Composition& composition : compositions())
    for (const double at : composition.at) {
      const auto in_float32 = static_cast<double>(static_cast<float>(at));
      const std::vector<double> found = derivatives(composition.f, in_float32, 4, float32);
      const std::vector<double> right = derivatives(composition.f, in_float32, 4);
      double scale = 1;
      for (std::size_t order = 0; order <= 4; ++order) {
        scale = std::max(scale, std::abs(right[order]));
        INFO(composition.name, " at ", at, ", order ", order);
        CHECK(std::abs(found[order] - right[order]) <= 2e-5 * scale);
      }
    }
}

TEST_CASE("derivatives that vanish everywhere are zeros") {
  CHECK(derivatives([](const Tensor& x) { return x * x * x; }, 2.0, 5) == std::vector<double>{8, 12, 12, 6, 0, 0});
  CHECK(derivatives([](const Tensor& x) { return relu(x); }, 2.0, 3) == std::vector<double>{2, 1, 0, 0});
  CHECK(derivatives([](const Tensor& x) { return floor(x) + sign(x); }, 2.5, 2) == std::vector<double>{3, 0, 0});
  const Tensor x = leaf(tensor(3.0));
  const Tensor unused = leaf(tensor(1.0));
  Tape tape;
  const Gradients gradients = tape.backward(sign(x) * 2.0);
  CHECK(gradients[x].item() == 0);
  CHECK_FALSE(gradients.contains(unused));
}

TEST_CASE("mixed derivatives of x^y·sin(x·y) are those of the formula") {
  const double a = 1.3, b = 0.6;
  // ∂⁴/∂x²∂y² by Taylor series along the directions (1, 1), (1, -1), (1, 0), (0, 1): polarisation,
  // ∂xxyy = (D⁴(1,1) + D⁴(1,-1) - 2·D⁴(1,0) - 2·D⁴(0,1)) / 12.
  const auto along = [&](long double u, long double v) {
    Series x(a), y(b);
    x.c[1] = u;
    y.c[1] = v;
    return derivative(exp(y * log(x)) * sin(x * y), 4);
  };
  const double right = (along(1, 1) + along(1, -1) - 2 * along(1, 0) - 2 * along(0, 1)) / 12;
  const Tensor x = leaf(tensor(a, float64)), y = leaf(tensor(b, float64));
  for (const std::string order : {"xxyy", "xyxy", "yyxx", "yxxy"}) {
    Tape tape;
    Tensor z = pow(x, y) * sin(x * y);
    for (const char direction : order) z = tape.backward(z, {.differentiable = true})[direction == 'x' ? x : y];
    INFO(order);
    CHECK(z.item() == doctest::Approx(right).epsilon(1e-12));
  }
}

TEST_CASE("the fourth derivative of a network of three tanh layers, as a beam's equation needs it") {
  constexpr std::int64_t points = 5, width = 8;
  Generator generator(4);
  const Tensor w1 = normal({1, width}, 0, 1, float64, generator), b1 = normal({width}, 0, 1, float64, generator);
  const Tensor w2 = normal({width, width}, 0, 0.4, float64, generator), b2 = normal({width}, 0, 1, float64, generator);
  const Tensor w3 = normal({width, width}, 0, 0.4, float64, generator), b3 = normal({width}, 0, 1, float64, generator);
  const Tensor w4 = normal({width, 1}, 0, 1, float64, generator);
  const Tensor x = leaf(uniform({points, 1}, -1, 1, float64, generator));
  Tape tape;
  Tensor u = matmul(tanh(linear(tanh(linear(tanh(linear(x, w1, b1)), w2, b2)), w3, b3)), w4);
  for (int order = 1; order <= 4; ++order) u = tape.backward(sum(u), {.differentiable = true})[x];

  const auto layer = [](const std::vector<Series>& in, const Tensor& w, const Tensor& b) {
    std::vector<Series> out;
    for (std::int64_t j = 0; j < w.shape(1); ++j) {
      Series sum(b.item({j}));
      for (std::int64_t i = 0; i < w.shape(0); ++i)
        sum = sum + Series(w.item({i, j})) * in[static_cast<std::size_t>(i)];
      out.push_back(tanh(sum));
    }
    return out;
  };
  for (std::int64_t p = 0; p < points; ++p) {
    const std::vector<Series> h = layer(layer(layer({Series::variable(x.item({p, 0}))}, w1, b1), w2, b2), w3, b3);
    Series value;
    for (std::int64_t i = 0; i < width; ++i) value = value + Series(w4.item({i, 0})) * h[static_cast<std::size_t>(i)];
    CHECK(u.item({p, 0}) == doctest::Approx(derivative(value, 4)).epsilon(1e-10));
  }
}

TEST_CASE("masks hold at every order: a branch that was not taken adds nothing") {
  const std::vector<double> zeros_only{0, 0, 0, 0, 0, 0};
  const auto masked_root = [](const Tensor& x) {
    return pointwise(
        "masked_root", [](auto v) { return where(v > 0, sqrt(v), 0); }, x);
  };
  CHECK(derivatives(masked_root, 0.0, 5) == zeros_only);
  CHECK(derivatives([](const Tensor& x) { return where(gt(x, 0.0), log(x), 0.0); }, 0.0, 5) == zeros_only);
  // x² by pow at 0: 0, 0, 2, 0, 0.
  CHECK(derivatives([](const Tensor& x) { return pow(x, 2.0); }, 0.0, 4) == std::vector<double>{0, 0, 2, 0, 0});
}

TEST_CASE("masked derivatives beyond the second are reported by NaN tracing") {
  const Tensor x = leaf(tensor({0.0, 1.0}, float64));
  Tape tape({.trace_nonfinite = true});
  const Tensor weights = tensor({0.0, 1.0}, float64);
  Tensor y = sum(sqrt(x) * weights);
  std::size_t before = 0;
  for (int order = 1; order <= 3; ++order) {
    y = sum(tape.backward(y, {.differentiable = true})[x] * weights);
    CHECK(tape.masked_derivatives() > before);
    before = tape.masked_derivatives();
  }
}

TEST_CASE("threads that differentiate the same functions get the same bits") {
  const Tensor x = tensor({0.3, 0.9, 1.7, 2.2, 0.4}, float64);
  const auto third = [&x] {
    const Tensor at = leaf(x.clone());
    Tape tape;
    Tensor y = sum(swish(at) * exp(at));
    for (int order = 1; order <= 3; ++order) y = sum(tape.backward(y, {.differentiable = true})[at]);
    return y.item();
  };
  std::vector<double> results(16);
  parallel_parts(results.size(), [&](std::size_t i) { results[i] = third(); });
  for (const double result : results) CHECK(result == results[0]);
}
