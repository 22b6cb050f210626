/// Fashion-MNIST: trains a multilayer perceptron to tell ten kinds of clothes apart.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include "command_line.hpp"

#include <cstdio>
#include <string>
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

/// Pixels less their mean, in units of their deviation, both of the 60,000 training images on the scale of [0, 1].
nn::Dataset standardized(const nn::Dataset& images) {
  constexpr double mean = 0.2860;
  constexpr double deviation = 0.3530;
  return {images.inputs().rescale(1 / (255 * deviation), -mean / deviation), images.targets()};
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t random_seed = 1;
  std::int64_t epochs = 26;
  std::int64_t batch = 128;
  std::int64_t width1 = 768;
  std::int64_t width2 = 256;
  std::int64_t held_out = 0;
  double learning_rate = 0.03;
  double momentum = 0.9;
  double weight_decay = 5e-5;
  double dropout = 0.3;
  std::string directory = nn::fashion_mnist_directory;

  examples::CommandLine line("fashion_mnist", "trains a multilayer perceptron on Fashion-MNIST");
  line.seed(random_seed);
  line.epochs(epochs);
  line.batch(batch);
  line.learning_rate(learning_rate);
  line.flag("momentum", momentum, "momentum of SGD", {0, 0.9999});
  line.flag("weight-decay", weight_decay, "weight decay (L2)", {0, 1});
  line.flag("dropout", dropout, "fraction of hidden units dropped in a step", {0, 0.95});
  line.flag("width1", width1, "units of the first hidden layer", {1, 65536});
  line.flag("width2", width2, "units of the second hidden layer", {1, 65536});
  line.flag("held-out", held_out, "validate on so many training images instead of the test images", {0, 59999});
  line.flag("data", directory, "directory of the dataset");

  return line.run(argc, argv, [&] {
    seed(random_seed);
    nn::Dataset train = standardized(nn::fashion_mnist(nn::Split::train, directory));
    nn::Dataset test = standardized(nn::fashion_mnist(nn::Split::test, directory));
    if (held_out > 0) std::tie(train, test) = train.split(train.size() - held_out);
    const char* const test_name = held_out > 0 ? "held-out" : "test";

    Net net(width1, width2, dropout);
    nn::SGD optimizer(net.parameters(),
                      {.learning_rate = learning_rate, .momentum = momentum, .weight_decay = weight_decay});
    const std::int64_t steps = epochs * ((train.size() + batch - 1) / batch);

    nn::Progress progress(line.quiet());
    progress.print("784-" + std::to_string(width1) + "-" + std::to_string(width2) + "-10, " +
                   std::to_string(train.size()) + " images, " + std::to_string(line.threads()) + " threads");
    nn::History history;
    try {
      history = nn::fit(
          net, nn::cross_entropy, optimizer, train,
          {.epochs = epochs,
           .batches = {.size = batch, .shuffle = true, .seed = random_seed},
           .schedule = nn::cosine_decay(learning_rate, steps),
           .on_step = [](const nn::StepRecord&) { return examples::interrupted() ? nn::Next::stop : nn::Next::go_on; },
           .progress = &progress});
    } catch (const nn::NonFiniteLoss&) {
      line.result("parameters_digest", nn::digest(net.parameters()));
      throw;
    }
    const double accuracy =
        nn::evaluate(net, nn::cross_entropy, test, {.metrics = {{"accuracy", nn::accuracy}}}).metrics[0];
    char text[48];
    std::snprintf(text, sizeof text, "%s accuracy %.4f", test_name, accuracy);
    progress.print(text);

    std::vector<double> train_loss, seconds;
    for (const nn::EpochRecord& epoch : history.epochs) {
      train_loss.push_back(epoch.loss);
      seconds.push_back(epoch.seconds);
    }
    line.result(held_out > 0 ? "held_out_accuracy" : "test_accuracy", accuracy);
    line.result("train_loss", train_loss);
    line.result("seconds_per_epoch", seconds);
    line.result("threads", line.threads());
    line.result("seed", random_seed);
    line.result("parameters_digest", nn::digest(net.parameters()));
  });
}
