/// Physics-informed networks: Poisson's equation, heat and a beam, by derivatives of a network inside the loss.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include "command_line.hpp"
#include "drawing.hpp"
#include "training.hpp"

#include <fmt/core.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

using namespace xgrad;
using std::numbers::pi;

namespace {

using Function = std::function<Tensor(const Tensor&)>;

/// The derivative of this order of a function of single points x (n, 1). While a tape records, so does this.
Tensor derivative(const Function& f, const Tensor& x, int order) {
  if (order == 0) return f(x);
  return gradient([&](const Tensor& v) { return sum(derivative(f, v, order - 1)); }, x);
}

Tensor mean_square(const Tensor& residual) { return mean(square(residual)); }

double largest(const Tensor& error) { return max(abs(error)).item(); }

/// One hidden layer of tanh (two where there are two numbers of units), whose units begin spread over the interval.
struct Network : nn::Module {
  nn::Linear hidden, output;

  Network(std::int64_t inputs, std::int64_t units)
      : hidden(add("hidden", nn::Linear(inputs, units))), output(add("output", nn::Linear(units, 1))) {
    nn::init::uniform(hidden.weight, -4, 4);
    nn::init::uniform(hidden.bias, -4, 4);
  }
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
};

/// Trains by Adam with a rate that falls to nothing; milliseconds a step of this run.
double train(Network& net, const std::function<Tensor()>& loss, std::int64_t steps, double rate,
             examples::Checkpoints& checkpoints, const std::string& name) {
  nn::Adam optimizer(net.parameters());
  const nn::Schedule schedule = nn::cosine_decay(rate, steps);
  const auto begin = std::chrono::steady_clock::now();
  const auto train_once = [&](std::int64_t step) {
    optimizer.learning_rate(schedule(step));
    Tape tape;
    optimizer.step(tape.backward(loss()));
  };
  const std::int64_t done = checkpoints.repeat(steps, {{"net", net}, {"optimizer", optimizer}}, train_once, name);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count() /
         static_cast<double>(std::max<std::int64_t>(done, 1));
}

struct Solution {
  std::string name;
  double error;
  double bound;
  double step_ms;
  nn::Panel panel;
};

nn::Panel compare(std::string title, const std::string& y_label, const Tensor& x, const Tensor& u,
                  const Tensor& exact) {
  return {.title = std::move(title),
          .x_label = "x",
          .y_label = y_label,
          .traces = {examples::trace("exact", x, exact), examples::trace("network", x, u, nn::Mark::points)}};
}

/// -u'' = π² sin πx + 2.25 π² sin 3πx on (0, 1), u = 0 at both ends: u = sin πx + sin 3πx / 4. The factor x (1 - x)
/// gives the ends their values.
Solution poisson(std::int64_t points, std::int64_t units, std::int64_t steps, examples::Checkpoints& checkpoints) {
  Network net(1, units);
  const Function u = [&](const Tensor& x) { return x * (1.0 - x) * net(x); };
  const Tensor x = examples::evenly(0, 1, points), source = pi * pi * (sin(pi * x) + 2.25 * sin(3 * pi * x));
  const double ms = train(
      net, [&] { return mean_square(derivative(u, x, 2) + source); }, steps, 0.02, checkpoints, "poisson");
  const Tensor fine = examples::evenly(0, 1, 501), exact = sin(pi * fine) + sin(3 * pi * fine) / 4.0;
  const Tensor drawn = examples::evenly(0, 1, 21);
  nn::Panel panel = compare("−u″ = f (Poisson)", "u", fine, u(fine), exact);
  panel.traces[1] = examples::trace("network", drawn, u(drawn), nn::Mark::points);
  return {"Poisson", largest(u(fine) - exact), 1e-4, ms, std::move(panel)};
}

/// u_t = κ u_xx on (0, 1) × (0, 1), u = 0 at both ends, u = sin πx at first: u = sin πx exp(-κ π² t).
Solution heat(std::int64_t units, std::int64_t steps, examples::Checkpoints& checkpoints) {
  const double kappa = 0.1;
  Network net(2, units);
  const auto u = [&](const Tensor& x, const Tensor& t) {
    return sin(pi * x) + t * x * (1.0 - x) * net(concatenate({x, t}, 1));
  };
  const Tensor x = uniform({512, 1}, 0, 1), t = uniform({512, 1}, 0, 1);
  const auto residual = [&] {
    const Tensor in_time = derivative([&](const Tensor& v) { return u(x, v); }, t, 1);
    return in_time - kappa * derivative([&](const Tensor& v) { return u(v, t); }, x, 2);
  };
  const double ms = train(
      net, [&] { return mean_square(residual()); }, steps, 0.02, checkpoints, "heat");
  double error = 0;
  nn::Panel panel = {.title = "u_t = κ u_xx (heat)", .x_label = "x", .y_label = "t"};
  panel.surface = examples::surface(
      [&](const Tensor& points) {
        const Tensor at = slice(points, 1, 0, 1), when = slice(points, 1, 1, 2), value = u(at, when);
        error = largest(value - sin(pi * at) * exp(-kappa * pi * pi * when));
        return value;
      },
      {0, 1}, {0, 1}, 32);
  panel.surface->label = "u(x, t)";
  panel.surface->contours = {0.2, 0.4, 0.6, 0.8};
  return {"heat", error, 1e-3, ms, std::move(panel)};
}

/// u'''' = 1 on (0, 1), clamped at 0 (u = u' = 0, by the factor x²), free at 1 (u'' = u''' = 0, in the loss):
/// u = x² (6 - 4x + x²) / 24.
Solution beam(std::int64_t points, std::int64_t units, std::int64_t steps, examples::Checkpoints& checkpoints) {
  Network net(1, units);
  const Function u = [&](const Tensor& x) { return square(x) * net(x); };
  const Tensor x = examples::evenly(0, 1, points), end = ones({1, 1});
  const auto loss = [&] {
    return mean_square(derivative(u, x, 4) - 1.0) + mean_square(derivative(u, end, 2)) +
           mean_square(derivative(u, end, 3));
  };
  const double ms = train(net, loss, steps, 0.005, checkpoints, "beam");
  const Tensor fine = examples::evenly(0, 1, 41), exact = square(fine) * (6.0 - 4.0 * fine + square(fine)) / 24.0;
  return {"beam", largest(u(fine) - exact), 1e-3, ms, compare("u⁗ = 1 (beam)", "u", fine, u(fine), exact)};
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t points = 64, units = 32, steps = 3000;
  examples::CommandLine line("pinn", "solves three differential equations by networks that know nothing else");
  line.seed(first_seed);
  line.flag("points", points, "where Poisson's and the beam's equation are to hold", {4, 100000});
  line.flag("units", units, "hidden units", {1, 10000});
  line.flag("steps", steps, "steps of Adam", {1, 1000000});
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    const DefaultDType doubles(float64);
    TextTable table = {{"equation", "largest error", "ms a step"}};
    nn::Chart chart = {.title = "Solutions"};
    const std::vector<std::function<Solution()>> equations = {
        [&] { return poisson(points, units, steps, checkpoints); }, [&] { return heat(units, steps, checkpoints); },
        [&] { return beam(points, units, steps, checkpoints); }};
    for (const auto& solve : equations) {
      seed(first_seed);
      const Solution solution = solve();
      table.push_back({solution.name, fmt::format("{:.1e}", solution.error), fmt::format("{:.3f}", solution.step_ms)});
      chart.panels.push_back(solution.panel);
      line.result(solution.name + "_step_ms", solution.step_ms);
      line.claim(solution.name + ": largest error of u", solution.error, {.maximum = solution.bound});
    }
    line.table(table);
    line.draw("solutions", chart);
  });
}
