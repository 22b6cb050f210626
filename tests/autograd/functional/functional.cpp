#include "tests/support/matrix.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>

#include <cmath>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace xgrad;
using expect::contains;
using expect::difference;
using expect::error_of;
using expect::Matrix;
using expect::random_tensor;

namespace {

using List = std::vector<Tensor>;
using Numbers = std::vector<double>;

/// Shape, dtype, and entries relative to the largest of them.
void check(const Tensor& x, const Shape& shape, DType dtype, const Numbers& expected) {
  CHECK(to_string(x.shape()) == to_string(shape));
  CHECK(x.dtype() == dtype);
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  CHECK(difference(x, expected) <= (dtype == float64 ? 1e-14 : 4e-6) * largest);
}

double delta(std::size_t i, std::size_t j) { return i == j ? 1.0 : 0.0; }

/// Σ_i 100·(x_{i+1} - x_i²)² + (1 - x_i)².
Tensor rosenbrock(const Tensor& x) {
  const std::int64_t n = x.shape(0);
  const Tensor head = slice(x, 0, 0, n - 1);
  return sum(100.0 * square(slice(x, 0, 1, n) - square(head)) + square(1.0 - head));
}

/// Its vjp is right, but not built from recorded operations.
class Opaque final : public Operation {
 public:
  std::string_view name() const override { return "opaque"; }
  Tensors forward(const Inputs& inputs) override { return mul(inputs[0], inputs[0]); }
  Tensors vjp(const Call& call) const override { return mul(call.cotangent(), 2.0 * call.input(0)); }
};

const Tensor point = tensor({0.5, -1.5, 2.0}, float64);

}  // namespace

TEST_CASE("a quadratic form has the gradient of the lectures, and its symmetrised matrix as Hessian") {
  constexpr std::size_t n = 4;
  for (const DType dtype : {float64, float32}) {
    const Tensor a = random_tensor({n, n}, 1, dtype), b = random_tensor({n}, 2, dtype);
    const Tensor x = random_tensor({n}, 3, dtype), v = random_tensor({n}, 4, dtype);
    const auto f = [&](const Tensor& t) { return 0.5 * dot(t, matmul(a, t)) + dot(b, t); };
    const Matrix m(a);
    const Matrix symmetric = 0.5 * (m + transposed(m));
    const Matrix slope = Matrix(x) * symmetric + Matrix(b);
    check(gradient(f, x), {n}, dtype, slope.values);
    check(hessian(f, x), {n, n}, dtype, symmetric.values);
    check(hessian_vector_product(f, x, v), {n}, dtype, (Matrix(v) * symmetric).values);
    check(jacobian(f, x), {n}, dtype, slope.values);
    check(jacobian_vector_product(f, x, v), {}, dtype, {sum(times(slope, Matrix(v)))});
    const auto [value, same] = value_and_gradient(f, x);
    check(value, {}, dtype, {0.5 * sum(times(Matrix(x), Matrix(x) * symmetric)) + sum(times(Matrix(b), Matrix(x)))});
    CHECK(difference(same, gradient(f, x)) == 0);
  }
}

TEST_CASE("the Jacobian of softmax is diag(s) - s sᵀ") {
  constexpr std::size_t n = 5;
  for (const DType dtype : {float64, float32}) {
    const Tensor x = random_tensor({n}, 5, dtype, -2, 2);
    Numbers s, jacobian_of_softmax;
    double total = 0;
    for (const double value : expect::values(x)) s.push_back(std::exp(value));
    for (const double e : s) total += e;
    for (double& e : s) e /= total;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) jacobian_of_softmax.push_back(delta(i, j) * s[i] - s[i] * s[j]);
    check(jacobian([](const Tensor& t) { return softmax(t); }, x), {n, n}, dtype, jacobian_of_softmax);
  }
}

TEST_CASE("Rosenbrock's function has the gradient and the tridiagonal Hessian of its formula") {
  constexpr std::size_t n = 5;
  for (const DType dtype : {float64, float32}) {
    const Tensor x = random_tensor({n}, 6, dtype, -2, 2);
    const Numbers t = expect::values(x);
    Numbers slope(n);
    Matrix curvature(n, n);
    for (std::size_t i = 0; i + 1 < n; ++i) {
      const double r = t[i + 1] - t[i] * t[i];
      slope[i] += -400 * t[i] * r - 2 * (1 - t[i]);
      slope[i + 1] += 200 * r;
      curvature(i, i) += 1200 * t[i] * t[i] - 400 * t[i + 1] + 2;
      curvature(i + 1, i + 1) += 200;
      curvature(i, i + 1) = curvature(i + 1, i) = -400 * t[i];
    }
    check(gradient(rosenbrock, x), {n}, dtype, slope);
    check(hessian(rosenbrock, x), {n, n}, dtype, curvature.values);
  }
  const Tensor minimum = ones({n}, float64);
  CHECK(expect::values(gradient(rosenbrock, minimum)) == Numbers(n, 0.0));
}

