/// A neural differential equation: a pendulum learned through a solver, by `recompute` and by an adjoint by hand.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include "command_line.hpp"
#include "drawing.hpp"
#include "training.hpp"

#include <fmt/core.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

using State = std::vector<Tensor>;
using Slope = std::function<State(const State&)>;

State moved(const State& z, double h, const State& slope) {
  State result;
  for (std::size_t i = 0; i < z.size(); ++i) result.push_back(z[i] + h * slope[i]);
  return result;
}

/// dz/dt = f(z) over a time, in steps of Runge and Kutta's method of order 4.
State integrate(const Slope& f, State z, double time, std::int64_t steps) {
  const double h = time / static_cast<double>(steps);
  for (std::int64_t i = 0; i < steps; ++i) {
    const State a = f(z), b = f(moved(z, h / 2, a)), c = f(moved(z, h / 2, b)), d = f(moved(z, h, c));
    for (std::size_t k = 0; k < z.size(); ++k) z[k] = z[k] + h / 6 * (a[k] + 2.0 * b[k] + 2.0 * c[k] + d[k]);
  }
  return z;
}

/// dz/dt = W₂ tanh(W₁ z + b₁) + b₂ for rows z of angle and speed.
State initial_weights(std::int64_t units) {
  State w = {zeros({2, units}), zeros({units}), zeros({units, 2}), zeros({2})};
  nn::init::xavier_uniform(w[0]);
  nn::init::xavier_uniform(w[2]);
  for (Tensor& x : w) x.requires_gradient();
  return w;
}
Tensor slope(const Tensor& z, const State& w) { return linear(tanh(linear(z, w[0], w[1])), w[2], w[3]); }
Slope slope_of(const State& w) {
  return [w](const State& z) { return State{slope(z[0], w)}; };
}

/// The three ways to the gradient of what comes out of the solver.
using Solver = std::function<Tensor(const Tensor& z, const State& w, double time, std::int64_t steps)>;

/// The tape keeps every step.
Tensor on_tape(const Tensor& z, const State& w, double time, std::int64_t steps) {
  return integrate(slope_of(w), {z}, time, steps)[0];
}

/// It keeps √steps states and runs each stretch again.
Tensor recomputed(const Tensor& z, const State& w, double time, std::int64_t steps) {
  const auto stretches = static_cast<std::int64_t>(std::sqrt(static_cast<double>(steps)));
  Tensor y = z;
  for (std::int64_t done = 0, i = 1; i <= stretches; ++i) {
    const std::int64_t next = steps * i / stretches, count = next - std::exchange(done, next);
    const double part = time * static_cast<double>(count) / static_cast<double>(steps);
    y = recompute([w, part, count](const Tensor& from) { return on_tape(from, w, part, count); }, y);
  }
  return y;
}

/// It keeps the end alone: state, adjoint a = ∂loss/∂z and the weights' gradient run back in time together, by
/// dz/dt = f, da/dt = -aᵀ ∂f/∂z, dg/dt = -aᵀ ∂f/∂w (Pontryagin 1962; Chen et al. 2018, algorithm 1).
Tensor by_adjoint(const Tensor& z, const State& w, double time, std::int64_t steps) {
  const auto back = [=](const Call& call) {
    const Slope augmented = [&](const State& s) {
      const auto f = [](const State& in) { return slope(in[0], {in[1], in[2], in[3], in[4]}); };
      State all = {detach(s[0])};
      for (std::size_t i = 1; i <= 4; ++i) all.push_back(detach(call.input(i)));
      State result = vector_jacobian_product(f, all, s[1]);
      for (Tensor& part : result) part = -part;
      result.insert(result.begin(), f(all));
      return result;
    };
    State s = {call.output(), call.cotangent()};
    for (std::size_t i = 1; i <= 4; ++i) s.push_back(zeros(call.input(i).shape()));
    s = integrate(augmented, s, -time, steps);
    return Tensors{s[1], s[2], s[3], s[4], s[5]};
  };
  const auto forward = [=](const Tensor& from, const Tensor& w1, const Tensor& b1, const Tensor& w2, const Tensor& b2) {
    return on_tape(from, {w1, b1, w2, b2}, time, steps);
  };
  return custom("neural_ode", forward, back, z, w[0], w[1], w[2], w[3]);
}

struct Found {
  std::vector<double> gradient;
  std::size_t bytes;
};

/// The weights' gradients of a loss, in a row, and what the tape kept for them.
Found gradient_by(const Solver& solver, const Tensor& z, const Tensor& target, const State& w, std::int64_t steps) {
  Tape tape;
  const Tensor loss = nn::mse(solver(z, w, 2.0, steps), target);
  Found found{.gradient = {}, .bytes = tape.saved_bytes()};
  const Gradients gradients = tape.backward(loss);
  for (const Tensor& x : w)
    for (const double value : examples::numbers(gradients[x])) found.gradient.push_back(value);
  return found;
}

