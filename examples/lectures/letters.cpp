/// UCI's letters: squared error against cross-entropy for one layer, online against batches, and a network.
/// Lecture: Neural Networks 1

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <examples/command_line.hpp>
#include <examples/training.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

constexpr std::int64_t features = 16, classes = 26, test_rows = 4000;

struct Letters {
  nn::Dataset train, test;
};

/// The rows in UCI's order, of which the last 4,000 are the test; features are scaled as the training rows want it.
Letters read(const std::string& path, std::int64_t train_rows) {
  if (!std::filesystem::exists(path))
    throw FileError(path + " is missing; `bash examples/lectures/letters_data.sh build/data/letters` makes it");
  const nn::CsvTable table = nn::read_csv(path);
  const std::vector<std::string> names = table.columns_except({"lettr"});
  const nn::OrdinalEncoder letters = table.categories("lettr");
  if (letters.size() != classes || static_cast<std::int64_t>(names.size()) != features || table.rows() <= test_rows)
    throw FileError(fmt::format("{}: {} letters, {} features, {} rows; need 26, 16 and more than {}", path,
                                letters.size(), names.size(), table.rows(), test_rows));
  const Tensor x = table.numbers(names), labels = table.codes("lettr", letters);
  const std::int64_t rows = table.rows(), first_test = rows - test_rows, used = std::min(train_rows, first_test);
  const nn::Scaler scaler = nn::Scaler::standard(slice(x, 0, 0, used), names);
  const nn::Dataset all(scaler.apply(x), labels);
  return {all.subset(0, used), all.subset(first_test, rows)};
}

/// One layer of tanh and the squared error to 1 for the letter and -1 for the others, halved, per row.
Tensor squared_error(const Tensor& sums, const Tensor& labels) {
  return nn::sse(tanh(sums), nn::OneHotEncoder{.classes = classes, .low = -1}.encode(labels)) /
         static_cast<double>(labels.shape(0));
}

struct Setting {
  std::string name;
  bool cross_entropy;
  std::int64_t batch;
  double learning_rate;
};

/// Test accuracy of one layer, beside how the training went.
double train_layer(const Letters& letters, const Setting& setting, std::int64_t epochs, std::uint64_t first_seed,
                   examples::Checkpoints& checkpoints, TextTable& table, nn::LinePlot& plot) {
  seed(first_seed);
  nn::Linear layer(features, classes);
  nn::SGD optimizer(layer.parameters(), {.learning_rate = setting.learning_rate});
  const auto loss = [&](const Tensor& sums, const Tensor& labels) {
    return setting.cross_entropy ? nn::cross_entropy(sums, labels) : squared_error(sums, labels);
  };
  const nn::History history = nn::fit(
      layer, loss, optimizer, letters.train,
      checkpoints.of({.epochs = epochs, .batches = {.size = setting.batch, .shuffle = true, .seed = first_seed}},
                     fmt::format("{}-{}", setting.cross_entropy ? "cross-entropy" : "squared", setting.batch)));
  std::int64_t jumps = 0;
  std::vector<double> losses;
  for (const nn::EpochRecord& epoch : history.epochs) {
    if (!losses.empty() && epoch.loss > losses.back()) ++jumps;
    losses.push_back(epoch.loss);
  }
  losses.resize(plot.x.size(), NAN);
  plot.series.push_back({setting.name, losses});
  const auto [x, labels] = letters.test.all();
  const Tensor sums = layer(x);
  // An output that is within 1 % of its bound has a slope of less than 4 % there.
  const Tensor bounded = setting.cross_entropy ? 2.0 * softmax(sums) - 1.0 : tanh(sums);
  const double saturated = mean(gt(abs(bounded), 0.98)).item(), accuracy = nn::accuracy(sums, labels);
  table.push_back({setting.name, std::to_string(setting.batch),
                   fmt::format("{:.3f}", history.seconds / static_cast<double>(history.epochs.size())),
                   std::to_string(jumps), fmt::format("{:.0f} %", 100 * saturated), fmt::format("{:.3f}", accuracy)});
  return accuracy;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t epochs = 40, layer_epochs = 20, rows = 16000;
  std::string path = "build/data/letters/letters.csv";
  examples::CommandLine line("letters", "recognises UCI's letters by one layer and by a network");
  line.seed(first_seed);
  line.epochs(epochs, 6);
  line.flag("layer-epochs", layer_epochs, "passes over the data of one layer", {1, 10000}, 3);
  line.flag("rows", rows, "rows to train on", {100, 16000});
  line.flag("data", path, "the table, as letters_data.sh makes it");
  line.draws();
  examples::Training training(line, "Letters");
  return line.run(argc, argv, [&] {
    const Letters letters = read(path, rows);
    line.out() << "one layer\n";
    TextTable table = {
        {"loss", "rows a step", "seconds an epoch", "rises of the loss", "saturated outputs", "test accuracy"}};
    nn::LinePlot plot = {
        .title = "One layer: loss by epoch", .x_label = "epoch", .y_label = "training loss", .logarithmic = true};
    for (std::int64_t epoch = 1; epoch <= layer_epochs; ++epoch) plot.x.push_back(static_cast<double>(epoch));
    std::vector<double> accuracies;
    for (const Setting& setting :
         {Setting{"squared error, online", false, 1, 0.01}, Setting{"squared error, batches", false, 32, 0.05},
          Setting{"cross-entropy, online", true, 1, 0.01}, Setting{"cross-entropy, batches", true, 32, 0.2}})
      accuracies.push_back(train_layer(letters, setting, layer_epochs, first_seed, training.checkpoints, table, plot));
    line.table(table);
    line.draw("one_layer", plot);
    line.claim("one layer: accuracy with cross-entropy less that with the squared error", accuracies[3] - accuracies[1],
               {.minimum = 0});

    seed(first_seed);
    nn::Sequential net(nn::Linear(features, 256), nn::ReLU(), nn::Linear(256, 128), nn::ReLU(),
                       nn::Linear(128, classes));
    nn::Adam optimizer(net.parameters());
    nn::Progress progress(line.quiet());
    const std::int64_t batch = 64, steps = epochs * ((letters.train.size() + batch - 1) / batch);
    training.fit(net, nn::cross_entropy, optimizer, letters.train,
                 {.epochs = epochs,
                  .batches = {.size = batch, .shuffle = true, .seed = first_seed},
                  .schedule = nn::cosine_decay(0.003, steps),
                  .progress = &progress});
    const double accuracy = training.test(net, nn::cross_entropy, letters.test).score;
    line.claim("16-256-128-26: accuracy on the last 4,000 rows", accuracy, {.minimum = line.quick() ? 0.9 : 0.96});
  });
}
