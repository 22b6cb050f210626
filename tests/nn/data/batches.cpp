#include "tests/support/expect.hpp"
#include "tests/support/statistics.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/memory.hpp>
#include <nn/data/batches.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace xgrad;
using expect::error_of;
using nn::Batches;
using nn::Dataset;

namespace {

/// Example i has the input (i, -i) and the target i.
Dataset numbered(std::int64_t count) {
  std::vector<double> inputs;
  for (std::int64_t i = 0; i < count; ++i) {
    inputs.push_back(static_cast<double>(i));
    inputs.push_back(-static_cast<double>(i));
  }
  return Dataset(tensor(inputs, {count, 2}), arange(count));
}

/// The targets of one pass in order; fails where an input does not belong to its target.
std::vector<double> pass(Batches& batches) {
  std::vector<double> order;
  for (auto [x, y] : batches) {
    REQUIRE(x.shape(0) == y.shape(0));
    const std::vector<double> inputs = expect::values(x);
    const std::vector<double> targets = expect::values(y);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      CHECK(inputs[2 * i] == targets[i]);
      CHECK(inputs[2 * i + 1] == -targets[i]);
      order.push_back(targets[i]);
    }
  }
  return order;
}

std::vector<double> in_order(std::size_t count) {
  std::vector<double> order(count);
  std::iota(order.begin(), order.end(), 0.0);
  return order;
}

