/// Universal approximation: with more hidden units one hidden layer comes closer to any continuous function.
/// Lecture: Deep Learning, lecture 3

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/drawing.hpp>
#include <examples/training.hpp>

#include <fmt/core.h>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

/// Something that is not simple: sin(3x) and a hill, on [-2, 2].
Tensor target(const Tensor& x) { return 0.6 * sin(3.0 * x) + 0.8 * exp(-8.0 * square(x - 0.7)); }

/// Σ_j w_j·tanh(u_j·x + c_j) + b. Units begin steep, with their bends spread over the interval.
struct Net : nn::Module {
  nn::Linear hidden, output;

  explicit Net(std::int64_t units)
      : hidden(add("hidden", nn::Linear(1, units))), output(add("output", nn::Linear(units, 1))) {
    const Tensor steepness = uniform({1, units}, 1, 4) * sign(normal({1, units}));
    hidden.weight.assign(steepness);
    hidden.bias.assign(reshape(steepness * uniform({1, units}, -2, 2), {units}));
  }
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t steps = 8000;
  examples::CommandLine line("approximation", "approximates a function by 3, 10 and 100 hidden units");
  line.seed(first_seed);
  line.flag("steps", steps, "steps of Adam on 200 points", {1, 1000000}, 2000);
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    const Tensor x = examples::evenly(-2, 2, 200), y = target(x), fine = examples::evenly(-2, 2, 81);
    nn::Chart chart = {
        .title = "One hidden layer of tanh; gray: what each of its units adds", .width = 240, .height = 220};
    TextTable table = {{"hidden units", "weights", "root mean square error", "largest error"}};
    std::vector<double> errors;
    for (const std::int64_t units : {3, 10, 100}) {
      seed(first_seed);
      Net net(units);
      nn::Adam optimizer(net.parameters());
      const nn::Schedule rate = nn::cosine_decay(0.01, steps);
      const auto train_once = [&](std::int64_t step) {
        optimizer.learning_rate(rate(step));
        Tape tape;
        optimizer.step(tape.backward(nn::mse(net(x), y)));
      };
      checkpoints.repeat(steps, {{"net", net}, {"optimizer", optimizer}}, train_once, fmt::format("{}-units", units));
      const Tensor error = abs(net(fine) - target(fine));
      errors.push_back(std::sqrt(mean(square(error)).item()));
      table.push_back({std::to_string(units), std::to_string(net.parameter_count()),
                       fmt::format("{:.5f}", errors.back()), fmt::format("{:.5f}", max(error).item())});

      nn::Panel panel = {.title = fmt::format("{} units", units), .x_label = "x", .y_label = "y", .y_range = {{-2, 2}}};
      // What each unit adds: w_j·tanh(u_j·x + c_j).
      const Tensor coarse = examples::evenly(-2, 2, units > 10 ? 9 : 21);
      const Tensor parts = tanh(net.hidden(coarse)) * transpose(net.output.weight);
      nn::Trace all = {.colour = "#aaaaaa"};
      for (std::int64_t unit = 0; unit < units; ++unit) {
        const nn::Trace part = examples::trace("", coarse, slice(parts, 1, unit, unit + 1));
        all.x.insert(all.x.end(), part.x.begin(), part.x.end());
        all.y.insert(all.y.end(), part.y.begin(), part.y.end());
        all.x.push_back(NAN);  // a gap
        all.y.push_back(NAN);
      }
      panel.traces.push_back(all);
      panel.traces.push_back(examples::trace("target", fine, target(fine)));
      panel.traces.push_back(examples::trace("approximation", fine, net(fine)));
      chart.panels.push_back(panel);
    }
    line.table(table, 0);
    line.draw("approximation", chart);
    line.result("root_mean_square_errors", errors);
    line.claim("10 units: error, of that of 3", errors[1] / errors[0], {.maximum = 0.5});
    line.claim("100 units: error, of that of 10", errors[2] / errors[1], {.maximum = 0.8});
  });
}
