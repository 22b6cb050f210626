/// Animals from a table: ordinal and one-hot features, argmax and softmax, neurons one by one and together.
/// Lecture: Neural Networks 1

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/drawing.hpp>
#include <examples/training.hpp>

#include <fmt/core.h>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

/// The lecture's table. Sizes are ordinal: small, medium, large as -1, 0, 1; yes and no are 1 and -1.
constexpr const char* animals = R"(size,fur,talks,animal
medium,yes,no,cat
large,yes,no,dog
small,no,yes,parrot
medium,no,no,carp
)";

struct Table {
  nn::CsvTable csv = nn::parse_csv(animals, "animals.csv");
  nn::OrdinalEncoder names = csv.categories("animal");
  Tensor labels = csv.codes("animal", names);
  Tensor inputs;

  Table() {
    const nn::OrdinalEncoder sizes({"small", "medium", "large"}), answers({"no", "yes"});
    const Tensor size = csv.codes("size", sizes).to(float32) - 1.0;
    const auto answer = [&](const char* column) { return 2.0 * csv.codes(column, answers).to(float32) - 1.0; };
    inputs = stack({size, answer("fur"), answer("talks")}, 1);
  }
};

/// One layer of tanh, whose outputs are to be 1 for the animal and -1 for the others.
Tensor tanh_layer(const nn::Linear& layer, const Tensor& x) { return tanh(layer(x)); }

void train(const nn::Linear& layer, const Tensor& x, const Tensor& t, std::int64_t steps,
           examples::Checkpoints& checkpoints, const std::string& name) {
  nn::SGD optimizer(layer.parameters(), {.learning_rate = 0.1});
  const auto step = [&](std::int64_t) {
    Tape tape;
    optimizer.step(tape.backward(nn::sse(tanh_layer(layer, x), t)));
  };
  checkpoints.repeat(steps, {{"layer", layer}, {"optimizer", optimizer}}, step, name);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t steps = 500;
  examples::CommandLine line("animals", "tells cat, dog, parrot and carp apart by size, fur and talking");
  line.seed(first_seed);
  line.flag("steps", steps, "steps on the whole table", {1, 1000000});
  line.draws();
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    const Table table;
    const Tensor targets = nn::OneHotEncoder{.classes = table.names.size(), .low = -1}.encode(table.labels);

    // All neurons of the layer at once, then each as a layer of its own that begins with the same weights.
    nn::Linear together(3, table.names.size());
    std::vector<nn::Linear> neurons;
    for (std::int64_t k = 0; k < table.names.size(); ++k) {
      nn::Linear& neuron = neurons.emplace_back(3, 1);
      neuron.weight.assign(slice(together.weight, 1, k, k + 1));
      neuron.bias.assign(slice(together.bias, 0, k, k + 1));
    }
    train(together, table.inputs, targets, steps, checkpoints, "together");
    std::vector<Tensor> outputs;
    for (std::int64_t k = 0; k < table.names.size(); ++k) {
      const nn::Linear& neuron = neurons[static_cast<std::size_t>(k)];
      train(neuron, table.inputs, slice(targets, 1, k, k + 1), steps, checkpoints, fmt::format("neuron-{}", k + 1));
      outputs.push_back(tanh_layer(neuron, table.inputs));
    }
    const Tensor at_once = tanh_layer(together, table.inputs), one_by_one = concatenate(outputs, 1);

    // The same layer with softmax and cross-entropy: its outputs are probabilities.
    nn::Linear classes(3, table.names.size());
    nn::SGD optimizer(classes.parameters(), {.learning_rate = 0.5});
    const auto step = [&](std::int64_t) {
      Tape tape;
      optimizer.step(tape.backward(nn::cross_entropy(classes(table.inputs), table.labels)));
    };
    checkpoints.repeat(steps, {{"layer", classes}, {"optimizer", optimizer}}, step, "softmax");
    const Tensor probabilities = softmax(classes(table.inputs));

    TextTable text = {{"animal", "size", "fur", "talks"}};
    for (const std::string& name : table.names.categories()) text[0].push_back("tanh: " + name);
    text[0].push_back("argmax");
    for (const std::string& name : table.names.categories()) text[0].push_back("p(" + name + ")");
    text[0].push_back("argmax");
    const std::vector<std::string> by_tanh = table.names.decode(argmax(at_once, 1)),
                                   by_softmax = table.names.decode(argmax(probabilities, 1));
    nn::HeatMap map = {.title = "Probabilities of the softmax layer",
                       .x_label = "class",
                       .y_label = "animal",
                       .columns = table.names.categories(),
                       .rows = table.csv.text("animal"),
                       .values = {},
                       .shades = {}};
    for (std::int64_t row = 0; row < table.csv.rows(); ++row) {
      std::vector<std::string>& cells = text.emplace_back();
      for (const char* column : {"animal", "size", "fur", "talks"})
        cells.push_back(table.csv.text(column)[static_cast<std::size_t>(row)]);
      for (std::int64_t k = 0; k < table.names.size(); ++k)
        cells.push_back(fmt::format("{:.2f}", at_once.item({row, k})));
      cells.push_back(by_tanh[static_cast<std::size_t>(row)]);
      for (std::int64_t k = 0; k < table.names.size(); ++k) {
        cells.push_back(fmt::format("{:.2f}", probabilities.item({row, k})));
        map.values.push_back(std::round(1000 * probabilities.item({row, k})) / 1000);
      }
      cells.push_back(by_softmax[static_cast<std::size_t>(row)]);
    }
    line.table(text, 4);
    line.draw("probabilities", map);
    line.result("tanh_accuracy", nn::accuracy(at_once, table.labels));
    line.claim("tanh and argmax: animals recognised, share", nn::accuracy(at_once, table.labels), {.minimum = 1});
    line.claim("softmax and argmax: animals recognised, share", nn::accuracy(probabilities, table.labels),
               {.minimum = 1});
    line.claim("one neuron at a time: animals recognised, share", nn::accuracy(one_by_one, table.labels),
               {.minimum = 1});
    line.claim("one neuron at a time and all at once: outputs differ by", max(abs(one_by_one - at_once)).item(),
               {.maximum = 1e-5});
  });
}
