#include "tests/support/table_loop.hpp"

#include <doctest/doctest.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_scheduler_observer.h>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/creation.hpp>

#include <array>
#include <atomic>
#include <chrono>

using namespace table_loop;

#ifndef XGRAD_THREADS_BACKEND_STD

namespace {

constexpr std::array<int, 3> thread_counts = {2, 3, 8};

/// Counts the other threads that come into an arena to help.
class Helpers : public tbb::task_scheduler_observer {
 public:
  Helpers(tbb::task_arena& arena, std::atomic<int>& count) : tbb::task_scheduler_observer(arena), count_(count) {
    observe(true);
  }
  ~Helpers() override { observe(false); }
  void on_scheduler_entry(bool worker) override { count_ += worker ? 1 : 0; }

 private:
  std::atomic<int>& count_;
};

/// Value and gradients of every big sample of a row with so many threads.
std::vector<Outcome> run_with(const OpRow& row, int threads, DType dtype, std::atomic<int>& helpers) {
  tbb::task_arena arena(threads);
  const Helpers observer(arena, helpers);
  return arena.execute([&] {
    REQUIRE(kernels::thread_count() == static_cast<std::size_t>(threads));
    std::vector<Outcome> outcomes;
    for (const OpSample& sample : row.big) outcomes.push_back(evaluate(row, sample.call, make_inputs(sample, dtype)));
    return outcomes;
  });
}

}  // namespace

TEST_CASE("values and gradients have the same bits for 1, 2, 3 and 8 threads") {
  const tbb::global_control more_than_cores(tbb::global_control::max_allowed_parallelism, 8);
  std::atomic<int> helpers{0};
  for (const OpRow& row : op_table())
    for (const DType dtype : {float32, float64}) {
      const std::vector<Outcome> alone = run_with(row, 1, dtype, helpers);
      for (const int threads : thread_counts) {
        const std::vector<Outcome> together = run_with(row, threads, dtype, helpers);
        for (std::size_t s = 0; s < alone.size(); ++s) {
          INFO(row.name, " in ", name_of(dtype), ", big sample ", s, ", ", threads, " threads");
          CHECK(same_bits(alone[s].value, together[s].value));
          for (std::size_t i = 0; i < alone[s].gradients.size(); ++i)
            CHECK(same_bits(alone[s].gradients[i], together[s].gradients[i]));
        }
      }
    }
  // On a machine that is busy with other things, the work may be over before a second thread comes.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (helpers == 0 && std::chrono::steady_clock::now() < deadline) run_with(op_row("pow"), 8, float64, helpers);
  CHECK(helpers > 0);
}

#endif

TEST_CASE("the float32 sum of 2^25 ones is 33554432") {
  CHECK(sum(ones({std::int64_t{1} << 25}, float32)).item() == 33554432.0);
  CHECK(mean(ones({std::int64_t{1} << 12, std::int64_t{1} << 13}, float32)).item() == 1.0);
  CHECK(sum(ones({std::int64_t{1} << 25, 1}, float32), {0}).item() == 33554432.0);
}
