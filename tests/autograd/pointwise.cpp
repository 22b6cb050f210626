#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <autograd/pointwise.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <type_traits>
#include <vector>

using namespace xgrad;
using expect::contains;
using expect::error_of;
using expect::leaf;
using expect::random_tensor;
using expect::values;

using Values = std::vector<double>;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

Tensor swish_of(const Tensor& x) {
  return pointwise(
      "swish", [](auto a) { return a * sigmoid(a); }, x);
}

/// A function with its derivatives as formulas, on numbers.
struct Sampled {
  std::size_t arity;
  Tensor (*call)(const std::vector<Tensor>&);
  std::function<double(const Values&)> value;
  std::vector<std::function<double(const Values&)>> first;
  /// [i][j] for i <= j.
  std::vector<std::vector<std::function<double(const Values&)>>> second;
};

using X = const Values&;
const auto zero = [](X) { return 0.0; };

const std::vector<Sampled>& formulas() {
  static const std::vector<Sampled> list{
      {1,
       [](const std::vector<Tensor>& x) {
         return pointwise(
             "f1", [](auto a) { return sin(a) * exp(a); }, x[0]);
       },
       [](X x) { return std::sin(x[0]) * std::exp(x[0]); },
       {[](X x) { return std::exp(x[0]) * (std::sin(x[0]) + std::cos(x[0])); }},
       {{[](X x) { return 2 * std::exp(x[0]) * std::cos(x[0]); }}}},
      {2,
       [](const std::vector<Tensor>& x) {
         return pointwise(
             "f2", [](auto a, auto b) { return a * a * b + log(a * a + b * b + 1); }, x[0], x[1]);
       },
       [](X x) { return x[0] * x[0] * x[1] + std::log(x[0] * x[0] + x[1] * x[1] + 1); },
       {[](X x) { return 2 * x[0] * x[1] + 2 * x[0] / (x[0] * x[0] + x[1] * x[1] + 1); },
        [](X x) { return x[0] * x[0] + 2 * x[1] / (x[0] * x[0] + x[1] * x[1] + 1); }},
       {{[](X x) {
           const double q = x[0] * x[0] + x[1] * x[1] + 1;
           return 2 * x[1] + (2 * q - 4 * x[0] * x[0]) / (q * q);
         },
         [](X x) {
           const double q = x[0] * x[0] + x[1] * x[1] + 1;
           return 2 * x[0] - 4 * x[0] * x[1] / (q * q);
         }},
        {zero,
         [](X x) {
           const double q = x[0] * x[0] + x[1] * x[1] + 1;
           return (2 * q - 4 * x[1] * x[1]) / (q * q);
         }}}},
      {3,
       [](const std::vector<Tensor>& x) {
         return pointwise(
             "f3", [](auto a, auto b, auto c) { return a * b * c + tanh(c) - b / 4; }, x[0], x[1], x[2]);
       },
       [](X x) { return x[0] * x[1] * x[2] + std::tanh(x[2]) - x[1] / 4; },
       {[](X x) { return x[1] * x[2]; }, [](X x) { return x[0] * x[2] - 0.25; },
        [](X x) { return x[0] * x[1] + 1 - std::tanh(x[2]) * std::tanh(x[2]); }},
       {{zero, [](X x) { return x[2]; }, [](X x) { return x[1]; }},
        {zero, zero, [](X x) { return x[0]; }},
        {zero, zero, [](X x) { return -2 * std::tanh(x[2]) * (1 - std::tanh(x[2]) * std::tanh(x[2])); }}}},
      {4,
       [](const std::vector<Tensor>& x) {
         return pointwise(
             "f4", [](auto a, auto b, auto c, auto d) { return exp(a - b) * c + d * d * a; }, x[0], x[1], x[2], x[3]);
       },
       [](X x) { return std::exp(x[0] - x[1]) * x[2] + x[3] * x[3] * x[0]; },
       {[](X x) { return std::exp(x[0] - x[1]) * x[2] + x[3] * x[3]; },
        [](X x) { return -std::exp(x[0] - x[1]) * x[2]; }, [](X x) { return std::exp(x[0] - x[1]); },
        [](X x) { return 2 * x[3] * x[0]; }},
       {{[](X x) { return std::exp(x[0] - x[1]) * x[2]; }, [](X x) { return -std::exp(x[0] - x[1]) * x[2]; },
         [](X x) { return std::exp(x[0] - x[1]); }, [](X x) { return 2 * x[3]; }},
        {zero, [](X x) { return std::exp(x[0] - x[1]) * x[2]; }, [](X x) { return -std::exp(x[0] - x[1]); }, zero},
        {zero, zero, zero, zero},
        {zero, zero, zero, [](X x) { return 2 * x[0]; }}}},
      {1,
       [](const std::vector<Tensor>& x) {
         return pointwise(
             "series",
             [](auto a) {
               auto y = variable(0.0, a);
               for (int i = 1; i < 4; ++i) y += sin(i * a) / i;
               return y;
             },
             x[0]);
       },
       [](X x) { return std::sin(x[0]) + std::sin(2 * x[0]) / 2 + std::sin(3 * x[0]) / 3; },
       {[](X x) { return std::cos(x[0]) + std::cos(2 * x[0]) + std::cos(3 * x[0]); }},
       {{[](X x) { return -std::sin(x[0]) - 2 * std::sin(2 * x[0]) - 3 * std::sin(3 * x[0]); }}}},
      {2,
       [](const std::vector<Tensor>& x) {
         return pointwise(
             "assigned again",
             [](auto a, auto b) {
               auto y = variable(a, b), z = y;
               z = b;
               y *= z;
               y += a;
               y -= exp(b);
               y /= 4.0;
               return y;
             },
             x[0], x[1]);
       },
       [](X x) { return (x[0] * x[1] + x[0] - std::exp(x[1])) / 4; },
       {[](X x) { return (x[1] + 1) / 4; }, [](X x) { return (x[0] - std::exp(x[1])) / 4; }},
       {{zero, [](X) { return 0.25; }}, {zero, [](X x) { return -std::exp(x[1]) / 4; }}}},
  };
  return list;
}

