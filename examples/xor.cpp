/// Exclusive or: the lecture's weights by hand, what a single layer cannot, and a hidden layer that learns it.
/// Lecture: Neural Networks 1

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include "training.hpp"

#include <fmt/core.h>
#include <cmath>
#include <cstdint>
#include <vector>

using namespace xgrad;

namespace {

const Tensor inputs = tensor({{0, 0}, {0, 1}, {1, 0}, {1, 1}});
const Tensor targets = tensor({{0}, {1}, {1}, {0}});

/// xor = (x or y) and not (x and y), with the two hidden threshold units of the lecture.
Tensor by_hand() {
  const Tensor hidden = step(linear(inputs, tensor({{1, 1}, {1, 1}}), tensor({-0.5, -1.5})));
  return step(linear(hidden, tensor({{1}, {-1}}), tensor({-0.5})));
}

/// Trains a model on the four rows and gives its mean squared error; NaN when it diverges.
template <class Model>
double train(Model& model, double learning_rate, const nn::FitOptions& options) {
  nn::SGD optimizer(model.parameters(), {.learning_rate = learning_rate, .momentum = 0.9});
  try {
    nn::fit(model, nn::mse, optimizer, {inputs, targets}, options);
  } catch (const nn::NonFiniteLoss&) {
    return NAN;
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
  examples::Checkpoints checkpoints(line);
  return line.run(argc, argv, [&] {
    nn::Progress progress(seeds, "seeds", line.quiet());

    std::vector<double> hand;
    for (std::int64_t row = 0; row < 4; ++row) hand.push_back(by_hand().item({row, 0}));
    progress.print(fmt::format("hand-set weights: {} {} {} {}", hand[0], hand[1], hand[2], hand[3]));
    line.result("hand_set", hand);

    // Linear output: the least squared error of any plane through these four points is 1/4.
    nn::Linear single(2, 1);
    const nn::FitOptions whole_table{.epochs = epochs, .batches = {.size = 4}};
    const double single_error = train(single, learning_rate, checkpoints.of(whole_table, "single"));
    progress.print(fmt::format("a single layer:   mean squared error {:.4f}", single_error));
    line.result("single_layer_mse", single_error);

    std::int64_t learned = 0;
    double worst = 0;
    examples::repeat(seeds, [&](std::int64_t k) {
      const std::uint64_t number = first_seed + static_cast<std::uint64_t>(k);
      seed(number);
      nn::Sequential model(nn::Linear(2, 8), nn::Tanh(), nn::Linear(8, 1));
      const double error = train(model, learning_rate, checkpoints.of(whole_table, fmt::format("seed-{}", number)));
      learned += error < 0.01;
      worst = error <= worst ? worst : error;  // NaN counts as worst
      progress.update(k + 1, fmt::format("{} learned", learned));
    });
    progress.print(
        fmt::format("a hidden layer:   learned from {} of {} seeds, worst error {:.2g}", learned, seeds, worst));
    line.result("learned", learned);
    line.result("seeds", seeds);
    line.result("worst_mse", worst);
  });
}