std::vector<double> sorted(std::vector<double> order) {
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace

TEST_CASE("without shuffling every pass has the examples in order; the last batch may be smaller") {
  Batches batches(numbered(10), {.size = 4});
  CHECK(batches.size() == 3);
  CHECK(batches.examples() == 10);
  std::vector<std::int64_t> sizes;
  for (auto [x, y] : batches) sizes.push_back(x.shape(0));
  CHECK(sizes == std::vector<std::int64_t>{4, 4, 2});
  CHECK(pass(batches) == in_order(10));
  CHECK(pass(batches) == in_order(10));
}

TEST_CASE("drop_last leaves out the smaller batch") {
  Batches batches(numbered(10), {.size = 4, .drop_last = true});
  CHECK(batches.size() == 2);
  CHECK(batches.examples() == 8);
  CHECK(pass(batches) == in_order(8));
  Batches exact(numbered(8), {.size = 4, .drop_last = true});
  CHECK(exact.size() == 2);
  CHECK(Batches(numbered(8), {.size = 4}).size() == 2);
  CHECK(Batches(numbered(3), {.size = 100}).size() == 1);
}

TEST_CASE("whoever shares batches reads its own examples of each, in the order of all") {
  const nn::BatchesOptions options = {.size = 4, .shuffle = true, .seed = 3};
  Batches whole(numbered(10), options);
  const std::vector<double> order = pass(whole);
  for (const std::size_t third : {0u, 1u, 2u})  // which is nobody's where a batch has too few
    for (const bool prefetch : {false, true}) {
      nn::BatchesOptions shared = options;
      shared.prefetch = prefetch;
      Batches own(numbered(10), shared, {}, [third](std::span<const std::int64_t> examples) {
        const std::size_t size = (examples.size() + 2) / 3, first = std::min(examples.size(), third * size);
        return examples.subspan(first, std::min(size, examples.size() - first));
      });
      CHECK(own.examples(2) == 2);
      std::vector<std::int64_t> sizes;
      for (auto [x, y] : own) sizes.push_back(x.shape(0));
      const std::int64_t of_four = third < 2 ? 2 : 0, of_two = third < 2 ? 1 : 0;
      CHECK(sizes == std::vector<std::int64_t>{of_four, of_four, of_two});
      own.set_epoch(0);
      std::vector<double> expected;
      for (std::size_t first = 0; first < 10; first += 4)
        for (std::size_t i = 0; i < static_cast<std::size_t>(first < 8 ? of_four : of_two); ++i)
          expected.push_back(order[first + third * static_cast<std::size_t>(first < 8 ? 2 : 1) + i]);
      CHECK(pass(own) == expected);
    }
}

TEST_CASE("every pass of a shuffle is a permutation, another one than the last") {
  Batches batches(numbered(1000), {.size = 128, .shuffle = true, .seed = 1});
  const std::vector<double> first = pass(batches);
  const std::vector<double> second = pass(batches);
  CHECK(sorted(first) == in_order(1000));
  CHECK(sorted(second) == in_order(1000));
  CHECK(first != in_order(1000));
  CHECK(first != second);
  // Independent orders agree in one place on average (Poisson with mean 1): in 10 with probability 1e-7.
  std::size_t agreements = 0;
  for (std::size_t i = 0; i < 1000; ++i) agreements += first[i] == second[i];
  CHECK(agreements < 10);
}

TEST_CASE("orders follow from the seed") {
  Batches a(numbered(100), {.size = 7, .shuffle = true, .seed = 1});
  Batches same(numbered(100), {.size = 50, .shuffle = true, .seed = 1});
  Batches other(numbered(100), {.size = 7, .shuffle = true, .seed = 2});
  const std::vector<double> first = pass(a);
  CHECK(pass(same) == first);
  CHECK(pass(other) != first);
  for (const int threads : {1, 2, 3, 8}) {
    Batches again(numbered(100), {.size = 7, .shuffle = true, .seed = 1});
    CHECK(with_threads(threads, [&] { return pass(again); }) == first);
  }
}

TEST_CASE("set_epoch resumes the orders of a training") {
  Batches batches(numbered(100), {.size = 10, .shuffle = true, .seed = 3});
  CHECK(batches.epoch() == 0);
  pass(batches);
  const std::vector<double> second = pass(batches);
  const std::vector<double> third = pass(batches);
  CHECK(batches.epoch() == 3);
  Batches resumed(numbered(100), {.size = 10, .shuffle = true, .seed = 3});
  resumed.set_epoch(2);
  CHECK(pass(resumed) == third);
  resumed.set_epoch(1);
  CHECK(pass(resumed) == second);
}

TEST_CASE("a pass that was left early does not come again") {
  Batches batches(numbered(100), {.size = 10, .shuffle = true, .seed = 4});
  std::vector<double> begun;
  for (auto [x, y] : batches) {
    begun = expect::values(y);
    break;
  }
  const std::vector<double> next = pass(batches);
  CHECK(sorted(next) == in_order(100));
  CHECK(std::vector<double>(next.begin(), next.begin() + 10) != begun);
  CHECK(batches.epoch() == 2);
}

TEST_CASE("batches of an earlier pass throw, and so does one beyond the end") {
  Batches batches(numbered(10), {.size = 5});
  auto earlier = batches.begin();
  auto current = batches.begin();
  CHECK(error_of([&] { *earlier; }).starts_with("ValueError: Batches: a batch of an earlier pass"));
  CHECK(expect::values((*current).targets) == in_order(5));
  batches.set_epoch(0);
  auto resumed = batches.begin();
  CHECK(error_of([&] { *current; }).starts_with("ValueError: Batches: "));
  ++resumed;
  resumed++;
  CHECK(resumed == batches.end());
  CHECK(error_of([&] { *resumed; }) == "ValueError: Batches: batch 2 of 2");
}

TEST_CASE("shuffled places are uniform") {
  // Where example 0 of 10 stands in 20,000 passes.
  Batches batches(numbered(10), {.size = 10, .shuffle = true, .seed = 5});
  std::vector<std::size_t> places(10);
  for (int epoch = 0; epoch < 20000; ++epoch) {
    const nn::Batch batch = *batches.begin();
    const auto order = batch.targets.values<std::int64_t>();
    ++places[static_cast<std::size_t>(std::find(order.begin(), order.end(), 0) - order.begin())];
  }
  CHECK(std::abs(statistics::chi_square_error(places)) < 5);
}

TEST_CASE("bytes come out as floats, labels as int64, in the dtype of the options") {
  const Dataset data(nn::Rows({4, 2}, {0, 51, 102, 153, 204, 255, 0, 0}, 1.0 / 255), arange(4));
  Batches single(data, {.size = 2});
  for (auto [x, y] : single) {
    CHECK(x.dtype() == float32);
    CHECK(x.shape() == Shape{2, 2});
    CHECK(y.dtype() == int64);
    CHECK(y.shape() == Shape{2});
  }
  Batches twofold(data, {.size = 4, .dtype = float64});
  for (auto [x, y] : twofold) {
    CHECK(x.dtype() == float64);
    CHECK(expect::difference(x, std::vector<double>{0, 0.2, 0.4, 0.6, 0.8, 1, 0, 0}) < 1e-15);
    CHECK(y.dtype() == int64);
  }
}

TEST_CASE("batches take nothing from the system after the first pass") {
  const Dataset data(nn::Rows({1000, 784}, std::vector<std::uint8_t>(784000)), arange(1000));
  Batches batches(data, {.size = 128, .shuffle = true});
  for (auto [x, y] : batches) CHECK(x.defined());
  if (!expect::memory_is_cached()) return;
  const std::size_t before = memory_statistics().system_allocations;
  for (int epoch = 0; epoch < 3; ++epoch)
    for (auto [x, y] : batches) CHECK(x.defined());
  CHECK(memory_statistics().system_allocations == before);
}

TEST_CASE("prefetched batches are the same, for every number of threads") {
  for (const int threads : {1, 2, 8})
    with_threads(threads, [] {
      Batches plain(numbered(103), {.size = 10, .shuffle = true, .seed = 6});
      Batches ahead(numbered(103), {.size = 10, .shuffle = true, .seed = 6, .prefetch = true});
      for (int epoch = 0; epoch < 3; ++epoch) CHECK(pass(ahead) == pass(plain));
      const Batches copy = ahead;
      Batches again = copy;
      CHECK(pass(again) == pass(plain));
    });
}

TEST_CASE("the next batch is prepared while this one is used") {
  with_threads(2, [] {
    std::atomic<int> prepared = 0;
    Batches batches(numbered(6), {.size = 2, .prefetch = true}, [&](const nn::Batch& batch) {
      ++prepared;
      return batch;
    });
    auto at = batches.begin();
    CHECK(prepared == 0);
    CHECK(expect::values((*at).targets) == std::vector<double>{0, 1});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (prepared < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    CHECK(prepared == 2);
    CHECK(expect::values((*++at).targets) == std::vector<double>{2, 3});
    CHECK(expect::values((*++at).targets) == std::vector<double>{4, 5});
    CHECK(prepared == 3);
  });
}

TEST_CASE("a batch that is read twice, or skipped, comes right with prefetch") {
  Batches batches(numbered(8), {.size = 2, .prefetch = true});
  auto at = batches.begin();
  CHECK(expect::values((*at).targets) == std::vector<double>{0, 1});
  CHECK(expect::values((*at).targets) == std::vector<double>{0, 1});
  ++at;
  ++at;
  CHECK(expect::values((*at).targets) == std::vector<double>{4, 5});
  CHECK(expect::values((*++at).targets) == std::vector<double>{6, 7});
}

TEST_CASE("a transform is applied to every batch, and its exception comes with the batch it belongs to") {
  for (const bool prefetch : {false, true})
    for (const int threads : {1, 2})
      with_threads(threads, [&] {
        const auto transform = [](const nn::Batch& batch) -> nn::Batch {
          if (batch.targets.item({0}) == 4) throw std::runtime_error("no augmentation of example 4");
          return {detach(batch.inputs) * 10.0, batch.targets};
        };
        Batches batches(numbered(8), {.size = 2, .dtype = float64, .prefetch = prefetch}, transform);
        auto at = batches.begin();
        CHECK(expect::values((*at).inputs) == std::vector<double>{0, 0, 10, -10});
        CHECK(expect::values((*++at).inputs) == std::vector<double>{20, -20, 30, -30});
        ++at;
        CHECK(expect::contains(error_of([&] { *at; }), "no augmentation of example 4"));
        CHECK(expect::contains(error_of([&] { *at; }), "no augmentation of example 4"));
        CHECK(expect::values((*++at).inputs) == std::vector<double>{60, -60, 70, -70});
      });
}

TEST_CASE("a pass may end, and its batches go, while the next batch is being prepared") {
  with_threads(4, [] {
    for (int round = 0; round < 200; ++round) {
      auto batches = std::make_unique<Batches>(
          numbered(100), nn::BatchesOptions{.size = 10, .shuffle = true, .seed = 1, .prefetch = true});
      for (auto [x, y] : *batches)
        if (round % 2 == 0 || y.item({0}) >= 0) break;
      for (auto [x, y] : *batches) {  // another pass over what the thread may still read
        CHECK(x.shape(0) == 10);
        break;
      }
      auto left = batches->begin();
      *left;
      batches.reset();
    }
  });
}

TEST_CASE("prefetched bytes come in the caller's default dtype") {
  const DefaultDType scope(float64);
  const Dataset data(nn::Rows({4, 2}, {0, 51, 102, 153, 204, 255, 0, 0}, 1.0 / 255), arange(4));
  Batches batches(data, {.size = 1, .prefetch = true});
  for (auto [x, y] : batches) {
    CHECK(x.dtype() == float64);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

TEST_CASE("batches refuse sizes and options that give nothing") {
  CHECK(error_of([] { Batches(numbered(10), {.size = 0}); }) == "ValueError: Batches: size is 0; need at least 1");
  CHECK(error_of([] { Batches(numbered(10), {.size = -3}); }).starts_with("ValueError: Batches: size is -3"));
  CHECK(error_of([] { Batches(numbered(0), {.size = 3}); }).starts_with("ValueError: Batches: the dataset is empty"));
  CHECK(error_of([] {
          Batches(numbered(3), {.size = 4, .drop_last = true});
        }).starts_with("ValueError: Batches: 3 examples, size 4 and drop_last leave no batch"));
  CHECK(error_of([] { Batches(numbered(3), {.dtype = int64}); }).starts_with("TypeError: Batches: "));
}

TEST_CASE("a pass with prefetch goes on in a child process") {
#ifdef XGRAD_THREAD_SANITIZER
  MESSAGE("skipped: ThreadSanitizer refuses threads in a child process");
  return;
#endif
  with_threads(2, [] {
    std::atomic<bool> begun = false, released = false;
    const auto transform = [&](const nn::Batch& batch) {
      if (batch.inputs.item({0}) == 2) {
        begun = true;
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!released && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
      }
      return batch;
    };
    nn::Batches batches({arange(6).to(float64), arange(6)}, {.size = 2, .prefetch = true}, transform);
    auto batch = batches.begin();
    CHECK(expect::values((*batch).inputs) == std::vector<double>{0, 1});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!begun && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    REQUIRE(begun);
    const auto rest_is_right = [&] {
      ++batch;
      const bool second = expect::values((*batch).inputs) == std::vector<double>{2, 3};
      ++batch;
      return second && expect::values((*batch).targets) == std::vector<double>{4, 5} && ++batch == batches.end();
    };
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // rather than to wait for ever
      released = true;
      _exit(rest_is_right() ? 0 : 1);
    }
    released = true;
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(rest_is_right());
  });
}

TEST_CASE("batches, rows and datasets that were moved from say so") {
  nn::Batches batches({arange(6).to(float64), arange(6)}, {.size = 2});
  auto pass = batches.begin();
  nn::Batches other = std::move(batches);
  const std::string expected = "ValueError: Batches: it was moved from; need the one that it was moved to";
  CHECK(expect::error_of([&] { batches.begin(); }) == expected);
  CHECK(expect::error_of([&] { *pass; }) == expected);
  CHECK((*other.begin()).rows() == 2);

  for (const nn::Rows& kind : {nn::Rows(arange(4)), nn::Rows({4}, {1, 2, 3, 4})}) {
    nn::Rows rows = kind;
    const nn::Rows kept = std::move(rows);
    CHECK(kept.all().size() == 4);
    const std::int64_t first = 0;
    CHECK(expect::contains(expect::error_of([&] { rows.take({&first, 1}); }), "take: the rows were moved from"));
    CHECK(expect::contains(expect::error_of([&] { rows.select({&first, 1}); }), "the rows were moved from"));
  }
}