TEST_CASE("elementwise functions have diagonal derivatives, with the axes of the result before those of x") {
  constexpr std::size_t n = 6;
  for (const DType dtype : {float64, float32}) {
    const Tensor x = random_tensor({2, 3}, 7, dtype);
    const Numbers t = expect::values(x);
    Numbers cosines, exponentials;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        cosines.push_back(delta(i, j) * std::cos(t[i]));
        exponentials.push_back(delta(i, j) * std::exp(t[i]));
      }
    check(jacobian([](const Tensor& y) { return sin(y); }, x), {2, 3, 2, 3}, dtype, cosines);
    check(hessian([](const Tensor& y) { return sum(exp(y)); }, x), {2, 3, 2, 3}, dtype, exponentials);
  }
}

TEST_CASE("the Jacobians of a product are Kronecker products of a factor with the identity") {
  constexpr std::size_t m = 2, k = 3, n = 4;
  for (const DType dtype : {float64, float32}) {
    const Tensor x = random_tensor({m, k}, 8, dtype), w = random_tensor({k, n}, 9, dtype);
    const Matrix a(x), b(w);
    Numbers by_x, by_w;  // ∂(XW)_ij / ∂X_pq = δ_ip W_qj,  / ∂W_pq = X_ip δ_jq
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t p = 0; p < m; ++p)
          for (std::size_t q = 0; q < k; ++q) by_x.push_back(delta(i, p) * b(q, j));
        for (std::size_t p = 0; p < k; ++p)
          for (std::size_t q = 0; q < n; ++q) by_w.push_back(a(i, p) * delta(j, q));
      }
    const List both = jacobian([](const List& t) { return matmul(t[0], t[1]); }, {x, w});
    REQUIRE(both.size() == 2);
    check(both[0], {m, n, m, k}, dtype, by_x);
    check(both[1], {m, n, k, n}, dtype, by_w);
    check(jacobian([&](const Tensor& t) { return matmul(x, t); }, w), {m, n, k, n}, dtype, by_w);
  }
}

TEST_CASE("logistic regression has the gradient Xᵀ(p - t) and the Hessian Xᵀ diag(p(1 - p)) X") {
  constexpr std::size_t rows = 7, n = 3;
  for (const DType dtype : {float64, float32}) {
    const Tensor x = random_tensor({rows, n}, 10, dtype, -2, 2), w = random_tensor({n}, 11, dtype);
    const Tensor labels = tensor({0, 1, 1, 0, 1, 0, 0}, dtype);
    const auto loss = [&](const Tensor& weight) {
      const Tensor logits = matmul(x, weight);
      return sum(softplus(logits) - labels * logits);
    };
    const Matrix data(x);
    const Matrix p = map(data * transposed(Matrix(w)), [](double z) { return 1 / (1 + std::exp(-z)); });
    const Matrix spread = map(p, [](double q) { return q * (1 - q); });
    Matrix weighted = data;
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < n; ++j) weighted(i, j) *= spread(i, 0);
    check(gradient(loss, w), {n}, dtype, (transposed(data) * (p - transposed(Matrix(labels)))).values);
    check(hessian(loss, w), {n, n}, dtype, (transposed(data) * weighted).values);
  }
}

TEST_CASE("the products are those of Hessian and Jacobian with the vector") {
  const Tensor x = random_tensor({2, 3}, 12, float64), v = random_tensor({2, 3}, 13, float64);
  const Tensor w = random_tensor({3, 4}, 14, float64), u = random_tensor({2, 4}, 15, float64);
  const auto f = [&](const Tensor& t) { return tanh(matmul(sin(t) * t, w)); };
  const auto energy = [&](const Tensor& t) { return logsumexp(f(t)) * sum(exp(t)); };
  const auto flat = [](const Tensor& t, std::int64_t rows, std::int64_t columns) {
    return Matrix(reshape(t, {rows, columns}));
  };
  const Matrix h = flat(hessian(energy, x), 6, 6), j = flat(jacobian(f, x), 8, 6);
  check(hessian_vector_product(energy, x, v), {2, 3}, float64, (h * flat(v, 6, 1)).values);
  check(jacobian_vector_product(f, x, v), {2, 4}, float64, (j * flat(v, 6, 1)).values);
  check(vector_jacobian_product(f, x, u), {2, 3}, float64, (flat(u, 1, 8) * j).values);
  CHECK(difference(h.values, transposed(h).values) < 1e-13);
}

