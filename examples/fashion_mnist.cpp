/// Fashion-MNIST: trains a multilayer perceptron to tell ten kinds of clothes apart.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include "command_line.hpp"
#include "ranks.hpp"
#include "training.hpp"

#include <fmt/core.h>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

using namespace xgrad;

namespace {

struct Net : nn::Module {
  nn::Linear hidden1;
  nn::Linear hidden2;
  nn::Linear output;
  nn::Dropout dropout1;
  nn::Dropout dropout2;

  Net(std::int64_t width1, std::int64_t width2, double dropout)
      : hidden1(add("hidden1", nn::Linear(784, width1))),
        hidden2(add("hidden2", nn::Linear(width1, width2))),
        output(add("output", nn::Linear(width2, 10))),
        dropout1(add("dropout1", nn::Dropout(dropout))),
        dropout2(add("dropout2", nn::Dropout(dropout))) {}

  Tensor operator()(const Tensor& x) const { return output(dropout2(relu(hidden2(dropout1(relu(hidden1(x))))))); }
};

struct Settings {
  std::uint64_t seed = 1;
  std::int64_t epochs = 26;
  std::int64_t batch = 128;
  double learning_rate = 0.03;
  double momentum = 0.9;
  double weight_decay = 5e-5;
  double dropout = 0.3;
  std::int64_t width1 = 768;
  std::int64_t width2 = 256;
  std::int64_t held_out = 0;
  std::string directory = nn::fashion_mnist_directory;
};

void declare_flags(examples::CommandLine& line, Settings& settings) {
  line.seed(settings.seed);
  line.epochs(settings.epochs, 1);
  line.batch(settings.batch);
  line.learning_rate(settings.learning_rate);
  line.flag("momentum", settings.momentum, "momentum of SGD", {0, 0.9999});
  line.flag("weight-decay", settings.weight_decay, "weight decay (L2)", {0, 1});
  line.flag("dropout", settings.dropout, "fraction of hidden units dropped in a step", {0, 0.95});
  line.flag("width1", settings.width1, "units of the first hidden layer", {1, 65536});
  line.flag("width2", settings.width2, "units of the second hidden layer", {1, 65536});
  line.flag("held-out", settings.held_out, "validate on so many training images instead of the test images",
            {0, 59999});
  line.flag("data", settings.directory, "directory of the dataset");
}

// Of the pixels of the 60,000 training images, on the scale of [0, 1].
constexpr double mean = 0.2860;
constexpr double std = 0.3530;

/// Pixels less their mean, in units of their standard deviation.
nn::Dataset standardized(const nn::Dataset& images) {
  return {images.inputs().rescale(1 / (255 * std), -mean / std), images.targets()};
}

/// The same for bytes, to be saved with the model.
nn::Scaler of_pixels() { return {std::vector<double>(784, 255 * mean), std::vector<double>(784, 255 * std)}; }

void train_and_test(const Settings& settings, examples::CommandLine& line, const examples::RankFlags& ranks,
                    examples::Training& training) {
  nn::Dataset train = standardized(nn::fashion_mnist(nn::Split::train, settings.directory));
  nn::Dataset test = standardized(nn::fashion_mnist(nn::Split::test, settings.directory));
  const bool held_out = settings.held_out > 0;
  if (held_out) std::tie(train, test) = train.split(train.size() - settings.held_out);

  Net net(settings.width1, settings.width2, settings.dropout);
  nn::SGD optimizer(
      net.parameters(),
      {.learning_rate = settings.learning_rate, .momentum = settings.momentum, .weight_decay = settings.weight_decay});
  nn::Progress progress(line.quiet());
  progress.print(fmt::format("784-{}-{}-10, {} images, {} threads{}", settings.width1, settings.width2, train.size(),
                             line.threads(),
                             line.ranks() ? fmt::format(" in each of {} ranks", line.ranks()->size()) : ""));
  const std::int64_t steps = settings.epochs * ((train.size() + settings.batch - 1) / settings.batch);
  nn::FitOptions options{.epochs = settings.epochs,
                         .batches = {.size = settings.batch, .shuffle = true, .seed = settings.seed},
                         .schedule = nn::cosine_decay(settings.learning_rate, steps),
                         .parts = ranks.parts(),
                         .progress = &progress};
  if (training.has_page() && held_out) {  // the test images are looked at once, at the end
    options.validation = test;
    options.metrics = {{"accuracy", nn::accuracy}};
  }
  training.preparation = {.scalers = {{"inputs", of_pixels()}},
                          .classes = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                                      "Sneaker", "Bag", "Ankle boot"}};
  training.fit(net, nn::cross_entropy, optimizer, train, options);

  training.test(net, nn::cross_entropy, test, held_out ? "held-out" : "test", {28, 28});
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  examples::CommandLine line("fashion_mnist", "trains a multilayer perceptron on Fashion-MNIST");
  declare_flags(line, settings);
  examples::Training training(line, "Fashion-MNIST");
  const examples::RankFlags ranks(line);
  return line.run(argc, argv, [&] { train_and_test(settings, line, ranks, training); });
}
