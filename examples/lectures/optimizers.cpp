/// Optimizers: batch, mini-batch and stochastic descent, momentum; learning rates too small, right, too large.
/// Lecture: Introduction to Deep Learning II

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/drawing.hpp>
#include <examples/playground_data.hpp>
#include <examples/training.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

// A valley: f(x, y) = ½ (x² + 10 y²). Its curvatures are 1 and 10, so that descent converges for rates below 2/10, and
// best with 2/(1 + 10), where each step leaves (10 - 1)/(10 + 1) of the way (Nesterov 2004, theorem 2.1.15).
constexpr double flat = 1, steep = 10;
Tensor valley(const Tensor& point) { return 0.5 * sum(square(point) * tensor({flat, steep}, point.dtype())); }

struct Path {
  std::vector<double> x, y, loss;
};

Path descend(double learning_rate, double momentum, std::int64_t steps, examples::Checkpoints& checkpoints) {
  Tensor point = tensor({10, 1}, float64);
  point.requires_gradient();
  nn::SGD optimizer(std::vector<Tensor>{point}, {.learning_rate = learning_rate, .momentum = momentum});
  Path path;
  const auto note = [&] {
    path.x.push_back(point.item({0}));
    path.y.push_back(point.item({1}));
    path.loss.push_back(valley(point).item());
  };
  note();
  const auto step = [&](std::int64_t) {
    Tape tape;
    optimizer.step(tape.backward(valley(point)));
    note();
  };
  checkpoints.repeat(steps, {{"optimizer", optimizer}, {"x", path.x}, {"y", path.y}, {"loss", path.loss}}, step,
                     fmt::format("valley-{:.3f}", learning_rate));
  return path;
}

void show_valley(examples::CommandLine& line, examples::Checkpoints& checkpoints) {
  const std::int64_t steps = 40;
  const double best = 2 / (flat + steep);
  struct Setting {
    std::string name;
    double learning_rate, momentum;
  };
  const std::vector<Setting> settings = {{"too small: 0.01", 0.01, 0},
                                         {fmt::format("best: {:.3f}", best), best, 0},
                                         {"too large: 0.205", 0.205, 0},
                                         {"momentum 0.6: 0.1", 0.1, 0.6}};
  nn::Chart chart = {.title = "40 steps from (10, 1) in the valley ½(x² + 10 y²), by learning rate",
                     .columns = 2,
                     .width = 280,
                     .height = 130};
  TextTable table = {{"learning rate", "f after 40 steps", "theory"}};
  std::vector<double> last;
  for (const auto& [name, rate, momentum] : settings) {
    const Path path = descend(rate, momentum, steps, checkpoints);
    nn::Panel panel = {.title = name, .x_label = "x", .y_label = "y"};
    panel.surface = examples::surface(
        [](const Tensor& points) {
          return 0.5 * sum(square(points) * tensor({flat, steep}), {1});
        },
        {-11, 11}, {-3, 3});
    panel.surface->contours = {1, 10, 25, 50};
    panel.traces.push_back({.name = "steps", .x = path.x, .y = path.y, .mark = nn::Mark::both, .colour = "#D55E00"});
    chart.panels.push_back(panel);
    last.push_back(path.loss.back());
    // Without momentum every step multiplies x and y by 1 - rate·curvature.
    const auto after = [rate = rate](double start, double curvature) {
      return start * std::pow(1 - rate * curvature, steps);
    };
    const double theory = 0.5 * (flat * std::pow(after(10, flat), 2) + steep * std::pow(after(1, steep), 2));
    table.push_back(
        {name, fmt::format("{:.3e}", path.loss.back()), momentum == 0 ? fmt::format("{:.3e}", theory) : ""});
    if (momentum == 0)
      line.claim(name + ": f after 40 steps, of what theory says", path.loss.back() / theory,
                 {.minimum = 1 - 1e-9, .maximum = 1 + 1e-9});
  }
  line.table(table);
  line.draw("valley", chart);
  line.claim("momentum: f after 40 steps, of the best without", last[3] / last[1], {.maximum = 0.1});
}