/// The inputs' values at one place.
Values at(const std::vector<Tensor>& inputs, std::int64_t place) {
  Values x;
  for (const Tensor& input : inputs) x.push_back(input.item({place}));
  return x;
}

}  // namespace

TEST_CASE("a pointwise function of one to four tensors has its value and gradients in float64") {
  for (const Sampled& f : formulas()) {
    CAPTURE(f.arity);
    constexpr std::int64_t n = 37;
    std::vector<Tensor> x;
    for (std::size_t i = 0; i < f.arity; ++i) x.push_back(leaf(random_tensor({n}, 10 + i)));
    const Tensor weights = random_tensor({n}, 99);
    Tape tape;
    const Tensor y = f.call(x);
    const Gradients g = tape.backward(y, weights);
    double worst = 0;
    for (std::int64_t k = 0; k < n; ++k) {
      const Values point = at(x, k);
      worst = std::max(worst, std::abs(y.item({k}) - f.value(point)));
      for (std::size_t i = 0; i < f.arity; ++i)
        worst = std::max(worst, std::abs(g[x[i]].item({k}) - weights.item({k}) * f.first[i](point)));
    }
    CHECK(worst < 1e-14);
  }
}

TEST_CASE("a pointwise function of one to four tensors has its second derivatives in float64") {
  for (const Sampled& f : formulas()) {
    constexpr std::int64_t n = 21;
    for (std::size_t i = 0; i < f.arity; ++i) {
      CAPTURE(f.arity);
      CAPTURE(i);
      std::vector<Tensor> x;
      for (std::size_t k = 0; k < f.arity; ++k) x.push_back(leaf(random_tensor({n}, 20 + k)));
      const Tensor u = leaf(random_tensor({n}, 77));
      const Tensor v = random_tensor({n}, 88);
      Tape tape;
      const Tensor y = f.call(x);
      // Σ v · u · ∂f/∂x_i, whose gradient is v·u·∂²f/∂x_i∂x_j along x_j and v·∂f/∂x_i along the cotangent u.
      const Tensor gradient = tape.backward(sum(y * u), {.differentiable = true})[x[i]];
      const Gradients second = tape.backward(gradient, v);
      double worst = 0;
      for (std::int64_t k = 0; k < n; ++k) {
        const Values point = at(x, k);
        const double factor = v.item({k});
        worst = std::max(worst, std::abs(second[u].item({k}) - factor * f.first[i](point)));
        for (std::size_t j = 0; j < f.arity; ++j) {
          const double expected = f.second[std::min(i, j)][std::max(i, j)](point) * factor * u.item({k});
          const Tensor* const found = second.find(x[j]);
          worst = std::max(worst, std::abs((found == nullptr ? 0 : found->item({k})) - expected));
        }
      }
      CHECK(worst < 2e-14);
    }
  }
}

