/// Losses: squared, absolute and Huber's error with outliers; what cross-entropies charge for a mistake.
/// Lecture: Introduction to Deep Learning II

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/drawing.hpp>
#include <examples/training.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

using Loss = std::function<Tensor(const Tensor&, const Tensor&)>;
struct NamedLoss {
  std::string name;
  Loss loss;
};
const std::vector<NamedLoss> regression_losses = {
    {"squared error (MSE)", [](const Tensor& p, const Tensor& t) { return nn::mse(p, t); }},
    {"absolute error (MAE)", [](const Tensor& p, const Tensor& t) { return nn::mae(p, t); }},
    {"Huber, δ = 1", [](const Tensor& p, const Tensor& t) { return nn::huber(p, t); }},
};

/// y = 2x + 1 with a little noise; of the share of points that are outliers, y is far below.
nn::Dataset line_with_outliers(double share) {
  const std::int64_t n = 60;
  const Tensor x = uniform({n, 1}, -2, 2, float64);
  const Tensor y = 2.0 * x + 1.0 + normal({n, 1}, 0, 0.2, float64);
  const auto outliers = static_cast<std::int64_t>(std::lround(share * static_cast<double>(n)));
  const Tensor is_outlier = concatenate({ones({outliers, 1}, float64), zeros({n - outliers, 1}, float64)});
  return {x, where(is_outlier, y - 6.0 - 3.0 * x, y)};
}

/// Slope and offset that make the loss least.
nn::Linear fitted(const nn::Dataset& data, const Loss& loss, std::int64_t steps, examples::Checkpoints& checkpoints,
                  const std::string& name) {
  nn::Linear layer(1, 1);
  layer.to(float64);
  nn::Adam optimizer(layer.parameters());
  const nn::Schedule rate = nn::cosine_decay(0.1, steps);
  const auto [x, y] = data.all();
  const auto train_once = [&, x = x, y = y](std::int64_t step) {
    optimizer.learning_rate(rate(step));
    Tape tape;
    optimizer.step(tape.backward(loss(layer(x), y)));
  };
  checkpoints.repeat(steps, {{"layer", layer}, {"optimizer", optimizer}}, train_once, name);
  return layer;
}

/// What cross-entropies charge for label 1, of two classes or of three, when it gets the probability p.
void classification_table(examples::CommandLine& line) {
  TextTable table = {{"probability of the label", "binary (BCE)", "one-hot (CE), 3 classes", "−ln p", "lecture"}};
  for (const auto& [p, lecture] :
       std::vector<std::pair<double, std::string>>{{0.99, "0.01"}, {0.5, ""}, {0.01, "4.6"}}) {
    const double bce = nn::binary_cross_entropy(tensor({p}, float64), tensor({1.0}, float64)).item();
    const double rest = std::log((1 - p) / 2);  // softmax of logarithms gives the probabilities back
    const double ce =
        nn::cross_entropy(tensor({{rest, std::log(p), rest}}, float64), tensor({{0, 1, 0}}, float64)).item();
    table.push_back({fmt::format("{}", p), fmt::format("{:.4f}", bce), fmt::format("{:.4f}", ce),
                     fmt::format("{:.4f}", -std::log(p)), lecture});
    line.result(fmt::format("bce_of_{}", p), bce);
    line.claim(fmt::format("BCE and CE at p = {} differ from −ln p by", p),
               std::max(std::abs(bce + std::log(p)), std::abs(ce + std::log(p))), {.maximum = 1e-12});
    if (!lecture.empty())
      line.claim(fmt::format("in the lecture's digits, p = {} costs", p),
                 std::round(bce * (p > 0.5 ? 100 : 10)) / (p > 0.5 ? 100 : 10),
                 {.minimum = std::stod(lecture), .maximum = std::stod(lecture)});
  }
  line.out() << "\ncross-entropy of label 1 / nat\n";
  line.table(table, 0);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t steps = 2000;
  examples::CommandLine line("losses", "compares losses for regression with outliers and for classes");
  line.seed(first_seed);
  line.flag("steps", steps, "steps of each fit", {10, 1000000}, 500);
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    classification_table(line);

    line.out() << "\nfits of y = 2x + 1 with outliers far below\n";
    TextTable table = {{"outliers", "loss", "slope", "offset"}};
    nn::Chart chart = {.title = "Fits of y = 2x + 1 with outliers", .width = 240, .height = 240};
    double worst_robust = 0, squared_offset = 0;
    for (const double share : {0.0, 0.1, 0.3}) {
      seed(first_seed);
      const nn::Dataset data = line_with_outliers(share);
      nn::Panel panel = {
          .title = fmt::format("{:.0f} % outliers", 100 * share), .x_label = "x", .y_label = "y", .y_range = {{-8, 6}}};
      const auto [x, y] = data.all();
      panel.traces.push_back(examples::trace("data", x, y, nn::Mark::points));
      const Tensor ends = tensor({{-2}, {2}}, float64);
      for (const auto& [name, loss] : regression_losses) {
        const nn::Linear layer =
            fitted(data, loss, steps, checkpoints,
                   fmt::format("{}-of-{:.0f}-percent", name.substr(0, name.find_first_of(" ,")), 100 * share));
        const double slope = layer.weight.item(), offset = layer.bias.item();
        table.push_back(
            {fmt::format("{:.0f} %", 100 * share), name, fmt::format("{:.3f}", slope), fmt::format("{:.3f}", offset)});
        panel.traces.push_back(examples::trace(name, ends, layer(ends)));
        if (name.starts_with("absolute")) worst_robust = std::max(worst_robust, std::abs(slope - 2));
        if (name.starts_with("squared")) squared_offset = offset;
      }
      chart.panels.push_back(panel);
    }
    line.table(table, 2);
    line.draw("outliers", chart);
    // The squared error's mean of the residuals is 0: 30 % outliers, on average 6 below, take 1.8 off the offset.
    line.claim("MSE with 30 % outliers: the offset is off by", std::abs(squared_offset - 1), {.minimum = 1});
    line.claim("MAE: the slope is off, at most, by", worst_robust, {.maximum = 0.2});
  });
}