/// Batch, mini-batch and stochastic descent over the contours of a linear regression with two weights.
void show_noise(examples::CommandLine& line, std::uint64_t first_seed, examples::Checkpoints& checkpoints) {
  const std::int64_t rows = 64;
  seed(first_seed);
  const Tensor x = normal({rows, 2}) * tensor({1, 0.5}),
               y = matmul(x, tensor({{1.5}, {-1}})) + normal({rows, 1}, 0, 0.5);
  nn::Chart chart = {
      .title = "The way of two weights over the mean squared error, 5 epochs", .width = 220, .height = 200};
  for (const std::int64_t batch : {rows, std::int64_t{8}, std::int64_t{1}}) {
    nn::Linear layer(2, 1, {.bias = false});
    layer.weight.assign(tensor({{-1.5}, {1.5}}));
    nn::SGD optimizer(layer.parameters(), {.learning_rate = batch == rows ? 0.3 : batch == 8 ? 0.1 : 0.05});
    nn::Trace way = {.name = "weights", .mark = nn::Mark::both, .colour = "#D55E00"};
    const auto note = [&] {
      way.x.push_back(layer.weight.item({0, 0}));
      way.y.push_back(layer.weight.item({1, 0}));
    };
    note();
    nn::FitOptions options = checkpoints.of({.epochs = 5,
                                             .batches = {.size = batch, .shuffle = true, .seed = first_seed},
                                             .on_step =
                                                 [&](const nn::StepRecord& record) {
                                                   if (batch > 1 || record.step % 4 == 3) note();  // every fourth
                                                   return nn::Next::go_on;
                                                 }},
                                            fmt::format("noise-{}", batch));
    options.checkpoint.also.insert({{"x", nn::saved_state(way.x)}, {"y", nn::saved_state(way.y)}});
    nn::fit(layer, nn::mse, optimizer, {x, y}, options);
    nn::Panel panel = {.title = batch == rows ? "batch (64 rows a step)"
                                : batch == 8  ? "mini-batch (8)"
                                              : "stochastic (1)",
                       .x_label = "w₁",
                       .y_label = "w₂"};
    panel.surface =
        examples::surface([&](const Tensor& weights) { return mean(square(matmul(x, weights, false, true) - y), {0}); },
                          {-2, 3}, {-3, 2});
    panel.surface->contours = {0.3, 0.5, 1, 2, 4, 8};
    panel.surface->label = "mean squared error";
    panel.traces.push_back(way);
    chart.panels.push_back(panel);
  }
  line.draw("noise", chart);
}

nn::Sequential net() {
  return nn::Sequential(nn::Linear(2, 16), nn::Tanh(), nn::Linear(16, 16), nn::Tanh(), nn::Linear(16, 1));
}

/// Trains a network on the Playground's circle and gives the loss of every epoch.
std::vector<double> losses(std::int64_t epochs, std::int64_t batch, double rate, double momentum,
                           std::uint64_t first_seed, examples::Checkpoints& checkpoints, const std::string& name) {
  const nn::Dataset data = examples::playground_data("circle", {.noise = 0.1, .seed = first_seed});
  seed(first_seed);
  nn::Sequential model = net();
  nn::SGD optimizer(model.parameters(), {.learning_rate = rate, .momentum = momentum});
  std::vector<double> result;
  try {
    const nn::FitOptions options =
        checkpoints.of({.epochs = epochs, .batches = {.size = batch, .shuffle = true, .seed = first_seed}}, name);
    for (const nn::EpochRecord& epoch : nn::fit(model, nn::mse, optimizer, data, options).epochs)
      result.push_back(epoch.loss);
  } catch (const nn::NonFiniteLoss& failure) {
    for (const nn::EpochRecord& epoch : failure.history.epochs)
      result.push_back(epoch.complete ? epoch.loss : INFINITY);
  }
  result.resize(static_cast<std::size_t>(epochs), NAN);
  return result;
}

void show_curves(examples::CommandLine& line, std::int64_t epochs, std::uint64_t first_seed,
                 examples::Checkpoints& checkpoints) {
  nn::LinePlot plot = {.title = "Circle with noise: loss by epoch",
                       .x_label = "epoch",
                       .y_label = "mean squared error",
                       .logarithmic = true};
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) plot.x.push_back(static_cast<double>(epoch));
  plot.series = {{"batch", losses(epochs, 500, 0.1, 0, first_seed, checkpoints, "batch")},
                 {"batch, momentum 0.9", losses(epochs, 500, 0.1, 0.9, first_seed, checkpoints, "momentum")},
                 {"mini-batch of 16", losses(epochs, 16, 0.1, 0, first_seed, checkpoints, "mini-batch")},
                 {"stochastic", losses(epochs, 1, 0.02, 0, first_seed, checkpoints, "stochastic")}};
  line.draw("curves", plot);
}

