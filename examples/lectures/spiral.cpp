/// The Playground's six data sets, the spiral the hardest: decision regions, and how few units suffice.
/// Lecture: Neural Networks 1

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/drawing.hpp>
#include <examples/playground_data.hpp>
#include <examples/training.hpp>

#include <fmt/core.h>
#include <cstdint>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

/// One number in (-1, 1) for each point, by two hidden layers of tanh. The features are the Playground's x₁, x₂ and, as
/// an aid, sin x₁ and sin x₂.
struct Net : nn::Module {
  bool with_sines;
  nn::Linear hidden1, hidden2, output;

  Net(std::int64_t units, bool sines)
      : with_sines(sines),
        hidden1(add("hidden1", nn::Linear(sines ? 4 : 2, units))),
        hidden2(add("hidden2", nn::Linear(units, units))),
        output(add("output", nn::Linear(units, 1))) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor features = with_sines ? concatenate({x, sin(x)}, 1) : x;
    return tanh(output(tanh(hidden2(tanh(hidden1(features))))));
  }
};

/// How often the sign is right.
double sign_accuracy(const Tensor& predictions, const Tensor& targets) {
  return mean(gt(predictions * targets, 0.0)).item();
}

struct Settings {
  std::uint64_t seed = 1;
  std::int64_t epochs = 400;
  double learning_rate = 0.01;
  double noise = 0;
};

struct Trained {
  Net net;
  nn::Dataset train, test;
  nn::Evaluation result;
};

/// Half of 500 points to train, half to test, as in the Playground.
Trained train(const std::string& name, std::int64_t units, bool sines, const Settings& settings,
              examples::Checkpoints& checkpoints) {
  const nn::Dataset all = examples::playground_data(name, {.noise = settings.noise, .seed = settings.seed});
  auto [train, test] = all.split(all.size() / 2);
  seed(settings.seed);
  Net net(units, sines);
  nn::Adam optimizer(net.parameters(), {.learning_rate = settings.learning_rate});
  nn::fit(net, nn::mse, optimizer, train,
          checkpoints.of({.epochs = settings.epochs,
                          .batches = {.size = 10, .shuffle = true, .seed = settings.seed},
                          .stopping = {.training_loss = 1e-3}},
                         fmt::format("{}-{}{}", name, units, sines ? "-sines" : "")));
  const nn::Evaluation result =
      nn::evaluate(net, nn::mse, test, {.metrics = {{"accuracy", sign_accuracy}, {"R²", nn::r2_score}}});
  return {net, train, test, result};
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  std::int64_t units = 8;
  examples::CommandLine line("spiral", "learns the Playground's six data sets with two hidden layers of tanh");
  line.seed(settings.seed);
  line.epochs(settings.epochs);
  line.learning_rate(settings.learning_rate);
  line.flag("units", units, "units of each hidden layer", {1, 1000});
  line.flag("noise", settings.noise, "noise of the data, as in the Playground", {0, 0.5});
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    nn::Chart chart = {.title = fmt::format("2-{}-{}-1, tanh: output from −1 (orange) to 1 (blue)", units, units),
                       .width = 180,
                       .height = 180};
    TextTable table = {{"data set", "test loss", "accuracy", "R²"}};
    double spiral_accuracy = 0;
    for (const examples::PlaygroundDataSet& set : examples::playground_data_sets()) {
      const Trained trained = train(set.name, units, true, settings, checkpoints);
      const double accuracy = trained.result.metrics[0], r2 = trained.result.metrics[1];
      table.push_back({set.name, fmt::format("{:.4f}", trained.result.loss),
                       set.regression ? "" : fmt::format("{:.3f}", accuracy), fmt::format("{:.3f}", r2)});
      chart.panels.push_back(examples::regions(set.name, trained.net, trained.test, 20));
      if (set.name == "spiral") spiral_accuracy = accuracy;
      if (set.regression)
        line.result(set.name + "_r2", r2);
      else
        line.result(set.name + "_accuracy", accuracy);
    }
    line.table(table);
    line.draw("regions", chart);
    if (settings.noise == 0) line.claim("spiral: test accuracy", spiral_accuracy, {.minimum = 0.99});

    line.out() << "\nhow few units suffice for the spiral\n";
    TextTable widths = {{"units a layer", "accuracy with x₁, x₂", "and with sin x₁, sin x₂"}};
    nn::LinePlot plot = {.title = "Spiral: how few units suffice",
                         .x_label = "units of each hidden layer",
                         .y_label = "test accuracy",
                         .series = {{"x₁, x₂", {}}, {"x₁, x₂, sin x₁, sin x₂", {}}}};
    for (const std::int64_t few :
         line.quick() ? std::vector<std::int64_t>{2, 6} : std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 8, 12}) {
      plot.x.push_back(static_cast<double>(few));
      widths.push_back({std::to_string(few)});
      for (const bool sines : {false, true}) {
        const double accuracy = train("spiral", few, sines, settings, checkpoints).result.metrics[0];
        plot.series[sines].y.push_back(accuracy);
        widths.back().push_back(fmt::format("{:.3f}", accuracy));
      }
    }
    line.table(widths, 0);
    line.draw("units", plot);
    line.result("spiral_accuracy_by_units", plot.series[1].y);
  });
}
