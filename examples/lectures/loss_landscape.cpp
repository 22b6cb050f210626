/// The loss around a minimum, on a filter-normalised plane, with and without skip connections; sharpness by H·v.
/// Lecture: Basic neural network architectures

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

constexpr std::int64_t width = 12;

/// Weight and bias of each layer: 2 to width, `depth` times width to width, width to 1.
using Weights = std::vector<Tensor>;

Weights initial(std::int64_t depth) {
  Weights weights;
  for (std::int64_t i = 0; i < depth + 2; ++i) {
    const std::int64_t in = i == 0 ? 2 : width, out = i == depth + 1 ? 1 : width;
    Tensor weight = zeros({in, out}), bias = zeros({out});
    nn::init::xavier_normal(weight);
    weights.insert(weights.end(), {weight.requires_gradient(), bias.requires_gradient()});
  }
  return weights;
}

/// A deep network of tanh; with skips every hidden layer adds to what goes into it (He et al. 2016).
Tensor output(const Weights& w, Tensor x, bool skips) {
  x = tanh(linear(x, w[0], w[1]));
  for (std::size_t i = 2; i + 2 < w.size(); i += 2) {
    const Tensor next = tanh(linear(x, w[i], w[i + 1]));
    x = skips ? x + next : next;
  }
  return linear(x, w[w.size() - 2], w.back());
}

/// A random direction whose part in each unit's incoming weights is as long as these are; none in biases (Li et al.
/// 2018, section 4).
Weights direction(const Weights& weights) {
  Weights result;
  for (const Tensor& w : weights) {
    if (w.rank() < 2) {
      result.push_back(zeros(w.shape()));
      continue;
    }
    const Tensor d = normal(w.shape());
    result.push_back(d * (norm(w, {0}, true) / norm(d, {0}, true)));
  }
  return result;
}

Weights moved(const Weights& w, const Weights& a, double alpha, const Weights& b, double beta) {
  Weights result;
  for (std::size_t i = 0; i < w.size(); ++i) result.push_back(detach(w[i]) + alpha * a[i] + beta * b[i]);
  return result;
}

double length(const Weights& v) {
  double squares = 0;
  for (const Tensor& part : v) squares += sum(square(part)).item();
  return std::sqrt(squares);
}

/// The largest eigenvalue of the Hessian and its unit vector, by power iteration with Hessian-vector products.
std::pair<double, Weights> sharpness(const FunctionOf<std::vector<Tensor>>& loss, const Weights& w,
                                     std::int64_t iterations) {
  Weights v;
  for (const Tensor& part : w) v.push_back(normal(part.shape()));
  double eigenvalue = 0;
  examples::repeat(iterations, [&](std::int64_t) {
    const double size = length(v);
    for (Tensor& part : v) part = part / size;
    Weights product = hessian_vector_product(loss, w, v);
    eigenvalue = 0;
    for (std::size_t i = 0; i < v.size(); ++i) eigenvalue += sum(v[i] * product[i]).item();
    v = std::move(product);
  });
  const double size = length(v);
  for (Tensor& part : v) part = part / size;
  return {eigenvalue, v};
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t depth = 12, steps = 1500, cells = 31;
  examples::CommandLine line("loss_landscape", "looks at the loss around a minimum, with and without skip connections");
  line.seed(first_seed);
  line.flag("depth", depth, "hidden layers of equal width", {1, 200});
  line.flag("steps", steps, "steps of Adam on all rows", {1, 100000}, 400);
  line.flag("cells", cells, "cells of the picture in each direction", {3, 200}, 15);
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    const DefaultDType doubles(float64);
    const auto [inputs, labels] =
        examples::playground_data("circle", {.rows = 200, .noise = 0.2, .seed = first_seed}).all(float64);
    const Tensor x = inputs / 3.0, t = 0.5 * labels + 0.5;
    nn::Chart chart = {
        .title = "log₁₀ of the loss on a filter-normalised plane around the minimum", .width = 260, .height = 240};
    TextTable table = {{"network", "loss", "mean loss on the plane", "largest curvature"}};
    std::vector<double> means, curvatures;
    for (const bool skips : {false, true}) {
      seed(first_seed);
      const std::string name = skips ? "with skip connections" : "without skip connections";
      const auto loss = [&](const Weights& w) {
        return nn::binary_cross_entropy_with_logits(output(w, x, skips), t) + 1e-3 * nn::l2_penalty(w);
      };
      Weights w = initial(depth);
      nn::Adam optimizer(w);
      const nn::Schedule rate = nn::cosine_decay(0.01, steps);
      const auto train_once = [&](std::int64_t step) {
        optimizer.learning_rate(rate(step));
        Tape tape;
        optimizer.step(tape.backward(loss(w)));
      };
      checkpoints.repeat(steps, {{"optimizer", optimizer}}, train_once, skips ? "with-skips" : "without-skips");

      const Weights a = direction(w), b = direction(w);
      nn::Panel panel = {.title = name, .x_label = "α, first direction", .y_label = "β, second direction"};
      double total = 0;
      panel.surface = examples::surface(
          [&](const Tensor& points) {
            std::vector<double> values;
            for (std::int64_t i = 0; i < points.shape(0) && !examples::interrupted(); ++i) {
              values.push_back(loss(moved(w, a, points.item({i, 0}), b, points.item({i, 1}))).item());
              total += values.back();
            }
            values.resize(static_cast<std::size_t>(points.shape(0)), 1);
            for (double& value : values) value = std::log10(value);
            return tensor(values, {points.shape(0)});
          },
          {-1, 1}, {-1, 1}, static_cast<std::size_t>(cells));
      panel.surface->label = "log₁₀ loss";
      panel.surface->contours = {-0.8, -0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6, 0.8};
      panel.surface->range = {{-1, 1}};
      panel.traces.push_back({.name = "minimum", .x = {0}, .y = {0}, .mark = nn::Mark::points, .colour = "#D55E00"});
      chart.panels.push_back(panel);

      const auto [curvature, v] = sharpness(loss, w, line.quick() ? 20 : 60);
      const double step = 1e-4, here = loss(w).item();
      const double difference =
          (loss(moved(w, v, step, v, 0)).item() + loss(moved(w, v, -step, v, 0)).item() - 2 * here) / (step * step);
      curvatures.push_back(curvature);
      means.push_back(total / static_cast<double>(cells * cells));
      table.push_back(
          {name, fmt::format("{:.4f}", here), fmt::format("{:.3f}", means.back()), fmt::format("{:.3f}", curvature)});
      line.result(skips ? "curvature_with_skips" : "curvature_without_skips", curvature);
      line.claim(name + ": curvature by H·v, of that by differences along its direction", curvature / difference,
                 {.minimum = 0.99, .maximum = 1.01});
    }
    line.table(table);
    line.draw("landscape", chart);
    line.out() << fmt::format(
        "mean loss on the plane with skip connections, of that without: {:.2f} (it varies with the seed)\n",
        means[1] / means[0]);
    line.result("mean_loss_with_skips_of_that_without", means[1] / means[0]);
    line.claim("largest curvature with skip connections, of that without", curvatures[1] / curvatures[0],
               {.maximum = 0.9});
  });
}