/// The range test (Smith 2017): while the rate rises from step to step the loss falls, fastest at a rate that suits,
/// until it explodes.
void range_test(examples::CommandLine& line, std::uint64_t first_seed, examples::Checkpoints& checkpoints) {
  const nn::Dataset data = examples::playground_data("circle", {.noise = 0.1, .seed = first_seed});
  const std::int64_t batch = 32, steps = 320;  // 20 epochs of 16 batches
  const double lowest = 1e-4, highest = 10;
  seed(first_seed);
  nn::Sequential model = net();
  nn::SGD optimizer(model.parameters());
  nn::Trace curve = {.name = "loss, smoothed", .mark = nn::Mark::line};
  double smooth = 0, least = INFINITY;
  try {
    const auto rising = [&](std::int64_t step) {
      return lowest * std::pow(highest / lowest, static_cast<double>(step) / static_cast<double>(steps));
    };
    const auto exploded = [&] { return smooth > 4 * least; };
    const auto note = [&](const nn::StepRecord& record) {
      if (exploded()) return nn::Next::stop;  // in the run that this one goes on from
      smooth = record.step == 0 ? record.loss : 0.9 * smooth + 0.1 * record.loss;
      least = std::min(least, smooth);
      curve.x.push_back(record.learning_rate);
      curve.y.push_back(smooth);
      return exploded() ? nn::Next::stop : nn::Next::go_on;
    };
    nn::FitOptions options = checkpoints.of({.epochs = 20,
                                             .batches = {.size = batch, .shuffle = true, .seed = first_seed},
                                             .schedule = rising,
                                             .on_step = note},
                                            "range-test");
    options.checkpoint.also.insert({{"smooth", nn::saved_state(smooth)},
                                    {"least", nn::saved_state(least)},
                                    {"rates", nn::saved_state(curve.x)},
                                    {"losses", nn::saved_state(curve.y)}});
    nn::fit(model, nn::mse, optimizer, data, options);
  } catch (const nn::NonFiniteLoss&) {  // the end that is looked for
  }
  const auto lowest_loss = std::min_element(curve.y.begin(), curve.y.end()) - curve.y.begin();
  const double suggestion = curve.x[static_cast<std::size_t>(lowest_loss)] / 3;  // well before it turns
  nn::Panel panel = {.title = "Learning-rate range test",
                     .x_label = "learning rate",
                     .y_label = "mean squared error",
                     .traces = {curve},
                     .x_logarithmic = true};
  panel.traces.push_back(
      {.name = fmt::format("suggestion {:.2g}", suggestion), .x = {suggestion, suggestion}, .y = {0, curve.y.front()}});
  line.draw("range_test", nn::Chart{.panels = {panel}, .width = 420, .height = 220});
  const std::int64_t epochs = 20;
  const auto last_loss = [&](double rate, const std::string& name) {
    return losses(epochs, batch, rate, 0, first_seed, checkpoints, name).back();
  };
  const double small = last_loss(suggestion / 100, "small"), right = last_loss(suggestion, "right"),
               large = last_loss(suggestion * 30, "large");
  line.table({{"learning rate", "loss after 20 epochs"},
              {fmt::format("{:.2g}, a hundredth", suggestion / 100), fmt::format("{:.4f}", small)},
              {fmt::format("{:.2g}, as suggested", suggestion), fmt::format("{:.4f}", right)},
              {fmt::format("{:.2g}, 30 times", suggestion * 30), fmt::format("{:.4f}", large)}});
  line.result("suggested_learning_rate", suggestion);
  line.claim("the suggested rate: loss, of that of a hundredth", right / small, {.maximum = 0.5});
  line.claim("the suggested rate: loss, of that of 30 times the rate", std::isfinite(large) ? right / large : 0.0,
             {.maximum = 0.7});
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t epochs = 60;
  examples::CommandLine line("optimizers", "shows the ways that optimizers take, and finds a learning rate");
  line.seed(first_seed);
  line.epochs(epochs, 20);
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    show_valley(line, checkpoints);
    show_noise(line, first_seed, checkpoints);
    show_curves(line, epochs, first_seed, checkpoints);
    range_test(line, first_seed, checkpoints);
  });
}
