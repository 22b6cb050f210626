#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

// A penalty on the slope of a network along its input (Gulrajani et al. 2017): the gradient of the penalty needs second
// derivatives. For D(x) = v·tanh(x·W + b), row by row:
//     s = ∂D/∂x = W·(v ∘ (1 - h²)),   n = |s|,   P = mean (n - 1)²
//     dP/ds = 2 (n - 1)/n · s / rows,   q = Wᵀ·dP/ds
//     dP/dv = q ∘ (1 - h²),   dP/dz = -2 q ∘ v ∘ h ∘ (1 - h²),   dP/dW = dP/ds ⊗ (v ∘ (1 - h²)) + x ⊗ dP/dz

TEST_CASE("the gradient of a gradient penalty agrees with its closed form") {
  constexpr std::size_t rows = 6, in = 3, hidden = 4;
  const DefaultDType dtype(float64);
  seed(11);
  const nn::Linear first(in, hidden), second(hidden, 1, {.bias = false});
  const Matrix x(rows, in, expect::numbers(rows * in, 1));
  const Matrix w(first.weight), b(first.bias), v(second.weight);

  Matrix dw(in, hidden), db(1, hidden), dv(hidden, 1);
  double penalty = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    double h[hidden], s[in] = {}, norm = 0;
    for (std::size_t j = 0; j < hidden; ++j) {
      double z = b(0, j);
      for (std::size_t i = 0; i < in; ++i) z += x(r, i) * w(i, j);
      h[j] = std::tanh(z);
      for (std::size_t i = 0; i < in; ++i) s[i] += w(i, j) * v(j, 0) * (1 - h[j] * h[j]);
    }
    for (const double one : s) norm += one * one;
    norm = std::sqrt(norm);
    penalty += (norm - 1) * (norm - 1) / rows;
    for (std::size_t j = 0; j < hidden; ++j) {
      double q = 0;
      for (std::size_t i = 0; i < in; ++i) q += w(i, j) * 2 * (norm - 1) / norm * s[i] / rows;
      const double slope = 1 - h[j] * h[j];
      const double dz = -2 * q * v(j, 0) * h[j] * slope;
      dv(j, 0) += q * slope;
      db(0, j) += dz;
      for (std::size_t i = 0; i < in; ++i)
        dw(i, j) += 2 * (norm - 1) / norm * s[i] / rows * v(j, 0) * slope + x(r, i) * dz;
    }
  }

  const Tensor input = expect::leaf(x.tensor());
  Tape tape;
  const Tensor scores = second(tanh(first(input)));
  const Tensor slope = tape.backward(sum(scores), {.differentiable = true})[input];
  const Tensor loss = mean(square(norm(slope, {1}) - 1.0));
  CHECK(loss.item() == doctest::Approx(penalty).epsilon(1e-13));
  const Gradients g = tape.backward(loss);
  CHECK(difference(g[first.weight], dw) < 1e-13);
  CHECK(difference(g[first.bias], db) < 1e-13);
  CHECK(difference(g[second.weight], dv) < 1e-13);
}

TEST_CASE("a penalty is added to a loss of the same tape") {
  const Tensor w = expect::leaf(tensor(1.5, float64));
  const Tensor x = expect::leaf(tensor(0.8, float64));
  Tape tape;
  const Tensor y = sin(w * x);
  const Tensor slope = tape.backward(y, {.differentiable = true})[x];  // w cos(wx)
  const Gradients g = tape.backward(y + slope * slope);
  const double a = 1.5, b = 0.8, c = std::cos(a * b), s = std::sin(a * b);
  CHECK(g[w].item() == doctest::Approx(b * c + 2 * a * c * (c - a * b * s)).epsilon(1e-14));
  CHECK(g[x].item() == doctest::Approx(a * c - 2 * a * a * a * c * s).epsilon(1e-14));
}