TEST_CASE("derivatives by several tensors come in their order, Hessians in blocks") {
  // f = Σ_i a_i² b_i c: by a 2abc, by b a²c, by c Σ a²b; second derivatives beside.
  const Tensor a = tensor({2, 3}, float64), b = tensor({5, 7}, float64), c = tensor(11, float64);
  const auto f = [](const List& t) { return sum(square(t[0]) * t[1]) * t[2]; };
  const auto values_of = [](const List& list) {
    std::vector<Numbers> values;
    for (const Tensor& x : list) values.push_back(expect::values(x));
    return values;
  };
  const std::vector<Numbers> slopes = {{220, 462}, {44, 99}, {83}};
  CHECK(values_of(gradient(f, {a, b, c})) == slopes);
  const auto [value, gradients] = value_and_gradient(f, List{a, b, c});
  CHECK(value.item() == 913);
  CHECK(values_of(gradients) == slopes);

  const std::vector<List> h = hessian(f, {a, b, c});
  REQUIRE(h.size() == 3);
  CHECK(values_of(h[0]) == std::vector<Numbers>{{110, 0, 0, 154}, {44, 0, 0, 66}, {20, 42}});
  CHECK(values_of(h[1]) == std::vector<Numbers>{{44, 0, 0, 66}, {0, 0, 0, 0}, {4, 9}});
  CHECK(values_of(h[2]) == std::vector<Numbers>{{20, 42}, {4, 9}, {0}});
  CHECK(h[0][2].shape() == Shape{2});
  CHECK(h[2][2].shape() == Shape{});

  const List v = {tensor({1, -1}, float64), tensor({2, 1}, float64), tensor(3, float64)};
  CHECK(values_of(hessian_vector_product(f, {a, b, c}, v)) ==
        std::vector<Numbers>{{110 + 88 + 60, -154 + 66 + 126}, {44 + 12, -66 + 27}, {20 - 42 + 8 + 9}});
  CHECK(jacobian_vector_product(f, {a, b, c}, v).item() == 220 - 462 + 88 + 99 + 249);
  CHECK(values_of(vector_jacobian_product(f, {a, b, c}, tensor(2, float64))) ==
        std::vector<Numbers>{{440, 924}, {88, 198}, {166}});
  // One tensor at two places is two tensors.
  CHECK(values_of(gradient([](const List& t) { return sum(t[0] * t[0] * t[1]); }, {a, a})) ==
        std::vector<Numbers>{{8, 18}, {4, 9}});
}

TEST_CASE("functions are lambdas, generic ones too, plain functions, objects and std::function") {
  struct Scaled {
    double factor;
    Tensor operator()(const Tensor& x) const { return factor * sum(x); }
  };
  const std::function<Tensor(const Tensor&)> held = [](const Tensor& x) { return 3.0 * sum(x); };
  CHECK(expect::values(gradient(held, point)) == Numbers{3, 3, 3});
  CHECK(expect::values(gradient(Scaled{2}, point)) == Numbers{2, 2, 2});
  CHECK(expect::values(gradient([](const auto& x) { return sum(x); }, point)) == Numbers{1, 1, 1});
  CHECK(expect::values(gradient([](const auto& x) { return sum(x[1]); }, {point, point})[1]) == Numbers{1, 1, 1});
  CHECK(expect::values(gradient(rosenbrock, tensor({0.0, 0.0}))) == Numbers{-2, 0});
}

TEST_CASE("what a function does not depend on has zeros for derivatives") {
  const Tensor other = expect::leaf(tensor({3.0, 4.0}, float64));
  const Tensor v = tensor({1.0, 1.0, 1.0}, float64);
  const std::vector<std::function<Tensor(const Tensor&)>> constants = {
      [](const Tensor&) { return tensor(2.0, float64); },
      [&](const Tensor&) { return sum(other * other); },
      [](const Tensor& x) { return sum(detach(x) * x.to(float64).to(int64).to(float64)); },
      [&](const Tensor&) { return slice(other, 0, 0, 1); },
  };
  for (const auto& f : constants) {
    check(gradient(f, point), {3}, float64, Numbers(3));
    check(hessian(f, point), {3, 3}, float64, Numbers(9));
    check(hessian_vector_product(f, point, v), {3}, float64, Numbers(3));
    CHECK(difference(jacobian(f, point), Numbers(3)) == 0);
    CHECK(difference(jacobian_vector_product(f, point, v), Numbers(1)) == 0);
  }
  // A part of the tensors; and a linear function, whose gradient depends on nothing.
  const auto part = [](const List& x) { return sum(square(x[1])); };
  CHECK(expect::values(gradient(part, {point, point})[0]) == Numbers(3));
  CHECK(expect::values(hessian(part, {point, point})[1][1]) == Numbers{2, 0, 0, 0, 2, 0, 0, 0, 2});
  CHECK(expect::values(hessian(part, {point, point})[0][1]) == Numbers(9));
  const auto linear_function = [&](const Tensor& x) { return sum(x) * sum(other); };
  CHECK(expect::values(hessian_vector_product([](const Tensor& x) { return sum(x); }, point, v)) == Numbers(3));
  CHECK(expect::values(hessian(linear_function, point)) == Numbers(9));
  CHECK(expect::values(hessian_vector_product(linear_function, point, v)) == Numbers(3));
  CHECK(jacobian_vector_product(linear_function, point, v).item() == 21);
}

