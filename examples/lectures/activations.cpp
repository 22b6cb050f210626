/// Activations: functions and derivatives, gradients that vanish with depth, dead units and their revival.
/// Lecture: Neural Network Architectures II

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

using Function = Tensor (*)(const Tensor&);
struct Activation {
  std::string name;
  Function function;
};

const std::vector<Activation> all_activations = {
    {"sigmoid", sigmoid},
    {"tanh", tanh},
    {"hard_tanh", hard_tanh},
    {"step", [](const Tensor& x) { return step(x); }},
    {"relu", relu},
    {"leaky_relu, slope 0.1", [](const Tensor& x) { return leaky_relu(x, 0.1); }},
    {"prelu, slope 0.25", [](const Tensor& x) { return prelu(x, tensor({0.25}, x.dtype())); }},
    {"elu", [](const Tensor& x) { return elu(x); }},
    {"softplus", softplus},
    {"swish", swish},
    {"mish", mish},
    {"log_sigmoid", log_sigmoid},
};

void draw_all(examples::CommandLine& line) {
  nn::Chart chart = {.title = "Activation functions and their derivatives", .columns = 4, .width = 150, .height = 130};
  const Tensor x = examples::evenly(-4, 4, 41, float64);
  for (const Activation& one : all_activations) {
    const Tensor slope = gradient([&](const Tensor& v) { return sum(one.function(v)); }, x);
    nn::Panel panel = {.title = one.name, .x_label = "x", .y_label = "f(x), f′(x)", .y_range = {{-1.5, 4}}};
    panel.traces = {examples::trace("f(x)", x, one.function(x)), examples::trace("f′(x)", x, slope)};
    chart.panels.push_back(panel);
  }
  line.draw("activations", chart);
}

/// depth layers of 64 units, each followed by the activation; weights as Glorot and Bengio have them, for relu and
/// swish as He and others.
struct Deep : nn::Module {
  std::vector<nn::Linear> layers;
  Function activation;

  Deep(std::int64_t depth, const Activation& one) : activation(one.function) {
    for (std::int64_t i = 0; i < depth; ++i) {
      layers.push_back(add(fmt::format("{}", i + 1), nn::Linear(64, 64)));
      Tensor& weight = layers.back().weight;
      one.name == "relu" || one.name == "swish" ? nn::init::he_normal(weight) : nn::init::xavier_normal(weight);
      nn::init::zero(layers.back().bias);
    }
  }
  Tensor operator()(Tensor x) const {
    for (const nn::Linear& layer : layers) x = activation(layer(x));
    return x;
  }
};

/// ‖∂L/∂W‖ of every layer, from the first to the last.
std::vector<double> gradient_norms(const Deep& net) {
  const Tensor x = normal({128, 64}), direction = normal({128, 64});
  Tape tape;
  const Gradients gradients = tape.backward(sum(net(x) * direction));
  std::vector<double> norms;
  for (const nn::Linear& layer : net.layers) norms.push_back(norm(gradients[layer.weight]).item());
  return norms;
}