TEST_CASE("float32 gives what float64 gives, to its rounding") {
  for (const Sampled& f : formulas()) {
    CAPTURE(f.arity);
    std::vector<Tensor> single, wide;
    for (std::size_t i = 0; i < f.arity; ++i) {
      single.push_back(leaf(random_tensor({501}, 30 + i, float32)));
      wide.push_back(leaf(single.back().to(float64)));
    }
    Tape tape;
    const Tensor y = f.call(single);
    CHECK(y.dtype() == float32);
    const Gradients g = tape.backward(sum(y));
    Tape other;
    const Tensor z = f.call(wide);
    const Gradients h = other.backward(sum(z));
    CHECK(expect::difference(y, z) < 2e-6);
    for (std::size_t i = 0; i < f.arity; ++i) CHECK(expect::difference(g[single[i]], h[wide[i]]) < 4e-6);
  }
}

TEST_CASE("inputs broadcast against each other, and gradients sum back to their shapes") {
  const std::vector<std::pair<Shape, Shape>> pairs{
      {{3, 4}, {4}},    {{4}, {3, 4}},       {{3, 1}, {1, 4}},    {{3, 4}, {}},
      {{}, {}},         {{2, 3, 4}, {3, 1}}, {{1}, {5}},          {{0}, {1}},
      {{2, 0}, {2, 1}}, {{2, 1, 3}, {5, 1}}, {{1, 1, 1}, {7, 2}}, {{6, 5, 4}, {6, 1, 4}}};
  for (const auto& pair : pairs) {
    const Shape& left = pair.first;
    const Shape& right = pair.second;
    CAPTURE(to_string(left));
    CAPTURE(to_string(right));
    const Tensor a = leaf(random_tensor(left, 1)), b = leaf(random_tensor(right, 2));
    const Shape shape = broadcast("test", left, right);
    const Tensor cotangent = random_tensor(shape, 3);
    Tape tape;
    const Tensor y = pointwise(
        "fma", [](auto x, auto z) { return x * z * z; }, a, b);
    CHECK(y.shape() == shape);
    const Gradients g = tape.backward(y, cotangent);
    // By loops over the index of the result.
    Values value(shape.elements()), of_a(a.size()), of_b(b.size());
    const Values x = values(a), z = values(b), c = values(cotangent);
    for (std::size_t place = 0; place < shape.elements(); ++place) {
      std::size_t rest = place, in_a = 0, in_b = 0, step_a = 1, step_b = 1;
      for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
        const auto extent = static_cast<std::size_t>(shape[shape.rank() - 1 - axis]);
        const std::size_t index = rest % extent;
        rest /= extent;
        const auto move = [&](const Shape& own, std::size_t& offset, std::size_t& step) {
          if (axis >= own.rank()) return;
          const auto own_extent = static_cast<std::size_t>(own[own.rank() - 1 - axis]);
          if (own_extent > 1) offset += index * step;
          step *= own_extent;
        };
        move(left, in_a, step_a);
        move(right, in_b, step_b);
      }
      value[place] = x[in_a] * z[in_b] * z[in_b];
      of_a[in_a] += c[place] * z[in_b] * z[in_b];
      of_b[in_b] += c[place] * 2 * x[in_a] * z[in_b];
    }
    CHECK(expect::difference(y, value) < 1e-15);
    CHECK(g[a].shape() == left);
    CHECK(g[b].shape() == right);
    CHECK(expect::difference(g[a], of_a) < 1e-13);
    CHECK(expect::difference(g[b], of_b) < 1e-13);
  }
}