TEST_CASE("a function may hand out its argument, another tensor, or a tensor of one element") {
  const auto identity = [](const Tensor& x) { return x; };
  CHECK(expect::values(jacobian(identity, point)) == Numbers{1, 0, 0, 0, 1, 0, 0, 0, 1});
  CHECK(expect::values(jacobian_vector_product(identity, point, 2.0 * point)) == Numbers{1, -3, 4});
  CHECK(expect::values(vector_jacobian_product(identity, point, 2.0 * point)) == Numbers{1, -3, 4});
  CHECK(gradient(identity, tensor(5.0)).item() == 1);
  CHECK(hessian(identity, tensor(5.0)).item() == 0);

  const Tensor weight = expect::leaf(tensor({3.0}));
  Tensor value = value_and_gradient([&](const Tensor&) { return weight; }, point).first;
  value.modify([](auto values) { values[0] = 9; });
  CHECK(weight.item() == 3);
  CHECK_FALSE(value.is_leaf());

  const auto row = [](const Tensor& x) { return sum(square(x), {0}, true); };
  CHECK(value_and_gradient(row, point).first.shape() == Shape{1});
  CHECK(hessian(row, point).shape() == Shape{3, 3});
  CHECK(jacobian(row, point).shape() == Shape{1, 3});
}

TEST_CASE("ranks and sizes from 0 on are valid") {
  for (const DType dtype : {float64, float32}) {
    const auto cube = [](const Tensor& x) { return x * x * x; };
    const Tensor two = tensor(2.0, dtype), three = tensor(3.0, dtype);
    check(gradient(cube, two), {}, dtype, {12});
    check(hessian(cube, two), {}, dtype, {12});
    check(jacobian(cube, two), {}, dtype, {12});
    check(hessian_vector_product(cube, two, three), {}, dtype, {36});
    check(jacobian_vector_product(cube, two, three), {}, dtype, {36});
    check(hessian(cube, full({1, 1}, 2, dtype)), {1, 1, 1, 1}, dtype, {12});

    const Tensor none = zeros({0, 2}, dtype);
    const auto total = [](const Tensor& x) { return sum(square(x)); };
    check(gradient(total, none), {0, 2}, dtype, {});
    check(hessian(total, none), {0, 2, 0, 2}, dtype, {});
    check(hessian_vector_product(total, none, none), {0, 2}, dtype, {});
    check(jacobian(total, none), {0, 2}, dtype, {});
    check(jacobian(cube, none), {0, 2, 0, 2}, dtype, {});
    check(jacobian_vector_product(cube, none, none), {0, 2}, dtype, {});
    check(jacobian_vector_product(total, none, none), {}, dtype, {0});
    check(jacobian([](const Tensor& x) { return slice(x, 0, 0, 0); }, ones({3}, dtype)), {0, 3}, dtype, {});
  }
}

TEST_CASE("gradients have the dtype of their tensor, products along a vector that of the result") {
  const auto f = [](const List& x) { return x[0].to(float64) * x[1] * x[1]; };
  const Tensor a = tensor({2.0, 3.0}, float32), b = tensor({5.0, 7.0}, float64);
  const List j = jacobian(f, {a, b});
  check(j[0], {2, 2}, float32, {25, 0, 0, 49});
  check(j[1], {2, 2}, float64, {20, 0, 0, 42});
  check(jacobian_vector_product(f, {a, b}, {a, b}), {2}, float64, {150, 441});
  const auto h = hessian([&](const List& x) { return sum(f(x)); }, {a, b});
  check(h[0][1], {2, 2}, float64, {10, 0, 0, 14});
  check(h[1][0], {2, 2}, float32, {10, 0, 0, 14});
}

TEST_CASE("an infinite slope reaches the products, but not where a mask hides it") {
  const auto root = [](const Tensor& x) { return where(gt(x, 0.0), sqrt(x), 0.0); };
  const Tensor x = tensor({0.0, 4.0}, float64), v = tensor({1.0, 2.0}, float64);
  CHECK(expect::values(jacobian_vector_product(root, x, v)) == Numbers{0, 0.5});
  CHECK(expect::values(hessian_vector_product([&](const Tensor& t) { return sum(root(t)); }, x, v)) ==
        Numbers{0, -0.0625});  // (√x)'' = -x^(-3/2)/4
  const Numbers slopes = expect::values(jacobian_vector_product([](const Tensor& t) { return sqrt(t); }, x, v));
  CHECK(std::isinf(slopes[0]));
  CHECK(slopes[1] == 0.5);
}