/// The largest difference, of the largest entry of a.
double difference(const Found& a, const Found& b) {
  double most = 0, size = 0;
  for (std::size_t i = 0; i < a.gradient.size(); ++i) {
    most = std::max(most, std::abs(a.gradient[i] - b.gradient[i]));
    size = std::max(size, std::abs(a.gradient[i]));
  }
  return most / size;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t steps = 4000, units = 50;
  examples::CommandLine line("neural_ode", "learns how a pendulum moves, through a solver of differential equations");
  line.seed(first_seed);
  line.flag("steps", steps, "steps of Adam", {1, 1000000}, 600);
  line.flag("units", units, "hidden units", {1, 10000});
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    const DefaultDType doubles(float64);
    // A pendulum with friction, let go near the top: angle φ and speed ω every 0.05; dφ/dt = ω, dω/dt = -sin φ - ω/10.
    const auto column = [](const Tensor& x, std::int64_t i) { return slice(x, 1, i, i + 1); };
    const Slope truth = [&](const State& z) {
      const Tensor angle = column(z[0], 0), speed = column(z[0], 1);
      return State{concatenate({speed, -sin(angle) - 0.1 * speed}, 1)};
    };
    const std::int64_t states = 500, horizon = 10;
    const double interval = 0.05;
    State path = {tensor({{2.5, 0.0}})};
    while (path.size() < states) path.push_back(integrate(truth, {path.back()}, interval, 5)[0]);
    const Tensor motion = concatenate(path, 0);

    State w = initial_weights(units);
    const Tensor some = slice(motion, 0, 0, 16), target = slice(motion, 0, 40, 56);
    const Found kept = gradient_by(on_tape, some, target, w, 100),
                again = gradient_by(recomputed, some, target, w, 100),
                adjoint = gradient_by(by_adjoint, some, target, w, 100);
    line.table({{"100 steps", "kept by the tape / KiB"},
                {"every step", fmt::format("{:.0f}", static_cast<double>(kept.bytes) / 1024)},
                {"recompute", fmt::format("{:.0f}", static_cast<double>(again.bytes) / 1024)},
                {"adjoint by hand", fmt::format("{:.0f}", static_cast<double>(adjoint.bytes) / 1024)}});
    line.claim("recompute: largest difference of a gradient, which sums each stretch first", difference(kept, again),
               {.maximum = 1e-14});
    line.claim("adjoint by hand: the same, from the discretisation", difference(kept, adjoint), {.maximum = 1e-6});
    line.claim("recompute: memory, of that for every step",
               static_cast<double>(again.bytes) / static_cast<double>(kept.bytes), {.maximum = 0.2});

    // Stretches of the motion from random places.
    nn::Adam optimizer(w);
    const nn::Schedule rate = nn::cosine_decay(0.01, steps);
    std::vector<double> losses;
    const auto train_once = [&](std::int64_t step) {
      optimizer.learning_rate(rate(step));
      const Tensor from = integers({32}, 0, states - horizon);
      Tape tape;
      const Tensor end = recomputed(take(motion, from), w, horizon * interval, horizon);
      const Tensor loss = nn::mse(end, take(motion, from + horizon));
      losses.push_back(loss.item());
      optimizer.step(tape.backward(loss));
    };
    checkpoints.repeat(steps, {{"optimizer", optimizer}, {"losses", losses}}, train_once);

    State learned = {path.front()};
    while (learned.size() < states) learned.push_back(integrate(slope_of(w), {learned.back()}, interval, 5)[0]);
    const Tensor predicted = detach(concatenate(learned, 0));
    line.claim("the whole motion from its first state: mean distance", mean(norm(predicted - motion, {1})).item(),
               {.maximum = line.quick() ? 0.2 : 0.05});
    const Tensor every = 2 * arange(states / 2), time = interval * every.to(float64);
    const Tensor right = take(motion, every), found = take(predicted, every);
    nn::Panel plane = {.title = "Angle and speed",
                       .x_label = "φ",
                       .y_label = "ω",
                       .traces = {examples::trace("truth", column(right, 0), column(right, 1)),
                                  examples::trace("learned", column(found, 0), column(found, 1))}};
    nn::Panel angles = {.title = "From the first state alone",
                        .x_label = "time",
                        .y_label = "φ",
                        .traces = {examples::trace("truth", time, column(right, 0)),
                                   examples::trace("learned", time, column(found, 0))}};
    nn::Panel training = {.title = "Training", .x_label = "1000 steps", .y_label = "loss", .y_logarithmic = true};
    nn::Trace curve;
    for (std::size_t i = 0; i < losses.size(); i += 20) {
      curve.x.push_back(static_cast<double>(i) / 1000);
      curve.y.push_back(losses[i]);
    }
    training.traces.push_back(curve);
    line.draw("pendulum", nn::Chart{.title = "A neural differential equation", .panels = {plane, angles, training}});
  });
}