TEST_CASE("four inputs of different shapes broadcast, over enough elements to run in blocks") {
  const Tensor a = leaf(random_tensor({40, 1, 60}, 1)), b = leaf(random_tensor({50, 1}, 2));
  const Tensor c = leaf(random_tensor({60}, 3)), d = leaf(random_tensor({}, 4));
  Tape tape;
  const Tensor y = pointwise(
      "abcd", [](auto p, auto q, auto r, auto s) { return p * q + r * s; }, a, b, c, d);
  const Gradients g = tape.backward(sum(y));
  CHECK(y.shape() == Shape{40, 50, 60});
  const Values x = values(a), z = values(b), u = values(c);
  Values expected;
  for (std::size_t i = 0; i < 40; ++i)
    for (std::size_t j = 0; j < 50; ++j)
      for (std::size_t k = 0; k < 60; ++k) expected.push_back(x[i * 60 + k] * z[j] + u[k] * d.item());
  CHECK(expect::difference(y, expected) < 1e-15);
  double sum_b = 0, sum_c = 0;
  for (const double one : z) sum_b += one;
  for (const double one : u) sum_c += one;
  CHECK(expect::difference(g[a], Values(2400, sum_b)) < 1e-12);
  CHECK(expect::difference(g[c], Values(60, 2000 * d.item())) < 1e-9);
  CHECK(g[d].item() == doctest::Approx(2000 * sum_c).epsilon(1e-12));
}

TEST_CASE("second derivatives sum back over broadcasting too") {
  const Tensor a = leaf(random_tensor({3, 4}, 1)), b = leaf(random_tensor({4}, 2));
  Tape tape;
  const Tensor y = sum(pointwise(
      "ab2", [](auto x, auto z) { return x * z * z; }, a, b));
  const Tensor gradient = tape.backward(y, {.differentiable = true})[b];  // 2 b Σ_i a_i
  CHECK(gradient.shape() == Shape{4});
  const Gradients second = tape.backward(sum(gradient));
  for (std::int64_t k = 0; k < 4; ++k) {
    double column = 0;
    for (std::int64_t i = 0; i < 3; ++i) {
      column += a.item({i, k});
      CHECK(second[a].item({i, k}) == doctest::Approx(2 * b.item({k})));
    }
    CHECK(second[b].item({k}) == doctest::Approx(2 * column));
  }
}

TEST_CASE("a lambda captures numbers, which are copied at the call") {
  const Tensor x = leaf(tensor({1.0, 2.0}, float64));
  double low = -1, scale = 3;
  float power = 2.0f;
  int shift = 5;
  Tape tape;
  const Tensor y = pointwise(
      "captured", [low, scale, power, shift](auto a) { return where(a < low, low, scale * pow(a, power) + shift); }, x);
  low = scale = 1000;
  power = 0;
  shift = 0;
  CHECK(values(y) == Values{8, 17});
  CHECK(values(tape.backward(sum(y))[x]) == Values{6, 12});
  struct Six {
    double numbers[6] = {1, 2, 3, 4, 5, 6};
  } const six;
  const Tensor z = pointwise(
      "six", [six](auto a) { return a * six.numbers[5]; }, x);  // 48 bytes
  CHECK(values(z) == Values{6, 12});
}

TEST_CASE("a lambda may ignore an argument or give a plain number") {
  const Tensor x = leaf(tensor({1.0, 2.0})), z = leaf(tensor({3.0, 4.0}));
  Tape tape;
  const Tensor y = pointwise(
      "first", [](auto a, auto) { return a * 2; }, x, z);
  const Tensor one = pointwise(
      "one", [](auto) { return 1; }, x);
  CHECK(values(one) == Values{1, 1});
  const Gradients g = tape.backward(sum(y + one));
  CHECK(values(g[x]) == Values{2, 2});
  CHECK(values(g[z]) == Values{0, 0});
}

TEST_CASE("a function of steps has no gradient where a second one would be") {
  const Tensor x = leaf(tensor({1.5, -2.5}, float64));
  Tape tape;
  const Tensor linear = tape.backward(sum(pointwise(
                                          "line", [](auto a) { return 3 * a + sign(a); }, x)),
                                      {.differentiable = true})[x];
  CHECK(values(linear) == Values{3, 3});
}

