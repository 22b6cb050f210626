// Training steps of nn::fit on ranks, as ranks.py measures them: microseconds, one JSON line of the first rank.
//
// Usage: xgrad_ranks_benchmark WAY NETWORK BATCH PARTS STEPS THREADS [BUCKET_BYTES]
//   together  the ranks train one model, BATCH rows a step cut into PARTS parts; without mpirun it is one process
//   apart     each rank trains a model of its own on its share of BATCH and PARTS: the same work without sending, but
//             that they meet once a step, since the slower one decides when they train together, too
//   sending   the ranks add up the network's gradients, and do nothing else
//   turns     these three in turns of a few steps, and of each the median, so that what else the machine does meets all
// NETWORK: widths, as 784-256-128-10.

#include <autograd/autograd.hpp>
#include <nn/distributed/world.hpp>
#include <nn/nn.hpp>
#include <nn/ranks/gradient_sum.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "measure.hpp"

using namespace xgrad;

namespace {

constexpr std::int64_t batches = 4;  // of data
constexpr std::int64_t steps_a_turn = 4;

struct Net : nn::Module {
  explicit Net(const std::vector<std::int64_t>& widths) {
    for (std::size_t i = 0; i + 1 < widths.size(); ++i)
      layers.push_back(add("layer" + std::to_string(i), nn::Linear(widths[i], widths[i + 1])));
  }
  Tensor operator()(const Tensor& x) const {
    Tensor y = layers.front()(x);
    for (std::size_t i = 1; i < layers.size(); ++i) y = layers[i](relu(y));
    return y;
  }
  std::vector<nn::Linear> layers;
};

std::vector<double> train(const std::vector<std::int64_t>& widths, std::int64_t rows, std::int64_t parts,
                          std::int64_t steps, std::size_t bucket_bytes, nn::Ranks& world,
                          std::shared_ptr<nn::Ranks> ranks) {
  seed(1);
  Net net(widths);
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.01, .momentum = 0.9});
  const nn::Dataset data(normal({batches * rows, widths.front()}), integers({batches * rows}, 0, widths.back()));
  std::vector<double> samples;
  double before = 0;
  // The schedule is asked at the beginning of every step, on each rank by itself.
  const auto look_at_clock = [&](std::int64_t) {
    if (!ranks) world.gather("");
    const double now = benchmark::seconds_now();
    if (before > 0) samples.push_back(1e6 * (now - before));
    before = now;
    return 0.01;
  };
  nn::fit(net, nn::cross_entropy, optimizer, data,
          {.epochs = 1 + steps / batches,
           .batches = {.size = rows},
           .schedule = look_at_clock,
           .parts = parts,
           .ranks = ranks,
           .bucket_bytes = bucket_bytes});
  samples.erase(samples.begin());  // in the first step nobody knows which gradients will come
  return samples;
}

std::vector<double> send(const std::vector<std::int64_t>& widths, std::int64_t parts, std::int64_t steps,
                         std::size_t bucket_bytes, nn::Ranks& ranks) {
  const Net net(widths);
  Gradients gradients;
  std::vector<nn::SharedLeaf> leaves;
  for (const Tensor& weight : net.parameters()) {
    gradients.set(weight, ones(weight.shape()));
    leaves.push_back({weight, false});
  }
  const nn::Run own_parts = nn::share_of(parts, ranks.size(), ranks.rank());
  const std::vector<const Gradients*> own(static_cast<std::size_t>(own_parts.size()), &gradients);
  std::vector<double> samples;
  for (std::int64_t step = 0; step < steps; ++step) {
    ranks.gather("");
    const double before = benchmark::seconds_now();
    nn::sum_over_ranks(ranks, nn::PartTree(parts), own, leaves, bucket_bytes);
    samples.push_back(1e6 * (benchmark::seconds_now() - before));
  }
  return samples;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 7 && count != 8) {
    std::fprintf(stderr, "usage: %s together|apart|sending|turns NETWORK BATCH PARTS STEPS THREADS [BUCKET_BYTES]\n",
                 arguments[0]);
    return 2;
  }
  const std::string way = arguments[1];
  std::vector<std::int64_t> widths;
  std::istringstream text(arguments[2]);
  for (std::string width; std::getline(text, width, '-');) widths.push_back(std::atoll(width.c_str()));
  const std::int64_t rows = std::atoll(arguments[3]), parts = std::atoll(arguments[4]),
                     steps = std::atoll(arguments[5]);
  try {
    const auto world = nn::distributed::world({.threads = std::atoll(arguments[6])});
    const std::uint64_t sent = world->sent_bytes();
    const std::size_t bucket_bytes = count == 8 ? std::stoull(arguments[7]) : nn::FitOptions().bucket_bytes;
    const std::int64_t ranks = world->size();
    const auto samples_of = [&](const std::string& what, std::int64_t count_of_steps) {
      return what == "sending" ? send(widths, parts, count_of_steps, bucket_bytes, *world)
             : what == "apart"
                 ? train(widths, rows / ranks, parts / ranks, count_of_steps, bucket_bytes, *world, nullptr)
                 : train(widths, rows, parts, count_of_steps, bucket_bytes, *world, world);
    };
    if (way == "turns") {
      std::map<std::string, std::vector<double>> samples;
      for (std::int64_t done = 0; done < steps; done += steps_a_turn)
        for (const char* const what : {"together", "apart", "sending"}) {
          const std::vector<double> more = samples_of(what, steps_a_turn);
          samples[what].insert(samples[what].end(), more.begin(), more.end());
        }
      if (world->rank() == 0)
        std::printf("{\"together\": %.6g, \"apart\": %.6g, \"sending\": %.6g}\n",
                    benchmark::figures(samples["together"]).median, benchmark::figures(samples["apart"]).median,
                    benchmark::figures(samples["sending"]).median);
      world->gather("");  // nobody ends before all have
      return 0;
    }
    const std::vector<double> samples = samples_of(way, steps);
    const benchmark::Figures times = benchmark::figures(samples);
    if (world->rank() == 0)
      std::printf("{\"median_us\": %.6g, \"min_us\": %.6g, \"spread\": %.4f, \"steps\": %zu, \"sent\": %.6g}\n",
                  times.median, times.minimum, times.spread, samples.size(),
                  static_cast<double>(world->sent_bytes() - sent) / static_cast<double>(samples.size()));
    world->gather("");  // nobody ends before all have
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