TEST_CASE("the function is called once, and the tensors are left alone") {
  Tensor x = expect::leaf(point);
  const std::uint32_t version = x.version();
  int calls = 0;
  const auto f = [&](Tensor t) {
    ++calls;
    const Tensor y = sum(square(t) * t);
    t.modify([](auto values) { values[0] = 99; });
    return y;
  };
  CHECK(contains(error_of([&] { gradient(f, x); }), "TapeError: backward: mul saved a tensor of shape (3,)"));
  CHECK(calls == 1);
  calls = 0;
  const auto g = [&](Tensor t) {
    ++calls;
    const Tensor y = sum(sin(t + 0.0));
    t.modify([](auto values) { values[0] = 99; });
    return y;
  };
  hessian(g, x);
  CHECK(calls == 1);
  jacobian(g, x);
  jacobian_vector_product(g, x, point);
  CHECK(calls == 3);
  CHECK(expect::values(x) == expect::values(point));
  CHECK(x.version() == version);
  CHECK(x.is_leaf());
  CHECK_FALSE(point.is_leaf());
}

TEST_CASE("without a tape of the caller, or in a pause, results are constants") {
  const Tensor w = expect::leaf(tensor({1.0, 2.0, 3.0}, float64));
  const auto f = [&](const Tensor& x) { return sum(square(x) * w); };
  Tape outer;
  const Tensor y = sum(w * w);
  const Tensor number = expect::leaf(tensor(2.0, float64));
  const std::size_t recorded = outer.size();
  {
    const Pause pause;
    const List results = {gradient(f, point),
                          value_and_gradient(f, point).first,
                          value_and_gradient([&](const Tensor&) { return number; }, point).first,
                          jacobian(f, w.clone()),
                          hessian(f, point),
                          hessian_vector_product(f, w.clone(), point),
                          jacobian_vector_product(f, point, w),
                          vector_jacobian_product(f, point, tensor(1.0, float64))};
    for (const Tensor& result : results) {
      CHECK_FALSE(result.is_leaf());
      CHECK_FALSE(is_recorded(result));
      CHECK_NOTHROW(Tensor(result).requires_gradient().requires_gradient(false));
    }
    CHECK(expect::values(results[0]) == Numbers{1, -6, 12});
  }
  CHECK(outer.size() == recorded);
  CHECK(outer.open());
  CHECK(expect::values(outer.backward(y)[w]) == Numbers{2, 4, 6});
}

TEST_CASE("a loss of a derivative has its gradient by the parameters") {
  // u = a·tanh(w·x), u' = a·w·(1 - t²), L = u'²; ∂L/∂a = 2u'·w·(1 - t²), ∂L/∂w = 2u'·a·(1 - t²)·(1 - 2·w·x·t).
  const double a0 = 1.7, w0 = 0.8, x0 = 0.6, t = std::tanh(w0 * x0), s = 1 - t * t, slope = a0 * w0 * s;
  const double by_a = 2 * slope * w0 * s, by_w = 2 * slope * a0 * s * (1 - 2 * w0 * x0 * t);
  const Tensor a = expect::leaf(tensor(a0, float64)), w = expect::leaf(tensor(w0, float64));
  const Tensor constant = tensor(x0, float64), marked = expect::leaf(constant.clone());
  const auto u = [&](const Tensor& x) { return a * tanh(w * x); };
  const std::vector<std::function<Tensor(const Tensor&)>> slopes = {
      [&](const Tensor& x) { return gradient(u, x); },
      [&](const Tensor& x) { return value_and_gradient(u, x).second; },
      [&](const Tensor& x) { return jacobian(u, x); },
      [&](const Tensor& x) { return jacobian_vector_product(u, x, tensor(1.0, float64)); },
      [&](const Tensor& x) { return vector_jacobian_product(u, x, tensor(1.0, float64)); },
      [&](const Tensor& x) {
        return gradient(std::function<Tensor(const List&)>([&](const List& l) { return u(l[0]); }), List{x})[0];
      },
  };
  for (const Tensor& x : {constant, marked})
    for (const auto& slope_of : slopes) {
      Tape tape;
      const Tensor loss = square(slope_of(x));
      CHECK(loss.item() == doctest::Approx(slope * slope).epsilon(1e-14));
      const Gradients g = tape.backward(loss);
      CHECK(g[a].item() == doctest::Approx(by_a).epsilon(1e-14));
      CHECK(g[w].item() == doctest::Approx(by_w).epsilon(1e-14));
      CHECK(g.size() == (x.is_leaf() ? 3 : 2));  // nothing of ours among them
    }
  // ∂/∂x of L along the tape: 2u'·u'', u'' = -2·a·w²·t·(1 - t²).
  Tape tape;
  const Gradients g = tape.backward(square(gradient(u, marked)));
  CHECK(g[marked].item() == doctest::Approx(2 * slope * -2 * a0 * w0 * w0 * t * s).epsilon(1e-14));
}