TEST_CASE("which inputs are saved is up to the hints") {
  const auto product_and_sum = [](auto a, auto b, auto c) { return where(c > 0, a, b); };
  const Tensor x = leaf(ones({1000})), z = leaf(full({1000}, 2.0)), c = ones({1000});
  const auto saved = [&](const PointwiseHints& hints) {
    Tape tape;
    const Tensor h = x * 1.0, k = z * 1.0;
    const std::size_t before = tape.saved_bytes();
    const Tensor y = pointwise_with(hints, "choose", product_and_sum, h, k, c);
    const std::size_t bytes = tape.saved_bytes() - before;
    const Gradients g = tape.backward(sum(y));
    CHECK(values(g[x]) == Values(1000, 1));
    CHECK(values(g[z]) == Values(1000, 0));
    return bytes;
  };
  CHECK(saved({}) == 12000);
  CHECK(saved({.saved = Which::only(2)}) == 4000);
}

TEST_CASE("the result of a function of several inputs cannot stand for them") {
  const Tensor x = ones({3});
  const auto error = error_of([&] {
    pointwise_with(
        {.derivative_of_result = true}, "larger", [](auto a, auto b) { return where(a < b, b, a); }, x, x);
  });
  CHECK(
      error ==
      "ValueError: larger: derivative_of_result with 2 inputs; need a function of one, its result stands for no other");
}

TEST_CASE("a linear function with constant derivatives saves nothing") {
  static constexpr double derivatives[] = {2.0, -1.0};
  const Tensor x = leaf(ones({1000})), z = leaf(full({1000}, 2.0));
  Tape tape;
  const Tensor h = x * 1.0, k = z * 1.0;
  const std::size_t before = tape.saved_bytes();
  const Tensor y = pointwise_with(
      {.coefficients = derivatives}, "2a-b", [](auto a, auto b) { return 2 * a - b; }, h, k);
  CHECK(tape.saved_bytes() == before);
  const Gradients g = tape.backward(sum(y));
  CHECK(values(g[x]) == Values(1000, 2));
  CHECK(values(g[z]) == Values(1000, -1));
}

TEST_CASE("an element's bits do not depend on where it stands, nor on the length") {
  for (const DType dtype : {float32, float64}) {
    const Tensor x = random_tensor({67}, 5, dtype, -4, 4);
    const auto run = [](const Tensor& input) {
      const Tensor a = leaf(input);
      Tape tape;
      const Tensor y = pointwise(
          "f", [](auto v) { return exp(v) * tanh(v) + log1p(v * v); }, a);
      Values both = values(y);
      const Values g = values(tape.backward(sum(y))[a]);
      both.insert(both.end(), g.begin(), g.end());
      return both;
    };
    const Values whole = run(x);
    for (std::int64_t length = 1; length <= 67; ++length)
      for (const std::int64_t start : {std::int64_t{0}, 67 - length}) {
        const Values part = run(slice(x, 0, start, start + length));
        bool same = true;
        for (std::size_t k = 0; k < static_cast<std::size_t>(length); ++k) {
          const std::size_t place = static_cast<std::size_t>(start) + k;
          same = same && part[k] == whole[place] && part[static_cast<std::size_t>(length) + k] == whole[67 + place];
        }
        CHECK(same);
      }
  }
}

TEST_CASE("an element's bits do not depend on whether the other input is a number or a tensor") {
  const Tensor x = random_tensor({33}, 6, float32);
  const auto f = [](auto a, auto b) { return exp(a * b) / (1 + b); };
  const Tensor with_tensor = pointwise("f", f, x, full({33}, 0.7));
  CHECK(values(pointwise("f", f, x, full({}, 0.7))) == values(with_tensor));
  CHECK(values(pointwise("f", f, x, full({1}, 0.7))) == values(with_tensor));
}

TEST_CASE("NaN in gives NaN out, and elements beside it are not touched") {
  const Tensor x = leaf(tensor({1.0, not_a_number, -1.0, infinity}, float64));
  Tape tape;
  const Tensor y = swish_of(x);
  CHECK(std::isnan(y.item({1})));
  CHECK(y.item({0}) == doctest::Approx(1 / (1 + std::exp(-1.0))));
  CHECK(y.item({3}) == infinity);
  const Gradients g = tape.backward(sum(y));
  CHECK(std::isnan(g[x].item({1})));
  const double s = 1 / (1 + std::exp(1.0));
  CHECK(g[x].item({2}) == doctest::Approx(s - s * (1 - s)));
}

