#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <autograd/parallel/threads.hpp>
#include <nn/distributed/world.hpp>
#include <nn/nn.hpp>
#include <nn/ranks/agree.hpp>

#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

// To be started by mpirun, on any number of ranks.

using namespace xgrad;
using expect::contains;
using expect::error_of;

namespace {

std::span<const std::byte> bytes_of(const std::vector<int>& numbers) { return std::as_bytes(std::span(numbers)); }

/// Rank p gives rank q p + q + 1 numbers, 100·p + q each, through these ranks; true if all others' came.
bool exchanges(nn::Ranks& ranks) {
  const auto here = static_cast<int>(ranks.rank()), count = static_cast<int>(ranks.size());
  std::vector<int> to, from, expected;
  std::vector<std::size_t> to_sizes, from_sizes;
  for (int q = 0; q < count; ++q) {
    const auto numbers = static_cast<std::size_t>(here + q + 1);
    to.insert(to.end(), numbers, 100 * here + q);
    to_sizes.push_back(numbers * sizeof(int));
    from_sizes.push_back(q == here ? 0 : numbers * sizeof(int));
    expected.insert(expected.end(), from_sizes.back() / sizeof(int), 100 * q + here);
  }
  from.resize(expected.size());
  const auto exchange =
      ranks.start_exchange(bytes_of(to), to_sizes, std::as_writable_bytes(std::span(from)), from_sizes);
  while (!exchange->over()) std::this_thread::yield();
  return from == expected;
}

struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(6, 300));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(300));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.3));
  nn::Linear output = add("output", nn::Linear(300, 3));
  Tensor operator()(const Tensor& x) const { return output(dropout(relu(norm(hidden(x))))); }
};

std::string trained(std::shared_ptr<nn::Ranks> ranks, std::size_t bucket_bytes) {
  const DefaultGenerator numbers(Generator(ranks ? static_cast<std::uint64_t>(ranks->rank()) : 0));
  Net net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.05, .momentum = 0.9});
  std::vector<double> labels;
  for (int row = 0; row < 100; ++row) labels.push_back(row % 3);
  const nn::Dataset data(tensor(expect::numbers(600, 1, -1, 1), {100, 6}), tensor(labels, {100}, int64));
  const nn::History history = nn::fit(net, nn::cross_entropy, optimizer, data,
                                      {.epochs = 3,
                                       .batches = {.size = 32, .shuffle = true, .drop_last = true},
                                       .validation = data,
                                       .metrics = {{"accuracy", nn::accuracy}},
                                       .evaluation_size = 30,
                                       .parts = 8,
                                       .clip_norm = 0.5,
                                       .stopping = {.restore_best = true},
                                       .ranks = std::move(ranks),
                                       .bucket_bytes = bucket_bytes});
  std::vector<Tensor> state = net.parameters();
  for (const nn::NamedTensor& buffer : net.named_buffers()) state.push_back(buffer.tensor);
  return nn::digest(state) + std::to_string(history.epochs.back().loss) +
         std::to_string(history.epochs.back().metrics.front());
}

}  // namespace

TEST_CASE("the world is one for the program, and has its ranks in order") {
  const auto world = nn::distributed::world();
  CHECK(world == nn::distributed::world());
  const std::vector<std::string> all = world->gather(std::string(3, static_cast<char>('a' + world->rank())));
  REQUIRE(static_cast<std::int64_t>(all.size()) == world->size());
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    CHECK(all[rank] == std::string(3, static_cast<char>('a' + static_cast<int>(rank))));
}

TEST_CASE("pieces of different sizes are exchanged") {
  const auto world = nn::distributed::world();
  const std::uint64_t before = world->sent_bytes();
  CHECK(exchanges(*world));
  const std::int64_t others = world->size() - 1, rank = world->rank();
  const std::int64_t all = world->size() * (world->size() - 1) / 2 + world->size() * (rank + 1);
  CHECK(world->sent_bytes() - before == static_cast<std::uint64_t>(all - (2 * rank + 1)) * sizeof(int));
  CHECK((others > 0 || all == 2 * rank + 1));
}

TEST_CASE("threads are the cores that ranks share, unless set") {
  const auto world = nn::distributed::world();
  const auto cores = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  if (world->size() == 1) {  // it has what every program has
    const std::size_t before = thread_count();
    nn::distributed::world();
    CHECK(thread_count() == before);
  } else {  // mpirun does not bind these ranks to cores
    CHECK(static_cast<std::int64_t>(thread_count()) == std::max<std::int64_t>(1, cores / world->size()));
  }
  nn::distributed::world({.threads = 1});
  CHECK(thread_count() == 1);
  CHECK(error_of([] { nn::distributed::world({.threads = -1}); }) ==
        "ValueError: distributed::world: -1 threads; need 0 (chosen) or more");
  nn::distributed::world();
}

TEST_CASE("a training over MPI ends with the bits of one process, in buckets of every size") {
  const std::string alone = trained(nullptr, 1 << 20);
  for (const std::size_t bucket_bytes : {std::size_t{256}, std::size_t{1} << 12, std::size_t{1} << 20})
    CHECK(trained(nn::distributed::world(), bucket_bytes) == alone);
}

TEST_CASE("what one rank throws ends the work on all") {
  const auto world = nn::distributed::world();
  const std::int64_t last = world->size() - 1;
  const std::string error = error_of([&] {
    nn::together(world.get(), [&](nn::Ranks*) {
      if (world->rank() == last) throw ValueError("of the last one");
    });
  });
  CHECK(contains(error, world->rank() == last ? "ValueError: of the last one"
                                              : "rank " + std::to_string(last) + ": of the last one"));
}
