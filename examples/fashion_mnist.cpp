/// Fashion-MNIST: trains a multilayer perceptron to tell ten kinds of clothes apart.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include "command_line.hpp"
#include "progress.hpp"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <numbers>
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

/// The fraction of a dataset that the model classifies correctly.
double evaluate(Net& net, const nn::Dataset& data) {
  net.eval();
  double correct = 0;
  for (auto [x, y] : nn::Batches(data, {.size = 1000}))
    correct += nn::accuracy(net(x), y) * static_cast<double>(y.size());
  net.train();
  return correct / static_cast<double>(data.size());
}

/// Parameters as they were when the loss was last known to be finite.
class Checkpoint {
 public:
  explicit Checkpoint(const std::vector<Tensor>& parameters) : parameters_(parameters) { save(); }
  void save() {
    values_.clear();
    for (const Tensor& parameter : parameters_) values_.push_back(detach(parameter).clone());
  }
  void restore() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].assign(values_[i]);
  }

 private:
  std::vector<Tensor> parameters_;
  std::vector<Tensor> values_;
};

/// Runs a step again with tracing, to tell which operation gave the first number that is not finite.
std::string find_nonfinite(const Net& net, const Tensor& x, const Tensor& y) {
  Tape tape({.trace_nonfinite = true});
  const Tensor loss = nn::cross_entropy(net(x), y);
  if (tape.nonfinite() == nullptr) tape.backward(loss);
  return tape.nonfinite() != nullptr ? tape.nonfinite()->text() : "a second run of the step is finite";
}

std::string format(const char* pattern, double a, double b = 0, double c = 0, double d = 0) {
  char text[160];
  std::snprintf(text, sizeof text, pattern, a, b, c, d);
  return text;
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
    nn::Batches batches(train, {.size = batch, .shuffle = true, .seed = random_seed});
    const std::int64_t steps = epochs * batches.size();
    Checkpoint checkpoint(net.parameters());

    examples::Progress progress(steps, "steps", line.quiet());
    progress.print("784-" + std::to_string(width1) + "-" + std::to_string(width2) + "-10, " +
                   std::to_string(train.size()) + " images, " + std::to_string(line.threads()) + " threads");
    std::vector<double> train_loss;
    std::vector<double> seconds;
    std::int64_t step = 0;
    for (std::int64_t epoch = 0; epoch < epochs && !examples::interrupted(); ++epoch) {
      const auto start = std::chrono::steady_clock::now();
      double total = 0;
      std::int64_t done = 0;
      for (auto [x, y] : batches) {
        // Cosine decay (Loshchilov and Hutter 2017, equation 5).
        const double progressed = static_cast<double>(step) / static_cast<double>(steps);
        optimizer.learning_rate(0.5 * learning_rate * (1 + std::cos(std::numbers::pi * progressed)));
        Tape tape;
        const Tensor loss = nn::cross_entropy(net(x), y);
        if (!std::isfinite(loss.item())) {
          const std::string origin = find_nonfinite(net, x, y);
          checkpoint.restore();
          line.result("parameters_digest", nn::digest(net.parameters()));
          throw ValueError("training stopped: the loss is not finite at step " + std::to_string(step) + ": " + origin +
                           "; the parameters are those of the last good checkpoint");
        }
        if (step % 50 == 0) checkpoint.save();
        optimizer.step(tape.backward(loss));
        total += loss.item();
        ++done;
        progress.update(
            ++step, format("epoch %.0f, loss %.4f", static_cast<double>(epoch + 1), total / static_cast<double>(done)));
        if (examples::interrupted()) break;
      }
      train_loss.push_back(total / static_cast<double>(done));
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      progress.print(
          format("epoch %2.0f  loss %.4f  %.2f s", static_cast<double>(epoch + 1), train_loss.back(), seconds.back()));
    }
    const double accuracy = evaluate(net, test);
    progress.print(std::string(test_name) + format(" accuracy %.4f", accuracy));

    line.result(held_out > 0 ? "held_out_accuracy" : "test_accuracy", accuracy);
    line.result("train_loss", train_loss);
    line.result("seconds_per_epoch", seconds);
    line.result("threads", line.threads());
    line.result("seed", random_seed);
    line.result("parameters_digest", nn::digest(net.parameters()));
  });
}