TEST_CASE("a zero cotangent masks an infinite derivative, and a derivative of zero an infinite cotangent") {
  const Tensor x = leaf(tensor({0.0, 4.0}, float64));
  const auto safe_root = [](auto a) { return where(a > 0, sqrt(a), 0); };
  {
    Tape tape;
    CHECK(values(tape.backward(sum(pointwise("safe_root", safe_root, x)))[x]) == Values{0, 0.25});
  }
  {
    Tape tape;
    const Tensor y = where(gt(x, 1.0), sqrt(x), 0.0);
    CHECK(values(tape.backward(sum(y))[x]) == Values{0, 0.25});
  }
  {
    Tape tape;  // and again through the second derivative: -¼ x^-1.5
    const Tensor y = where(gt(x, 1.0), sqrt(x), 0.0);
    const Tensor first = tape.backward(sum(y), {.differentiable = true})[x];
    CHECK(values(tape.backward(sum(first))[x]) == Values{0, -1.0 / 32});
  }
}

// SEMANTICS: d²/dx² of s(x)²/2 where s(x) = 0 is s'(x)².
TEST_CASE("a zero cotangent with a finite derivative keeps its derivative") {
  const Tensor x = leaf(tensor(0.0, float64));
  Tape tape;
  const Tensor s = sin(x) * 3.0;  // s(0) = 0, s'(0) = 3
  const Tensor first = tape.backward(s * s * 0.5, {.differentiable = true})[x];
  CHECK(first.item() == 0);
  CHECK(tape.backward(first)[x].item() == 9);
}

TEST_CASE("a stable derivative of the author's own replaces the one by duals") {
  const Tensor x = leaf(tensor({-200.0, 0.5}));
  const auto naive = [](auto a) { return a / (1 + exp(-a)); };
  const auto stable = [naive](auto a) {
    return with_derivative(
        naive, [](auto b) { return sigmoid(b) * (1 + b * sigmoid(-b)); }, a);
  };
  {
    Tape tape;
    CHECK(std::isnan(tape.backward(sum(pointwise("naive", naive, x)))[x].item({0})));  // by duals: 0 · inf
  }
  Tape tape;
  const Gradients g = tape.backward(sum(pointwise("stable", stable, x)));
  CHECK(g[x].item({0}) == 0);
  const double s = 1 / (1 + std::exp(-0.5));
  CHECK(g[x].item({1}) == doctest::Approx(s + 0.5 * s * (1 - s)).epsilon(1e-6));
}

TEST_CASE("bad inputs are refused by the function's name") {
  const Tensor x = leaf(tensor({1.0, 2.0}));
  const auto add = [](auto a, auto b) { return a + b; };
  Tape tape;
  CHECK(
      error_of([&] {
        pointwise("mine", add, x, tensor({1.0, 2.0, 3.0}));
      }) ==
      "ShapeError: mine: shapes (2,) and (3,) do not broadcast; need equal extents or 1 on every axis, aligned at the "
      "right");
  CHECK(contains(error_of([&] { pointwise("mine", add, x, tensor(1.0, float64)); }),
                 "TypeError: mine: input 0 is float32, input 1 is float64"));
  CHECK(contains(error_of([&] {
                   pointwise(
                       "mine", [](auto a) { return a; }, arange(2));
                 }),
                 "TypeError: mine: input 0 is int64"));
  CHECK_THROWS_AS(pointwise("mine", add, x, Tensor()), ValueError);
  CHECK(tape.size() == 0);
}

TEST_CASE("rank 0 and size 0 are shapes like others") {
  const Tensor none = leaf(zeros({0, 3}, float64)), scalar = leaf(tensor(2.0, float64));
  Tape tape;
  const Tensor y = swish_of(none);
  CHECK(y.shape() == Shape{0, 3});
  const Tensor z = swish_of(scalar);
  CHECK(z.shape() == Shape{});
  const Gradients g = tape.backward(sum(y) + z);
  CHECK(g[none].shape() == Shape{0, 3});
  const double s = 1 / (1 + std::exp(-2.0));
  CHECK(g[scalar].item() == doctest::Approx(s + 2 * s * (1 - s)).epsilon(1e-14));
}

namespace {

struct CapturesTensor {
  Tensor weight;
  auto operator()(auto a) const { return a; }
};

}  // namespace

// What pointwise refuses at compile time, by static_assert, is told apart by these.
static_assert(std::is_trivially_copyable_v<decltype([x = 1.0](auto a) { return a * x; })>);
static_assert(!std::is_trivially_copyable_v<CapturesTensor>);
