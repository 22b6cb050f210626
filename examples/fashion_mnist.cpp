/// Fashion-MNIST: trains a multilayer perceptron to tell ten kinds of clothes apart.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include "command_line.hpp"

#include <algorithm>
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
  std::string report_path;

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
  line.flag("report", report_path, "write a page of the run, with pictures by gnuplot, to this HTML file");

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
    nn::FitOptions options{
        .epochs = epochs,
        .batches = {.size = batch, .shuffle = true, .seed = random_seed},
        .schedule = nn::cosine_decay(learning_rate, steps),
        .on_step = [](const nn::StepRecord&) { return examples::interrupted() ? nn::Next::stop : nn::Next::go_on; },
        .progress = &progress};
    nn::Diagnostics diagnostics(net, nn::cross_entropy,
                                train.subset(0, std::min<std::int64_t>(1000, train.size())).all(), 100);
    nn::Report report{.title = "Fashion-MNIST",
                      .configuration = line.configuration(),
                      .summary = nn::summary(net, {784}),
                      .classes = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
                                  "Bag", "Ankle boot"}};
    if (!report_path.empty()) {
      nn::require_gnuplot();  // now rather than after the training
      report.write(report_path);
      options = diagnostics.watch(options);
    }
    if (!report_path.empty() && held_out > 0) {  // the test images are looked at once, at the end
      options.validation = test;
      options.metrics = {{"accuracy", nn::accuracy}};
    }
    nn::History history;
    try {
      history = nn::fit(net, nn::cross_entropy, optimizer, train, options);
    } catch (const nn::NonFiniteLoss& failure) {
      line.result("parameters_digest", nn::digest(net.parameters()));
      report.history = failure.history;
      report.diagnostics = diagnostics.history();
      if (!report_path.empty()) report.write(report_path);
      throw;
    }
    Tensor scores, labels;
    const nn::Metric accuracy_metric = {"accuracy", [&](const Tensor& predictions, const Tensor& targets) {
                                          scores = predictions;
                                          labels = targets;
                                          return nn::accuracy(predictions, targets);
                                        }};
    const double accuracy = nn::evaluate(net, nn::cross_entropy, test, {.metrics = {accuracy_metric}}).metrics[0];
    char text[48];
    std::snprintf(text, sizeof text, "%s accuracy %.4f", test_name, accuracy);
    progress.print(text);
    if (!report_path.empty()) {
      const Tensor probabilities = softmax(scores);
      const nn::Dataset images(test.inputs().reshape_rows({28, 28}), test.targets());
      report.history = history;
      report.confusion = nn::ConfusionMatrix(scores, labels);
      report.samples = nn::samples_of(images, probabilities, nn::pick_rows(probabilities, labels));
      report.diagnostics = diagnostics.history();
      report.write(report_path);
    }

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
