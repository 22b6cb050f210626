/// Exclusive or: the lecture's weights by hand, what a single layer cannot, and a hidden layer that learns it.

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include "command_line.hpp"

#include <cmath>
#include <cstdio>

using namespace xgrad;

namespace {

const Tensor inputs = tensor({{0, 0}, {0, 1}, {1, 0}, {1, 1}});
const Tensor targets = tensor({{0}, {1}, {1}, {0}});

/// xor = (x or y) and not (x and y), with the two hidden threshold units of the lecture.
Tensor by_hand() {
  const Tensor hidden = step(linear(inputs, tensor({{1, 1}, {1, 1}}), tensor({-0.5, -1.5})));
  return step(linear(hidden, tensor({{1}, {-1}}), tensor({-0.5})));
}

/// Trains a model on the four rows and gives its mean squared error.
template <class Model>
double train(Model& model, std::int64_t epochs, double learning_rate) {
  nn::SGD optimizer(model.parameters(), {.learning_rate = learning_rate, .momentum = 0.9});
  for (std::int64_t epoch = 0; epoch < epochs && !examples::interrupted(); ++epoch) {
    Tape tape;
    optimizer.step(tape.backward(nn::mse(model(inputs), targets)));
  }
  return nn::mse(model(inputs), targets).item();
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first_seed = 1;
  std::int64_t seeds = 20;
  std::int64_t epochs = 2000;
  double learning_rate = 0.1;
  examples::CommandLine line("xor", "learns exclusive or with one hidden layer, and shows why it needs one");
  line.seed(first_seed);
  line.flag("seeds", seeds, "how many trainings, with the seeds that follow", {1, 1000});
  line.epochs(epochs);
  line.learning_rate(learning_rate);
  return line.run(argc, argv, [&] {
    nn::Progress progress(seeds, "seeds", line.quiet());

    const Tensor hand = by_hand();
    progress.print("hand-set weights: " + std::to_string(static_cast<int>(hand.item({0, 0}))) + " " +
                   std::to_string(static_cast<int>(hand.item({1, 0}))) + " " +
                   std::to_string(static_cast<int>(hand.item({2, 0}))) + " " +
                   std::to_string(static_cast<int>(hand.item({3, 0}))));
    line.result("hand_set",
                std::vector<double>{hand.item({0, 0}), hand.item({1, 0}), hand.item({2, 0}), hand.item({3, 0})});

    // Linear output: the least squared error of any plane through these four points is 1/4.
    seed(first_seed);
    nn::Linear single(2, 1);
    const double single_error = train(single, epochs, learning_rate);
    char text[96];
    std::snprintf(text, sizeof text, "a single layer:   mean squared error %.4f", single_error);
    progress.print(text);
    line.result("single_layer_mse", single_error);

    std::int64_t learned = 0;
    double worst = 0;
    for (std::int64_t k = 0; k < seeds && !examples::interrupted(); ++k) {
      seed(first_seed + static_cast<std::uint64_t>(k));
      nn::Sequential model(nn::Linear(2, 8), nn::Tanh(), nn::Linear(8, 1));
      const double error = train(model, epochs, learning_rate);
      learned += error < 0.01;
      worst = error <= worst ? worst : error;  // NaN counts as worst
      progress.update(k + 1, std::to_string(learned) + " learned");
    }
    std::snprintf(text, sizeof text, "a hidden layer:   learned from %lld of %lld seeds, worst error %.2g",
                  static_cast<long long>(learned), static_cast<long long>(seeds), worst);
    progress.print(text);
    line.result("learned", learned);
    line.result("seeds", seeds);
    line.result("worst_mse", worst);
  });
}