void show_vanishing(examples::CommandLine& line, std::uint64_t first_seed) {
  const DefaultDType doubles(float64);  // the sigmoid's gradients leave the range of float32
  line.out() << "\nnorm of the first layer's gradient, of that of the last\n";
  nn::Chart chart = {.title = "Norm of the gradient by layer", .width = 230, .height = 200};
  TextTable table = {{"activation", "depth 5", "depth 20", "depth 50"}};
  double sigmoid_ratio = 1, relu_ratio = 0;
  for (const std::int64_t depth : {5, 20, 50})
    chart.panels.push_back({.title = fmt::format("depth {}", depth),
                            .x_label = "layer",
                            .y_label = "‖∂L/∂W‖",
                            .y_range = {{1e-30, 1e6}},
                            .y_logarithmic = true});
  for (const char* name : {"sigmoid", "tanh", "relu", "swish"}) {
    const auto& one = *std::find_if(all_activations.begin(), all_activations.end(),
                                    [&](const Activation& a) { return a.name == name; });
    table.push_back({name});
    for (nn::Panel& panel : chart.panels) {
      const std::int64_t depth = panel.title == "depth 5" ? 5 : panel.title == "depth 20" ? 20 : 50;
      seed(first_seed);
      const std::vector<double> norms = gradient_norms(Deep(depth, one));
      nn::Trace trace = {.name = name, .y = norms, .mark = nn::Mark::both};
      for (std::int64_t layer = 1; layer <= depth; ++layer) trace.x.push_back(static_cast<double>(layer));
      panel.traces.push_back(trace);
      const double ratio = norms.front() / norms.back();
      table.back().push_back(fmt::format("{:.1e}", ratio));
      if (depth == 50 && one.name == "sigmoid") sigmoid_ratio = ratio;
      if (depth == 50 && one.name == "relu") relu_ratio = ratio;
    }
  }
  line.table(table);
  line.draw("vanishing", chart);
  // σ' is at most 1/4, and weights of variance 1/64 keep a vector's length: 49 layers take off 4^49 = 3e29 or more.
  line.claim("sigmoid, depth 50: first gradient, of the last", sigmoid_ratio, {.maximum = std::pow(0.25, 40)});
  line.claim("relu, depth 50: first gradient, of the last", relu_ratio, {.minimum = 1e-3, .maximum = 1e3});
}

/// A regression whose hidden units begin dead: their bias is so low that no row reaches them.
struct Dying : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(2, 16)), output = add("output", nn::Linear(16, 1));
  nn::PReLU slopes = add("slopes", nn::PReLU());
  std::string kind;

  explicit Dying(std::string name) : kind(std::move(name)) { nn::init::constant(hidden.bias, -1.5); }
  Tensor operator()(const Tensor& x) const {
    const Tensor sums = hidden(x);
    return output(kind == "relu"         ? relu(sums)
                  : kind == "leaky_relu" ? leaky_relu(sums, 0.1)
                  : kind == "prelu"      ? slopes(sums)
                                         : elu(sums));
  }
  /// Units whose sum is above 0 in no row.
  double dead(const Tensor& x) const { return mean(le(max(hidden(x), {0}), 0.0)).item(); }
};

void show_dying(examples::CommandLine& line, std::uint64_t first_seed, examples::Checkpoints& checkpoints) {
  line.out() << "\n16 hidden units that begin with a bias of −1.5, which no row reaches\n";
  TextTable table = {{"activation", "dead before", "dead after", "loss after"}};
  double relu_after = 0, others_after = 0, relu_loss = 0, others_loss = 0;
  for (const char* name : {"relu", "leaky_relu", "prelu", "elu"}) {
    seed(first_seed);
    const Tensor x = uniform({256, 2}, -1, 1), x1 = slice(x, 1, 0, 1), x2 = slice(x, 1, 1, 2);
    const Tensor y = 24.0 * x1 + 24.0 * abs(x2) - 12.0;
    Dying net(name);
    const double before = net.dead(x);
    nn::Adam optimizer(net.parameters(), {.learning_rate = 0.05});
    const auto step = [&](std::int64_t) {
      Tape tape;
      optimizer.step(tape.backward(nn::mse(net(x), y)));
    };
    checkpoints.repeat(1500, {{"net", net}, {"optimizer", optimizer}}, step, name);
    const double after = net.dead(x);
    const double loss = nn::mse(net(x), y).item();
    table.push_back({name, fmt::format("{:.0f} %", 100 * before), fmt::format("{:.0f} %", 100 * after),
                     fmt::format("{:.4f}", loss)});
    if (name == std::string("relu")) {
      relu_after = after;
      relu_loss = loss;
    } else {
      others_after = std::max(others_after, after);
      others_loss = std::max(others_loss, loss);
    }
  }
  line.table(table);
  line.claim("relu: dead units never learn again, share", relu_after, {.minimum = 1});
  line.claim("leaky relu, PReLU and ELU: share of units still dead, at most", others_after, {.maximum = 0.5});
  line.claim("and their loss, of relu's, at most", others_loss / relu_loss, {.maximum = 0.01});
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  examples::CommandLine line("activations", "draws activation functions, vanishing gradients and dying units");
  line.seed(first_seed);
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    draw_all(line);
    show_vanishing(line, first_seed);
    show_dying(line, first_seed, checkpoints);
  });
}
