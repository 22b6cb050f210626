/// Initial weights: how activations and gradients spread through 50 layers for each way, and why zeros cannot learn.
/// Lecture: Introduction to Deep Learning II

#include <autograd/autograd.hpp>
#include <autograd/text/numbers.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/drawing.hpp>
#include <examples/training.hpp>

#include <fmt/core.h>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

constexpr std::int64_t width = 128;

struct Way {
  std::string name;
  std::function<void(Tensor&)> fill;
};
const std::vector<Way> ways = {
    {"zero", [](Tensor& w) { nn::init::zero(w); }},
    {"constant 0.01", [](Tensor& w) { nn::init::constant(w, 0.01); }},
    {"uniform ±0.05", [](Tensor& w) { nn::init::uniform(w, -0.05, 0.05); }},
    {"normal, σ = 1", [](Tensor& w) { nn::init::normal(w, 0, 1); }},
    {"Xavier", [](Tensor& w) { nn::init::xavier_normal(w); }},
    {"He", [](Tensor& w) { nn::init::he_normal(w); }},
    {"orthogonal", [](Tensor& w) { nn::init::orthogonal(w); }},
};

struct Net : nn::Module {
  std::vector<nn::Linear> layers;
  std::function<Tensor(const Tensor&)> activation;

  Net(std::int64_t depth, const Way& way, std::function<Tensor(const Tensor&)> function)
      : activation(std::move(function)) {
    for (std::int64_t i = 0; i < depth; ++i) {
      layers.push_back(add(fmt::format("{}", i + 1), nn::Linear(width, width, {.bias = false})));
      way.fill(layers.back().weight);
    }
  }
  /// The activations of every layer.
  std::vector<Tensor> all(Tensor x) const {
    std::vector<Tensor> list;
    for (const nn::Linear& layer : layers) list.push_back(x = activation(layer(x)));
    return list;
  }
  Tensor operator()(const Tensor& x) const { return all(x).back(); }
};

/// Root mean squares through the layers.
struct Spread {
  std::vector<double> activations, gradients;
};
double rms(const Tensor& x) { return std::sqrt(mean(square(x.to(float64))).item()); }
Spread spread(const Net& net) {
  const Tensor x = normal({64, width}), cotangent = normal({64, width});
  Tape tape;
  const std::vector<Tensor> values = net.all(x);
  const Gradients gradients = tape.backward(values.back(), cotangent, {.also = values});
  Spread result;
  for (const Tensor& value : values) {
    result.activations.push_back(rms(value));
    result.gradients.push_back(rms(gradients[value]));
  }
  return result;
}

