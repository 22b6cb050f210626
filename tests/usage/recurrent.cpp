#include "tests/support/matrix.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cmath>
#include <vector>

using namespace xgrad;
using expect::difference;
using expect::Matrix;

namespace {

constexpr std::size_t batch = 2, inputs = 3, hidden = 4, outputs = 2;

/// h ← tanh(x·U + b + h·V), y = h·W + c.
struct Recurrent : nn::Module {
  nn::Linear enter = add("enter", nn::Linear(inputs, hidden));
  nn::Linear carry = add("carry", nn::Linear(hidden, hidden, {.bias = false}));
  nn::Linear leave = add("leave", nn::Linear(hidden, outputs));
  Tensor step(const Tensor& x, const Tensor& h) const { return tanh(enter(x) + carry(h)); }
};

struct Parameters {
  Matrix u, b, v, w, c;
  Parameters() = default;
  explicit Parameters(const Recurrent& net)
      : u(net.enter.weight), b(net.enter.bias), v(net.carry.weight), w(net.leave.weight), c(net.leave.bias) {}
};

/// Gradients of Σ_t ½ |y_t - target_t|² over a window of steps from the state h before it, by backpropagation through
/// time; h comes out as the state after it.
Parameters backpropagate(const Parameters& p, const std::vector<Matrix>& x, const std::vector<Matrix>& target,
                         Matrix& h) {
  std::vector<Matrix> states{h};
  for (const Matrix& input : x)
    states.push_back(map(add_row(input * p.u, p.b) + states.back() * p.v, [](double z) { return std::tanh(z); }));
  Parameters g;
  g.u = Matrix(inputs, hidden);
  g.b = Matrix(1, hidden);
  g.v = Matrix(hidden, hidden);
  g.w = Matrix(hidden, outputs);
  g.c = Matrix(1, outputs);
  Matrix dh(batch, hidden);
  for (std::size_t t = x.size(); t-- > 0;) {
    const Matrix& now = states[t + 1];
    const Matrix dy = add_row(now * p.w, p.c) - target[t];
    g.w = g.w + transposed(now) * dy;
    g.c = g.c + sum_of_rows(dy);
    const Matrix dz = times(dh + dy * transposed(p.w), map(now, [](double s) { return 1 - s * s; }));
    g.u = g.u + transposed(x[t]) * dz;
    g.b = g.b + sum_of_rows(dz);
    g.v = g.v + transposed(states[t]) * dz;
    dh = dz * transposed(p.v);
  }
  h = states.back();
  return g;
}

}  // namespace

TEST_CASE(
    "a recurrent network over 100 steps has the gradients of backpropagation through time, with the same truncation") {
  const DefaultDType dtype(float64);
  constexpr std::size_t steps = 100;
  std::vector<Matrix> x, target;
  for (std::size_t t = 0; t < steps; ++t) {
    x.emplace_back(batch, inputs, expect::numbers(batch * inputs, 100 + t));
    target.emplace_back(batch, outputs, expect::numbers(batch * outputs, 900 + t));
  }
  for (const std::size_t window : {steps, std::size_t{20}, std::size_t{7}}) {
    CAPTURE(window);
    seed(5);
    const Recurrent net;
    Tensor state = zeros({batch, hidden});
    Matrix expected_state(batch, hidden);
    for (std::size_t first = 0; first < steps; first += window) {
      const std::size_t last = std::min(first + window, steps);
      Tape tape;
      state = detach(state);  // a truncated window begins with a constant
      Tensor loss = tensor(0.0);
      for (std::size_t t = first; t < last; ++t) {
        state = net.step(x[t].tensor(), state);
        loss = loss + nn::sse(net.leave(state), target[t].tensor());
      }
      const Gradients g = tape.backward(loss);
      const auto begin = static_cast<std::ptrdiff_t>(first), end = static_cast<std::ptrdiff_t>(last);
      const Parameters expected = backpropagate(Parameters(net), {x.begin() + begin, x.begin() + end},
                                                {target.begin() + begin, target.begin() + end}, expected_state);
      CHECK(difference(state, expected_state) < 1e-13);
      CHECK(difference(g[net.enter.weight], expected.u) < 1e-12);
      CHECK(difference(g[net.enter.bias], expected.b) < 1e-12);
      CHECK(difference(g[net.carry.weight], expected.v) < 1e-12);
      CHECK(difference(g[net.leave.weight], expected.w) < 1e-12);
      CHECK(difference(g[net.leave.bias], expected.c) < 1e-12);
    }
  }
}

TEST_CASE("a state carried into the next window without detach is a constant once its tape is gone") {
  const DefaultDType dtype(float64);
  seed(5);
  const Recurrent net;
  const Matrix x(batch, inputs, expect::numbers(batch * inputs, 1)), target(batch, outputs);
  Tensor state = zeros({batch, hidden});
  Matrix expected_state(batch, hidden);
  for (int window = 0; window < 2; ++window) {
    Tape tape;
    state = net.step(x.tensor(), state);
    const Gradients g = tape.backward(nn::sse(net.leave(state), target.tensor()));
    const Parameters expected = backpropagate(Parameters(net), {x}, {target}, expected_state);
    CHECK(difference(g[net.carry.weight], expected.v) < 1e-14);
  }
}
