#include "as_cpp.hpp"

#include <autograd/tensor/format.hpp>
#include <autograd/text/numbers.hpp>
#include <autograd/text/words.hpp>

#include <algorithm>
#include <cmath>

namespace playground {

using namespace xgrad;

namespace {

/// A float as a literal that gives it back.
std::string literal(double value) { return fmt::format("{}", static_cast<float>(value)); }

std::string points_text(const Data& data) {
  std::string text = "// x1, x2 and the label of every point.\nconst std::vector<double> table = {";
  constexpr std::int64_t points_in_a_line = 4;
  const std::int64_t rows = data.points.shape(0);
  for (std::int64_t row = 0; row < rows; ++row) {
    text += row % points_in_a_line == 0 ? "\n    " : " ";
    text += fmt::format("{}, {}, {},", literal(data.points.item({row, 0})), literal(data.points.item({row, 1})),
                        literal(data.labels.item({row, 0})));
  }
  return text + "\n};\n\n";
}

std::string features_text(const Settings& settings) {
  return fmt::format(
      "/// What the network sees of points (rows, 2).\n"
      "Tensor features(const Tensor& points) {{\n"
      "  [[maybe_unused]] const Tensor x1 = slice(points, 1, 0, 1), x2 = slice(points, 1, 1, 2);\n"
      "  return concatenate({{{}}}, 1);\n"
      "}}\n\n",
      joined(settings.features, [](const std::string& name) { return row_of(features(), name).code; }));
}

/// {} of the code replaced.
std::string filled(const std::string& code, const std::string& argument) {
  return fmt::format(fmt::runtime(code), argument);
}

std::string output_function(const Trainer& trainer) {
  const Encoding encoding = row_of(losses(), trainer.settings().loss).encoding;
  if (encoding == Encoding::probability) return "sigmoid";
  return encoding == Encoding::signs && !trainer.data().regression ? "tanh" : "";
}

std::string call(const std::string& function, const std::string& argument) {
  return function.empty() ? argument : fmt::format("{}({})", function, argument);
}

std::string layers_program(const Trainer& trainer) {
  const Settings& settings = trainer.settings();
  const Structure& structure = trainer.network().structure();
  std::string members, lines;
  for (std::size_t i = 0; i < structure.sources.size(); ++i) {
    const std::string name = layer_name(structure, i);
    members += fmt::format("  nn::Linear {0} = add(\"{0}\", nn::Linear({1}, {2}));\n", name, structure.widths[i],
                           structure.widths[i + 1]);
    if (i == settings.layers.size()) {
      lines += fmt::format("    return {};\n", call(output_function(trainer), name + "(h)"));
      break;
    }
    const HiddenLayer& layer = settings.layers[i];
    std::string value = name + "(h)";
    if (layer.activation == prelu) {
      members += fmt::format("  nn::PReLU prelu{0} = add(\"prelu{0}\", nn::PReLU({1}));\n", i + 1, layer.units);
      value = fmt::format("prelu{}({})", i + 1, value);
    } else {
      value = filled(row_of(activations(), layer.activation).code, value);
    }
    if (layer.dropout > 0) {
      members += fmt::format("  nn::Dropout dropout{0} = add(\"dropout{0}\", nn::Dropout({1}));\n", i + 1,
                             exact_number(layer.dropout));
      value = fmt::format("dropout{}({})", i + 1, value);
    }
    lines += fmt::format("    h = {};\n", value);
  }
  return "struct Net : nn::Module {\n" + members + "  Tensor operator()(const Tensor& x) const {\n    Tensor h = x;\n" +
         lines + "  }\n};\n\n";
}

/// A function as the value of a NodeActivation; those of other names have overloads.
std::string node_function(const std::string& code) { return code == "{}" ? "nullptr" : code.substr(0, code.find('(')); }

std::string graph_program(const Trainer& trainer) {
  const Settings& settings = trainer.settings();
  std::string text = "nn::GraphDescription network() {\n  nn::GraphDescription graph;\n";
  text += fmt::format(
      "  std::vector<std::string> before;\n  const auto layer = [&](int units, nn::NodeActivation "
      "function) {{\n    std::vector<std::string> names;\n    for (int i = 0; i < units; ++i) {{\n"
      "      names.push_back(std::to_string(graph.inputs.size() + graph.nodes.size()));\n"
      "      graph.nodes.push_back({{names.back(), function}});\n    }}\n"
      "    for (const std::string& from : before)\n"
      "      for (const std::string& to : names) graph.edges.push_back({{from, to}});\n{}"
      "    return names;\n  }};\n",
      settings.skip == "all"
          ? "    before.insert(before.end(), names.begin(), names.end());\n"
          : "    before = graph.inputs;\n    before.insert(before.end(), names.begin(), names.end());\n");
  text += fmt::format(
      "  for (int i = 0; i < {}; ++i) graph.inputs.push_back(std::to_string(i));\n  before = graph.inputs;\n",
      settings.features.size());
  for (const HiddenLayer& layer : settings.layers)
    text += fmt::format("  layer({}, {});\n", layer.units, node_function(row_of(activations(), layer.activation).code));
  const std::string output = output_function(trainer);
  text += fmt::format("  graph.outputs = layer({}, {});\n  return graph;\n}}\n\n",
                      trainer.network().structure().widths.back(), output.empty() ? "nullptr" : output);
  return text +
         "struct Net : nn::Module {\n  nn::NetworkGraph graph = add(\"graph\", nn::NetworkGraph(network()));\n"
         "  Tensor operator()(const Tensor& x) const { return graph(x); }\n};\n\n";
}

std::string init_text(const Trainer& trainer) {
  const Settings& settings = trainer.settings();
  const Structure& structure = trainer.network().structure();
  const InitChoice& init = row_of(inits(), settings.init);
  if (init.code.empty()) return "";
  const auto bias = [&](const std::string& tensor) {
    return fmt::format("  nn::init::constant({}, {});\n", tensor, exact_number(init.bias));
  };
  std::string text;
  if (settings.skip == "none") {
    for (std::size_t i = 0; i < structure.sources.size(); ++i) {
      const std::string layer = "net." + layer_name(structure, i);
      text += "  " + filled(init.code, layer + ".weight") + "\n" + bias(layer + ".bias");
    }
    return text;
  }
  text = "  std::vector<Tensor> weights;\n";
  for (std::size_t i = 0; i < structure.sources.size(); ++i)
    text +=
        fmt::format("  weights.push_back(zeros({{{}, {}}}));\n", structure.sources[i].size(), structure.widths[i + 1]);
  text += "  for (Tensor& weight : weights) {\n    " + filled(init.code, "weight") +
          "\n    weight = reshape(weight, {static_cast<std::int64_t>(weight.size())});\n  }\n"
          "  net.graph.weight.assign(concatenate(weights));\n";
  return text + bias("net.graph.bias");
}

std::string targets_text(const Settings& settings) {
  switch (row_of(losses(), settings.loss).encoding) {
    case Encoding::signs:
      return "labels";
    case Encoding::probability:
    case Encoding::logit:
      return "(labels + 1.0) / 2.0";
    case Encoding::class_indices:
      return "reshape(gt(labels, 0), {rows}).to(int64)";
  }
  return "";
}

std::string schedule_text(const Settings& settings, double rate) {
  const std::string& code = row_of(schedules(), settings.schedule).code;
  return fmt::format(fmt::runtime(code.empty() ? "nn::constant_rate({rate})" : code),
                     fmt::arg("rate", exact_number(rate)), fmt::arg("steps", settings.schedule_steps));
}

std::string events_text(const Trainer& trainer) {
  const Settings& settings = trainer.settings();
  std::string text;
  if (trainer.loaded_at())
    text += fmt::format(
        "      if (step == {}) nn::load(net, \"playground.safetensors\");  // that was loaded on the page\n",
        *trainer.loaded_at());
  for (const Event& event : settings.events) {
    text += fmt::format("      if (step == {}) ", event.step);
    if (event.is_rate())
      text += fmt::format("schedule = {};\n", schedule_text(settings, event.value));
    else
      text += fmt::format("set(net, \"{}\", {}, {});\n", event.what, event.index, exact_number(event.value));
  }
  return text;
}

bool has_edits(const Settings& settings) {
  return std::any_of(settings.events.begin(), settings.events.end(),
                     [](const Event& event) { return !event.is_rate(); });
}

std::string penalised(const Trainer& trainer) {
  const Settings& settings = trainer.settings();
  const PenaltyChoice& penalty = row_of(penalties(), settings.penalty);
  if (penalty.function == nullptr) return "loss_function(net(x), y)";
  std::vector<std::string> weights;
  for (std::size_t i = 0; i < trainer.network().structure().sources.size(); ++i)
    weights.push_back(fmt::format("net.{}.weight", layer_name(trainer.network().structure(), i)));
  if (settings.skip != "none") weights = {"net.graph.weight"};
  return fmt::format("loss_function(net(x), y) + {} * {}({{{}}})", exact_number(settings.penalty_rate), penalty.code,
                     joined(weights));
}

}  // namespace

std::string as_cpp(const Trainer& trainer, std::int64_t steps) {
  const Settings& settings = trainer.settings();
  const LossChoice& loss = row_of(losses(), settings.loss);
  const bool changes = settings.schedule != "constant" || !settings.events.empty();
  std::string text = fmt::format(
      "// The training of a playground as a program: {}\n"
      "// With an installed xgrad, CMake: find_package(xgrad CONFIG REQUIRED), target_link_libraries(... "
      "xgrad::nn).\n\n"
      "#include <autograd/autograd.hpp>\n#include <nn/nn.hpp>\n\n#include <cmath>\n#include <cstdint>\n"
      "#include <iostream>\n#include <string>\n#include <vector>\n\nusing namespace xgrad;\n\n",
      settings.data == "own"         ? "own points"
      : to_address(settings).empty() ? "the first one"
                                     : to_address(settings));
  text += points_text(trainer.data());
  text += features_text(settings);
  text += settings.skip == "none" ? layers_program(trainer) : graph_program(trainer);
  if (has_edits(settings))
    text +=
        "/// Sets one number of a parameter.\n"
        "void set(const Net& net, const std::string& path, std::size_t index, double value) {\n"
        "  for (nn::NamedTensor& named : net.named_parameters())\n"
        "    if (named.path == path)\n"
        "      named.tensor.modify([&](std::span<float> values) { values[index] = static_cast<float>(value); });\n"
        "}\n\n";
  text += fmt::format(
      "int main() {{\n"
      "  const std::int64_t rows = {rows};\n"
      "  std::int64_t steps = {steps};\n"
      "  const Tensor all = tensor(table, {{rows, 3}});\n"
      "  const Tensor labels = slice(all, 1, 2, 3);\n"
      "  const nn::Dataset data(features(slice(all, 1, 0, 2)), {targets});\n"
      "  const auto [train, test] = data.split({train_rows});\n\n"
      "  seed({seed});\n  Net net;\n{init}"
      "  const auto loss_function = {loss};\n"
      "  {optimizer}\n",
      fmt::arg("rows", trainer.data().points.shape(0)), fmt::arg("steps", steps),
      fmt::arg("targets", targets_text(settings)), fmt::arg("train_rows", trainer.data().train_rows),
      fmt::arg("seed", settings.seed), fmt::arg("init", init_text(trainer)), fmt::arg("loss", loss.code),
      fmt::arg("optimizer", fmt::format(fmt::runtime(row_of(optimizers(), settings.optimizer).code),
                                        fmt::arg("rate", exact_number(settings.learning_rate)),
                                        fmt::arg("momentum", exact_number(settings.momentum)))));
  if (changes) text += fmt::format("  nn::Schedule schedule = {};\n", schedule_text(settings, settings.learning_rate));
  text += fmt::format(
      "  nn::Batches batches(train, {{.size = {}, .shuffle = true, .seed = {}}});\n\n"
      "  for (std::int64_t step = 0; step < steps;)\n"
      "    for (auto [x, y] : batches) {{\n",
      settings.batch, settings.seed);
  text += events_text(trainer);
  if (changes) text += "      optimizer.learning_rate(schedule(step));\n";
  text += fmt::format(
      "      Tape tape;\n"
      "      const Tensor loss = {};\n"
      "      if (!std::isfinite(loss.item())) steps = step;  // the end, as on the page\n"
      "      if (step == steps) break;\n"
      "      optimizer.step(tape.backward(loss));\n"
      "      if (++step == steps) break;\n"
      "    }}\n\n",
      penalised(trainer));
  const std::string reduction =
      loss.reduction == nn::Reduction::sum ? "{.size = rows, .reduction = nn::Reduction::sum}" : "{.size = rows}";
  const auto printed = [&](const char* part) {
    return fmt::format(
        " << nn::evaluate(net, loss_function, {0}, {1}).loss{2}", part, reduction,
        loss.reduction == nn::Reduction::sum ? fmt::format(" / static_cast<double>({}.size())", part) : std::string());
  };
  text += "  std::cout << \"training loss \"" + printed("train") + " << \"\\ntest loss \"" + printed("test") +
          "\n            << \"\\nweights \" << nn::digest(net.parameters()) << '\\n';\n}\n";
  return text;
}

}  // namespace playground