TEST_CASE("Hessians and their products are recorded too, and functions nest to any order") {
  const Tensor w = expect::leaf(tensor({2.0, -1.0}, float64)), x = tensor({0.5, 3.0}, float64);
  const Tensor v = tensor({1.0, 2.0}, float64);
  const auto cubes = [&](const Tensor& p) { return sum(w * p * p * p) + p * 0.0; };
  const auto f = [&](const Tensor& p) { return sum(w * p * p * p); };
  {  // H = diag(6·w·x): ∂ΣH/∂w = 6x, ∂Σ(H·v)/∂w = 6·x·v
    Tape tape;
    const Tensor h = hessian(f, x), hv = hessian_vector_product(f, x, v);
    CHECK(expect::values(h) == Numbers{6, 0, 0, -18});
    const Gradients g = tape.backward(sum(h), {.keep = true});
    CHECK(expect::values(g[w]) == Numbers{3, 18});
    CHECK(expect::values(tape.backward(sum(hv))[w]) == Numbers{3, 36});
  }
  {  // rows of a Jacobian: f_i = Σ w·p³ + 0·p_i
    Tape tape;
    const Tensor j = jacobian(cubes, x);
    CHECK(expect::values(j) == Numbers{1.5, -27, 1.5, -27});
    CHECK(expect::values(tape.backward(sum(j))[w]) == Numbers{1.5, 54});
  }
  const auto quartic = [](const Tensor& p) { return p * p * p * p; };
  const auto first = [&](const Tensor& p) { return gradient(quartic, p); };
  const auto second = [&](const Tensor& p) { return gradient(first, p); };
  const auto third = [&](const Tensor& p) { return gradient(second, p); };
  CHECK(gradient(third, tensor(3.0, float64)).item() == 24);
  CHECK(hessian(second, tensor(3.0, float64)).item() == 24);
  CHECK(expect::values(jacobian([&](const Tensor& p) { return gradient(f, p); }, x)) == Numbers{6, 0, 0, -18});
  // An argument on the tape: d/dw of f'(w²) for f = p⁴ is 12·w⁴·2w.
  const Tensor s = expect::leaf(tensor(1.5, float64));
  Tape tape;
  CHECK(tape.backward(gradient(quartic, s * s))[s].item() == doctest::Approx(12 * std::pow(1.5, 4) * 3).epsilon(1e-15));
}

TEST_CASE("a function may use its tensors themselves, as a model does with its parameters, but not both ways") {
  const Tensor w = expect::leaf(tensor({2.0, -1.0}, float64)), b = expect::leaf(tensor({3.0, 1.0}, float64));
  const Tensor v = tensor({1.0, 2.0}, float64);
  const auto model = [&](const List&) { return sum(w * w * w + w * b); };
  const List hv = hessian_vector_product(model, {w, b}, {v, v});  // ∂²/∂w² = 6w, ∂²/∂w∂b = 1
  CHECK(expect::values(hv[0]) == Numbers{13, -10});
  CHECK(expect::values(hv[1]) == Numbers{1, 2});
  CHECK(expect::values(gradient(model, {w, b})[0]) == Numbers{15, 4});
  CHECK(expect::values(hessian(model, {w, b})[0][1]) == Numbers{1, 0, 0, 1});
  CHECK(expect::values(jacobian([&](const Tensor&) { return w; }, w)) == Numbers{1, 0, 0, 1});
  {
    Tape tape;
    const Tensor slope = gradient([&](const Tensor&) { return sum(w * w * w); }, w);
    CHECK(expect::values(tape.backward(sum(slope))[w]) == Numbers{12, -6});
  }
  const auto both = [&](const Tensor& x) { return sum(x * w); };
  CHECK(contains(error_of([&] { gradient(both, w); }),
                 "TapeError: gradient: the function uses x as its argument and by itself too"));
  CHECK(contains(error_of([&] {
                   hessian_vector_product([&](const List& x) { return sum(x[0] * x[1] * b); }, {w, b}, {v, v});
                 }),
                 "hessian_vector_product: the function uses x[1] as its argument"));
  CHECK(expect::values(gradient(both, w.clone())) == Numbers{2, -1});
  Tape tape;  // the captured one is no constant for the tape: ∂/∂w Σ ∂(x·w)/∂x = 1
  CHECK(expect::values(tape.backward(sum(gradient(both, w.clone())))[w]) == Numbers{1, 1});
}

