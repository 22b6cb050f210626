// nn::fit on Fashion-MNIST against the loop that one would write by hand: epochs of both in alternation, seconds and
// their ratio, and whether the weights have the same bits at the end.
//
// Usage: xgrad_fit_benchmark [epochs]

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "measure.hpp"

using namespace xgrad;

namespace {

constexpr std::int64_t rows = 128;

struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(784, 256));
  nn::Linear output = add("output", nn::Linear(256, 10));
  Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }
};

struct Training {
  Net net;
  nn::SGD optimizer{net.parameters(), {.learning_rate = 0.05, .momentum = 0.9}};
};

Training begin() {
  seed(1);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const int epochs = argc > 1 ? std::atoi(argv[1]) : 12;
  if (epochs < 1) return 2;
  const nn::Dataset train = nn::fashion_mnist(nn::Split::train);
  Training by_hand = begin();
  Training fitted = begin();
  nn::Batches batches(train, {.size = rows, .shuffle = true, .seed = 1});
  std::vector<double> hand_seconds, fit_seconds;
  const auto take = [](std::vector<double>& seconds, const auto& work) {
    const double start = benchmark::seconds_now();
    work();
    seconds.push_back(benchmark::seconds_now() - start);
  };
  for (int epoch = 0; epoch < epochs; ++epoch) {
    take(hand_seconds, [&] {
      batches.set_epoch(0);  // the order that every call of fit begins with
      for (const auto& [x, y] : batches) {
        Tape tape;
        by_hand.optimizer.step(tape.backward(nn::cross_entropy(by_hand.net(x), y)));
      }
    });
    take(fit_seconds, [&] {
      nn::fit(fitted.net, nn::cross_entropy, fitted.optimizer, train,
              {.epochs = 1, .batches = {.size = rows, .shuffle = true, .seed = 1}});
    });
  }
  const double hand = benchmark::figures(hand_seconds).median;
  const double fit = benchmark::figures(fit_seconds).median;
  const bool same = nn::digest(by_hand.net.parameters()) == nn::digest(fitted.net.parameters());
  std::printf("Fashion-MNIST, 784-256-10, batch %d, an epoch: by hand %.3f s, fit %.3f s, ratio %.3f; %s bits\n",
              static_cast<int>(rows), hand, fit, fit / hand, same ? "the same" : "different");
  return same ? 0 : 1;
}
