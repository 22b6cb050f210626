/// A generative adversarial network: eight Gaussians on a circle, a penalty on the critic's gradient, modes counted.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include "command_line.hpp"
#include "drawing.hpp"
#include "training.hpp"

#include <fmt/core.h>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

constexpr std::int64_t modes = 8;
constexpr double radius = 2, spread = 0.05;

Tensor centres() {
  const Tensor angle = arange(modes, float32) * (2 * std::numbers::pi / modes);
  return radius * stack({cos(angle), sin(angle)}, 1);
}

Tensor real_points(std::int64_t count) {
  return take(centres(), integers({count}, 0, modes)) + normal({count, 2}, 0, spread);
}

nn::Sequential network(std::int64_t inputs, std::int64_t units, std::int64_t outputs) {
  return nn::Sequential(nn::Linear(inputs, units), nn::ReLU(), nn::Linear(units, units), nn::ReLU(),
                        nn::Linear(units, units), nn::ReLU(), nn::Linear(units, outputs));
}

/// Points within four standard deviations of a centre, by centres.
std::array<std::int64_t, modes> hits(const Tensor& points) {
  const Tensor distance = norm(unsqueeze(points, 1) - centres(), {2}), nearest = argmin(distance, 1);
  std::array<std::int64_t, modes> count{};
  for (std::int64_t i = 0; i < points.shape(0); ++i) {
    const auto mode = nearest.values<std::int64_t>()[static_cast<std::size_t>(i)];
    if (distance.item({i, mode}) < 4 * spread) ++count[static_cast<std::size_t>(mode)];
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t steps = 6000, batch = 256, units = 64, samples = 2000;
  double penalty_weight = 0.1;
  examples::CommandLine line("gan", "learns to draw from eight Gaussians");
  line.seed(first_seed);
  line.flag("steps", steps, "steps of both networks", {1, 1000000}, 1000);
  line.batch(batch);
  line.flag("units", units, "hidden units of each of three layers", {1, 10000});
  line.flag("penalty", penalty_weight, "weight of the penalty on the critic's gradient", {0, 1e6});
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    const std::int64_t noise = 2;
    nn::Sequential generator = network(noise, units, 2), critic = network(2, units, 1);
    nn::Adam generator_step(generator.parameters(), {.beta1 = 0.5, .beta2 = 0.9});
    nn::Adam critic_step(critic.parameters(), {.beta1 = 0.5, .beta2 = 0.9});
    const nn::Schedule rate = nn::cosine_decay(1e-3, steps);
    nn::Chart chart = {.title = "Samples of the generator, and the critic's opinion", .columns = 2};
    std::array<std::int64_t, modes> found{};
    const auto look = [&](std::int64_t step) {
      const Tensor points = generator(normal({samples, noise}));
      found = hits(points);
      nn::Panel panel = {.title = fmt::format("after {} steps", step), .x_label = "x₁", .y_label = "x₂"};
      panel.surface = examples::surface(critic, {-3, 3}, {-3, 3}, 24);
      const Tensor few = slice(points, 0, 0, 64);
      panel.traces = {
          examples::trace("generated", slice(few, 1, 0, 1), slice(few, 1, 1, 2), nn::Mark::points),
          examples::trace("centres", slice(centres(), 1, 0, 1), slice(centres(), 1, 1, 2), nn::Mark::points)};
      panel.x_range = panel.y_range = {{-3, 3}};
      chart.panels.push_back(panel);
    };
    const auto train = [&](std::int64_t step) {
      generator_step.learning_rate(rate(step));
      critic_step.learning_rate(rate(step));
      for (int i = 0; i < 3; ++i) {
        // Wasserstein's distance, with a critic whose slope is 1 between true points and false ones (Gulrajani et al.
        // 2017, algorithm 1).
        const Tensor real = real_points(batch), fake = detach(generator(normal({batch, noise})));
        const Tensor between = fake + uniform({batch, 1}) * (real - fake);
        Tape tape;
        const Tensor slope = gradient([&](const Tensor& x) { return sum(critic(x)); }, between);
        const Tensor penalty = mean(square(norm(slope, {1}) - 1.0));
        critic_step.step(tape.backward(mean(critic(fake)) - mean(critic(real)) + penalty_weight * penalty));
      }
      Tape tape;
      const Tensor loss = -mean(critic(generator(normal({batch, noise}))));
      generator_step.step(tape.backward(loss, {.only = generator.parameters()}));  // and no work for the critic's
    };
    const std::vector<nn::CheckpointPart> parts = {
        {"generator", generator}, {"critic", critic}, {"generator_step", generator_step}, {"critic_step", critic_step}};
    // In pieces, each with a checkpoint of its own: what is looked at between them is drawn again by a run that goes
    // on.
    std::int64_t begin = 0;
    for (const std::int64_t end : {steps / 20, steps / 4, steps}) {
      if (end == begin) continue;
      look(begin);
      checkpoints.repeat(
          end - begin, parts, [&](std::int64_t step) { train(begin + step); }, fmt::format("{}-steps", end));
      begin = end;
    }
    look(steps);
    const auto share = static_cast<std::int64_t>(0.25 * static_cast<double>(samples) / modes);
    std::int64_t close = 0, complete = 0;
    TextTable table = {{"mode", "samples near it"}};
    for (std::size_t i = 0; i < found.size(); ++i) {
      close += found[i];
      complete += found[i] >= share;
      table.push_back({std::to_string(i), std::to_string(found[i])});
    }
    line.table(table);
    line.claim("modes with a quarter of their share of the samples or more", static_cast<double>(complete),
               {.minimum = line.quick() ? 4.0 : 8.0});
    line.claim("samples within four standard deviations of a centre",
               static_cast<double>(close) / static_cast<double>(samples), {.minimum = line.quick() ? 0.2 : 0.7});
    line.draw("samples", chart);
  });
}