TEST_CASE("rows of a Jacobian have the same bits for every number of threads") {
  const Tensor w = random_tensor({40, 30}, 21, float64), x = random_tensor({3, 40}, 22, float64);
  const auto f = [&](const Tensor& t) { return tanh(matmul(t, w)) * sum(sin(t)); };
  const Tensor alone = with_threads(1, [&] { return jacobian(f, x); });
  REQUIRE(alone.shape() == Shape{3, 30, 3, 40});
  for (const int threads : {2, 3, 8})
    CHECK(difference(with_threads(threads, [&] { return jacobian(f, x); }), expect::values(alone)) == 0);
  const Tensor unit = with_threads(1, [&] {
    Tensor u = zeros({3, 30}, float64);
    u.modify([](auto values) { values[47] = 1; });
    return vector_jacobian_product(f, x, u);
  });
  CHECK(difference(slice(reshape(alone, {90, 120}), 0, 47, 48), expect::values(unit)) == 0);
}

TEST_CASE("what a tape recorded that is still open and does not record here is an error, not a gradient lost") {
  const Tensor w = expect::leaf(point);
  Tape outer;
  const Tensor h = w * w;
  std::optional<Tape> other(std::in_place);
  const auto square_sum = [](const Tensor& x) { return sum(square(x)); };
  const std::string rule = ", of shape (3,), was recorded by a tape that is still open and does not record here";
  CHECK(contains(error_of([&] { gradient(square_sum, h); }), "TapeError: gradient: x" + rule));
  {
    const Pause pause;
    CHECK(contains(error_of([&] { gradient(square_sum, h); }), "TapeError: gradient: x" + rule));
  }
  CHECK(contains(error_of([&] {
                   hessian([](const List& x) { return sum(x[1]); }, {point, h});
                 }),
                 "TapeError: hessian: x[1]" + rule));
  CHECK(contains(error_of([&] { hessian_vector_product(square_sum, point, h); }),
                 "TapeError: hessian_vector_product: v" + rule));
  CHECK(contains(error_of([&] { vector_jacobian_product([](const Tensor& x) { return exp(x); }, point, h); }),
                 "TapeError: vector_jacobian_product: u" + rule));
  CHECK(contains(error_of([&] { gradient([&](const Tensor& x) { return sum(x * h); }, point); }),
                 "TapeError: mul: an input of shape (3,) was recorded by another tape"));
  CHECK(contains(error_of([&] { gradient([&](const Tensor&) { return sum(h); }, point); }), "TapeError: sum: "));
  CHECK(contains(error_of([&] { jacobian([&](const Tensor&) { return h; }, point); }), "TapeError: backward: "));
  CHECK(expect::values(gradient(square_sum, detach(h))) == Numbers{0.5, 4.5, 8});
  other.reset();
  CHECK(expect::values(outer.backward(sum(h))[w]) == Numbers{1, -3, 4});
  CHECK(expect::values(gradient(square_sum, h)) == Numbers{0.5, 4.5, 8});  // its tape is closed now
}

TEST_CASE("a function may have a tape of its own") {
  const auto slope_times_x = [](const Tensor& x) {
    const Tensor own = expect::leaf(detach(x));
    Tape tape;
    const Gradients g = tape.backward(sum(own * own * own));
    return sum(g[own] * x);
  };
  CHECK(expect::values(gradient(slope_times_x, point)) == Numbers{0.75, 6.75, 12});  // 3x², held constant
  CHECK(expect::values(hessian(slope_times_x, point)) == Numbers(9));
  const auto careless = [](const Tensor& x) {
    Tape tape;
    return sum(x * x);
  };
  CHECK(contains(error_of([&] { gradient(careless, point); }),
                 "TapeError: mul: an input of shape (3,) was recorded by another tape"));
}

TEST_CASE("a function that throws leaves everything as it was") {
  const Tensor w = expect::leaf(point);
  Tape outer;
  const Tensor y = sum(w * w);
  const auto fails = [&](const Tensor& x) -> Tensor {
    const Tensor kept = x * w;
    throw std::runtime_error("the user's own trouble");
  };
  CHECK_THROWS_WITH_AS(gradient(fails, w), "the user's own trouble", std::runtime_error);
  CHECK_THROWS_AS(hessian(fails, point), std::runtime_error);
  CHECK_THROWS_AS(jacobian_vector_product(fails, point, point), std::runtime_error);
  CHECK_THROWS_AS(gradient([](const Tensor& x) { return sum(x + zeros({2}, float64)); }, point), ShapeError);
  CHECK((w * 2.0).body().tape == y.body().tape);
  CHECK(expect::values(outer.backward(y)[w]) == Numbers{1, -3, 4});
  CHECK((w * 2.0).body().tape == 0);
}