void show_spread(examples::CommandLine& line, std::int64_t depth, std::uint64_t first_seed) {
  const auto panel = [](const char* function, const char* what) {
    return nn::Panel{.title = std::string(function) + ": " + what,
                     .x_label = "layer",
                     .y_label = "root mean square",
                     .y_range = {{1e-20, 1e20}},
                     .y_logarithmic = true};
  };
  std::vector<double> layers;
  for (std::int64_t i = 1; i <= depth; ++i) layers.push_back(static_cast<double>(i));
  double he = 0, orthogonal = 0, xavier = 0;
  for (const auto& [name, function] :
       std::vector<std::pair<const char*, Tensor (*)(const Tensor&)>>{{"tanh", tanh}, {"relu", relu}}) {
    nn::Panel values = panel(name, "activations"), gradients = panel(name, "gradients");
    TextTable table = {{std::string(name) + ", layer", "1", std::to_string(depth), "gradient at 1"}};
    for (const Way& way : ways) {
      seed(first_seed);
      const Spread s = spread(Net(depth, way, function));
      const std::string name_shown = way.name == "zero" ? "zero (stays 0)" : way.name;
      values.traces.push_back({.name = name_shown, .x = layers, .y = s.activations, .mark = nn::Mark::both});
      gradients.traces.push_back({.name = name_shown, .x = layers, .y = s.gradients, .mark = nn::Mark::both});
      table.push_back({way.name, short_number(s.activations.front(), 2), short_number(s.activations.back(), 2),
                       short_number(s.gradients.front(), 2)});
      const double kept = s.activations.back() / s.activations.front();
      if (way.name == "He" && function == static_cast<Tensor (*)(const Tensor&)>(relu)) he = kept;
      if (way.name == "Xavier" && function == static_cast<Tensor (*)(const Tensor&)>(relu)) xavier = kept;
    }
    line.table(table);
    line.out() << '\n';
    line.draw(std::string("spread_") + name, nn::Chart{.title = fmt::format("{} layers of {} units", depth, width),
                                                       .panels = {values, gradients},
                                                       .width = 300,
                                                       .height = 180});
  }
  // Without an activation function an orthogonal matrix keeps every length.
  seed(first_seed);
  const Spread s = spread(Net(depth, ways.back(), [](const Tensor& x) { return x + 0.0; }));
  orthogonal = s.activations.back() / s.activations.front();
  line.claim("He, relu: activations of the last layer, of the first (theory 1)", he, {.minimum = 0.1, .maximum = 10});
  // Each relu halves the mean square of a symmetric sum, and Xavier's weights of equal fans do not make up for it.
  const double halved = std::pow(0.5, 0.5 * static_cast<double>(depth - 1));
  line.claim("Xavier, relu: the same, of theory's 2^(-layers/2)", xavier / halved, {.minimum = 0.1, .maximum = 10});
  line.claim("orthogonal, linear: the same (theory 1)", orthogonal, {.minimum = 1 - 1e-4, .maximum = 1 + 1e-4});
}

/// Exclusive or by 8 hidden units that begin alike: they get the same gradients and stay alike, as one unit.
void show_symmetry(examples::CommandLine& line, std::uint64_t first_seed, examples::Checkpoints& checkpoints) {
  const Tensor x = tensor({{0, 0}, {0, 1}, {1, 0}, {1, 1}}), y = tensor({{0}, {1}, {1}, {0}});
  TextTable table = {{"8 tanh units, exclusive or", "largest difference of units", "mean squared error"}};
  double difference = 1, zero_loss = 0, xavier_loss = 1;
  for (const std::size_t which : {0u, 1u, 4u}) {
    seed(first_seed);
    nn::Linear hidden(2, 8), output(8, 1);
    for (nn::Linear* layer : {&hidden, &output}) {
      ways[which].fill(layer->weight);
      nn::init::zero(layer->bias);
    }
    nn::Sequential net(hidden, nn::Tanh(), output);
    nn::Adam optimizer(net.parameters(), {.learning_rate = 0.02});
    const auto step = [&](std::int64_t) {
      Tape tape;
      optimizer.step(tape.backward(nn::mse(net(x), y)));
    };
    checkpoints.repeat(1000, {{"net", net}, {"optimizer", optimizer}}, step, fmt::format("way-{}", which));
    const double apart = max(max(hidden.weight, {1}) - min(hidden.weight, {1})).item(),
                 loss = nn::mse(net(x), y).item();
    table.push_back({ways[which].name, fmt::format("{:.1e}", apart), fmt::format("{:.4f}", loss)});
    if (which == 0) zero_loss = loss;
    if (which == 1) difference = apart;
    if (which == 4) xavier_loss = loss;
  }
  line.table(table);
  // No hidden value leaves 0, so the output is one number for all rows; the best, ½, has the error ¼.
  line.claim("zeros: mean squared error (theory 0.25)", zero_loss, {.minimum = 0.25 - 1e-6, .maximum = 0.25 + 1e-6});
  line.claim("a constant: units differ by", difference, {.maximum = 1e-5});
  line.claim("Xavier: mean squared error", xavier_loss, {.maximum = 0.01});
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t depth = 50;
  examples::CommandLine line("initialisation", "follows activations and gradients through many layers");
  line.seed(first_seed);
  line.flag("depth", depth, "layers", {2, 1000});
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    show_spread(line, depth, first_seed);
    show_symmetry(line, first_seed, checkpoints);
  });
}
