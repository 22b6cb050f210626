/// One linear layer: least squares in closed form against descent by single rows, mini-batches and all rows.
/// Lecture: Neural Networks 1

#include <autograd/autograd.hpp>
#include <autograd/text/words.hpp>
#include <autograd/xtensor.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/drawing.hpp>
#include <examples/training.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>
#include <xtensor-blas/xlinalg.hpp>

using namespace xgrad;

namespace {

constexpr std::int64_t features = 3;

/// W = (XᵀX)⁻¹XᵀD, where X (rows, features + 1) ends with a column of ones, for the bias.
Tensor closed_form(const Tensor& inputs, const Tensor& targets) {
  const Tensor x = concatenate({inputs, ones({inputs.shape(0), 1}, float64)}, 1);
  const Tensor gram = matmul(x, x, true, false), right = matmul(x, targets, true, false);
  const xt::xarray<double> w = xt::linalg::solve(as_xtensor<double>(gram), as_xtensor<double>(right));
  return from_xtensor(w);
}

/// The lecture's cost: half the squared error, averaged over the rows.
Tensor cost(const Tensor& prediction, const Tensor& target) {
  return nn::sse(prediction, target) / static_cast<double>(prediction.shape(0));
}

struct Mode {
  std::string name;
  std::int64_t batch;
  double learning_rate;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t epochs = 60, rows = 256;
  examples::CommandLine line("linear_regression", "fits a linear layer in closed form and by descent");
  line.seed(first_seed);
  line.epochs(epochs);
  line.flag("rows", rows, "examples", {8, 100000});
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    const Tensor x = normal({rows, features}, 0, 1, float64);
    const Tensor wanted = tensor({{2}, {-1}, {0.5}}, float64);
    const Tensor d = matmul(x, wanted) + 3.0 + normal({rows, 1}, 0, 0.5, float64);  // noise that no layer can follow
    const nn::Dataset data(x, d);

    const Tensor exact = closed_form(x, d);
    const Tensor exact_weight = slice(exact, 0, 0, features), exact_bias = slice(exact, 0, features, features + 1);
    const double least = cost(linear(x, exact_weight, reshape(exact_bias, {1})), d).item();
    line.result("least_cost", least);

    TextTable table = {{"descent", "rows a step", "steps an epoch", "cost − least", "largest error of W"}};
    nn::LinePlot plot = {.title = "Cost above that of least squares",
                         .x_label = "epoch",
                         .y_label = "cost − least cost",
                         .logarithmic = true};
    for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) plot.x.push_back(static_cast<double>(epoch));
    double full_batch_error = 0;
    for (const Mode& mode : {Mode{"online", 1, 0.01}, Mode{"mini-batch", 16, 0.05}, Mode{"full batch", rows, 0.3}}) {
      seed(first_seed);
      nn::Linear layer(features, 1);
      layer.to(float64);
      nn::SGD optimizer(layer.parameters(), {.learning_rate = mode.learning_rate});
      const nn::History history = nn::fit(
          layer, cost, optimizer, data,
          checkpoints.of({.epochs = epochs,
                          .batches = {.size = mode.batch, .shuffle = true, .seed = first_seed},
                          .metrics = {{"cost", [](const Tensor& p, const Tensor& t) { return cost(p, t).item(); }}}},
                         fmt::format("{}-rows", mode.batch)));
      std::vector<double> excess;
      for (const nn::EpochRecord& record : history.epochs)
        if (record.complete) excess.push_back(record.metrics[0] - least);
      const double error = std::max(max(abs(layer.weight - exact_weight)).item(),
                                    max(abs(layer.bias - reshape(exact_bias, {1}))).item());
      if (mode.batch == rows) full_batch_error = error;
      excess.resize(plot.x.size(), NAN);
      plot.series.push_back(
          {fmt::format("{}, {} an epoch", mode.name,
                       counted(static_cast<std::size_t>((rows + mode.batch - 1) / mode.batch), "step")),
           excess});
      table.push_back({mode.name, std::to_string(mode.batch), std::to_string(history.steps / epochs),
                       fmt::format("{:.1e}", excess.back()), fmt::format("{:.1e}", error)});
    }
    const std::vector<double> w = examples::numbers(exact);
    line.out() << fmt::format("closed form: w = {:.4f}, {:.4f}, {:.4f}, bias {:.4f}, cost {:.4f}\n", w[0], w[1], w[2],
                              w[3], least);
    line.out() << "made from    w = 2, -1, 0.5, bias 3, with noise of variance 0.25, of which half is 0.125\n";
    line.table(table);
    line.draw("cost", plot);
    line.claim("largest difference of W, descent in full batches and closed form:", full_batch_error,
               {.maximum = 1e-6});
  });
}