TEST_CASE("wrong functions and tensors are errors that name the operation") {
  const auto f = [](const Tensor& x) { return sum(square(x)); };
  const auto e = [](const Tensor& x) { return exp(x); };
  const std::string many = "the function returned shape (3,); need one number";
  CHECK(error_of([&] { gradient(e, point); }) == "ShapeError: gradient: " + many);
  CHECK(error_of([&] { value_and_gradient(e, point); }) == "ShapeError: value_and_gradient: " + many);
  CHECK(error_of([&] { hessian(e, point); }) == "ShapeError: hessian: " + many);
  CHECK(error_of([&] { hessian_vector_product(e, point, point); }) == "ShapeError: hessian_vector_product: " + many);
  CHECK(error_of([&] { hessian([](const Tensor&) { return zeros({0}); }, point); }) ==
        "ShapeError: hessian: the function returned shape (0,); need one number");

  const Tensor labels = arange(3);
  CHECK(error_of([&] { gradient(f, labels); }) ==
        "TypeError: gradient: x is int64 and has no gradient; let the function capture it");
  CHECK(contains(error_of([&] {
                   jacobian([](const List& x) { return x[0]; }, {point, labels});
                 }),
                 "TypeError: jacobian: x[1] is int64"));
  CHECK(error_of([&] { jacobian([&](const Tensor&) { return labels; }, point); }) ==
        "TypeError: jacobian: the function returned int64; need float32 or float64");

  CHECK(error_of([&] { gradient(std::function<Tensor(const Tensor&)>(), point); }) ==
        "ValueError: gradient: the function is empty");
  CHECK(error_of([&] {
          hessian(std::function<Tensor(const List&)>(), {point, point});
        }) == "ValueError: hessian: the function is empty");
  CHECK(error_of([&] { gradient([](const List& x) { return x[0]; }, List{}); }) ==
        "ValueError: gradient: no tensors; need at least one");
  CHECK(error_of([&] { gradient([](const Tensor&) { return Tensor(); }, point); }) ==
        "ValueError: gradient: the function returned an empty handle; need a tensor");
  CHECK(contains(error_of([&] { gradient(f, Tensor()); }), "ValueError: "));

  const Tensor two = tensor({1.0, 2.0}, float64), single = tensor({1.0, 2.0, 3.0});
  CHECK(error_of([&] { hessian_vector_product(f, point, two); }) ==
        "ShapeError: hessian_vector_product: x is (3,) float64, v is (2,) float64; need equal shapes");
  CHECK(error_of([&] { jacobian_vector_product(e, point, single); }) ==
        "TypeError: jacobian_vector_product: x is (3,) float64, v is (3,) float32; need equal dtypes");
  CHECK(error_of([&] { jacobian_vector_product(e, point, labels); }) ==
        "TypeError: jacobian_vector_product: x is (3,) float64, v is (3,) int64; need equal dtypes");
  CHECK(error_of([&] { vector_jacobian_product(e, point, two); }) ==
        "ShapeError: vector_jacobian_product: the function's result is (3,) float64, u is (2,) float64; need equal "
        "shapes");
  CHECK(contains(error_of([&] { vector_jacobian_product(f, point, Tensor()); }), "ValueError: "));
  CHECK(error_of([&] {
          hessian_vector_product([](const List& x) { return sum(x[0] * x[1]); }, {point, point}, List{point});
        }) == "ValueError: hessian_vector_product: 1 vectors for 2 tensors; need one for each");
  CHECK(contains(error_of([&] {
                   jacobian_vector_product([](const List& x) { return x[0] * x[1]; }, {point, point}, {point, two});
                 }),
                 "ShapeError: jacobian_vector_product: x[1] is (3,) float64, v[1] is (2,) float64"));

  CHECK(error_of([&] {
          hessian(f, ones({1, 1, 1, 1, 1}));
        }) ==
        "ShapeError: hessian: the result has the axes of (1, 1, 1, 1, 1) and of (1, 1, 1, 1, 1); need at most 8 "
        "together");
  CHECK(contains(error_of([&] { jacobian(e, ones({1, 1, 1, 1, 1})); }), "ShapeError: jacobian: "));
  CHECK(expect::values(gradient(f, ones({1, 1, 1, 1, 1}))) == Numbers{2});
}

TEST_CASE("an operation whose vjp is not recorded has first derivatives and no others") {
  const auto f = [](const Tensor& x) { return sum(apply_operation(Opaque(), x)); };
  CHECK(expect::values(gradient(f, point)) == Numbers{1, -3, 4});
  CHECK(expect::values(jacobian(f, point)) == Numbers{1, -3, 4});
  const std::string rule = "TapeError: backward: opaque cannot be differentiated twice";
  CHECK(contains(error_of([&] { hessian(f, point); }), rule));
  CHECK(contains(error_of([&] { hessian_vector_product(f, point, point); }), rule));
  CHECK(contains(error_of([&] { jacobian_vector_product(f, point, point); }), rule));
}
