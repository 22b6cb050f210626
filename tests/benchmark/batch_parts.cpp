// nn::batch_gradients against kernels that are parallel over the whole batch, and against one thread: 784-256-128-10 on
// 512 rows with cross-entropy, gradients only. The ways take turns; medians in µs.
//
// Usage: xgrad_parts_benchmark [turns]

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <tbb/global_control.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "measure.hpp"

using namespace xgrad;

namespace {

struct Net : nn::Module {
  nn::Linear first = add("first", nn::Linear(784, 256));
  nn::Linear second = add("second", nn::Linear(256, 128));
  nn::Linear output = add("output", nn::Linear(128, 10));
  Tensor operator()(const Tensor& x) const { return output(relu(second(relu(first(x))))); }
};

struct Way {
  std::string name;
  std::function<void()> gradients;
  std::vector<double> samples;
};

}  // namespace

int main(int argc, char** argv) {
  const int turns = argc > 1 ? std::atoi(argv[1]) : 40;
  if (turns < 1) return 2;
  seed(1);
  const Net net;
  const Tensor x = normal({512, 784});
  const Tensor y = integers({512}, 0, 10);
  const auto loss = [&](const Tensor& inputs, const Tensor& targets) {
    return nn::cross_entropy(net(inputs), targets);
  };
  const auto whole = [&] {
    Tape tape;
    tape.backward(loss(x, y));
  };
  std::vector<Way> ways;
  ways.push_back({"one thread",
                  [&] {
                    const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
                    whole();
                  },
                  {}});
  ways.push_back({"parallel kernels, whole batch", whole, {}});
  for (const std::int64_t parts : {2, 4})
    ways.push_back({"batch_gradients, " + std::to_string(parts) + " parts",
                    [&, parts] { nn::batch_gradients(loss, x, y, {.parts = parts}); },
                    {}});
  for (int turn = 0; turn < turns; ++turn)
    for (Way& way : ways)
      for (int step = 0; step < 12; ++step) {
        const double start = benchmark::seconds_now();
        way.gradients();
        // The first steps of a turn find what another way left in the caches.
        if (step >= 2) way.samples.push_back(1e6 * (benchmark::seconds_now() - start));
      }
  const double one = benchmark::figures(ways.front().samples).median;
  for (const Way& way : ways) {
    const double median = benchmark::figures(way.samples).median;
    std::printf("%-30s %6.0f us, %.2f times as fast as one thread\n", way.name.c_str(), median, one / median);
  }
}
