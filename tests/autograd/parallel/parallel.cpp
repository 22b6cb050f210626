#include <doctest/doctest.h>

#include <atomic>
#include <autograd/parallel/parallel.hpp>
#include <autograd/parallel/threads.hpp>
#include <cfenv>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#ifndef XGRAD_THREADS_BACKEND_STD
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#endif

using xgrad::kernels::BlockFunction;
using xgrad::kernels::parallel_blocks;
using xgrad::kernels::SerialScope;
using xgrad::kernels::thread_count;

namespace {

/// Runs `count` blocks, each of which waits until `wanted` threads are inside one, at most 20 s; returns how many were.
std::size_t threads_that_meet(std::size_t wanted, std::size_t count) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  parallel_blocks(count, [&](std::size_t) {
    while (std::chrono::steady_clock::now() < deadline) {
      {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
        if (threads.size() >= wanted) return;
      }
      std::this_thread::yield();
    }
  });
  return threads.size();
}

}  // namespace

TEST_CASE("every block runs exactly once") {
  for (const std::size_t count : {0U, 1U, 2U, 3U, 7U, 64U, 1000U}) {
    std::vector<std::atomic<int>> runs(count);
    parallel_blocks(count, [&](std::size_t i) { ++runs[i]; });
    for (std::size_t i = 0; i < count; ++i) {
      CAPTURE(count);
      CAPTURE(i);
      CHECK(runs[i] == 1);
    }
  }
}

TEST_CASE("a block function refers to any callable without copying it") {
  struct Counter {
    std::size_t sum = 0;
    void operator()(std::size_t i) { sum += i; }
  } counter;
  const BlockFunction to_counter(counter);
  to_counter(3);
  to_counter(4);
  CHECK(counter.sum == 7);

  std::size_t seen = 0;
  const auto constant = [&seen](std::size_t i) { seen = i; };
  BlockFunction{constant}(5);
  CHECK(seen == 5);
  CHECK(sizeof(BlockFunction) == 2 * sizeof(void*));
}

TEST_CASE("several threads run blocks at the same time") { CHECK(threads_that_meet(2, 8) >= 2); }

TEST_CASE("a serial scope keeps all blocks on the calling thread, in order") {
  const SerialScope outer;
  { const SerialScope inner; }
  std::vector<std::size_t> order;
  parallel_blocks(100, [&](std::size_t i) { order.push_back(i); });
  REQUIRE(order.size() == 100);
  for (std::size_t i = 0; i < 100; ++i) CHECK(order[i] == i);
  CHECK(thread_count() == 1);
  std::size_t other_thread = 0;
  std::thread([&] { other_thread = thread_count(); }).join();
  CHECK(other_thread > 1);
}

TEST_CASE("a serial scope inside a block makes only its nested blocks serial") {
  std::vector<int> nested(6, 0);
  parallel_blocks(6, [&](std::size_t i) {
    const SerialScope serial;
    const auto thread = std::this_thread::get_id();
    parallel_blocks(10, [&](std::size_t) { nested[i] += std::this_thread::get_id() == thread ? 1 : -1000; });
  });
  CHECK(nested == std::vector<int>(6, 10));
  CHECK(thread_count() > 1);
}

TEST_CASE("blocks may start blocks") {
  std::vector<std::atomic<int>> runs(20 * 30);
  parallel_blocks(20, [&](std::size_t i) { parallel_blocks(30, [&](std::size_t j) { ++runs[i * 30 + j]; }); });
  for (const auto& run : runs) CHECK(run == 1);
}

TEST_CASE("the exception of the lowest failing block reaches the caller, whichever comes first") {
  enum class Late { none, lowest, others };
  const auto failure = [](std::size_t lowest, Late late) -> std::string {
    try {
      parallel_blocks(64, [&](std::size_t i) {
        if (i < lowest) return;
        if (late == (i == lowest ? Late::lowest : Late::others)) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        throw std::runtime_error(std::to_string(i));
      });
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "none";
  };
  for (const Late late : {Late::none, Late::lowest, Late::others}) {
    for (int round = 0; round < 5; ++round) {
      for (const std::size_t lowest : {0U, 1U, 31U, 32U, 33U, 63U}) {
        CHECK(failure(lowest, late) == std::to_string(lowest));
      }
    }
  }
  CHECK(failure(64, Late::none) == "none");
  const SerialScope serial;
  CHECK(failure(40, Late::none) == "40");
}

TEST_CASE("blocks see the caller's rounding mode") {
  std::fesetround(FE_UPWARD);
  std::atomic<int> upward{0};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  parallel_blocks(32, [&](std::size_t) {
    upward += std::fegetround() == FE_UPWARD ? 1 : 0;
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    std::this_thread::yield();
  });
  std::fesetround(FE_TONEAREST);
  CAPTURE(threads.size());
  CHECK(upward == 32);
}

#ifndef XGRAD_THREADS_BACKEND_STD

TEST_CASE("blocks use the caller's arena within the global limit") {
  for (const int threads : {2, 3, 8}) {
    CAPTURE(threads);
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
    tbb::task_arena arena(threads);
    const auto wanted = static_cast<std::size_t>(threads);
    CHECK(arena.execute([&] { return threads_that_meet(wanted, 64); }) == wanted);
    CHECK(arena.execute([] { return thread_count(); }) == wanted);
  }
}

TEST_CASE("an arena or a global limit of one thread is respected") {
  const auto caller_runs_all = [] {
    const auto caller = std::this_thread::get_id();
    std::atomic<bool> all{true};
    parallel_blocks(50, [&](std::size_t) {
      if (std::this_thread::get_id() != caller) all = false;
    });
    return all.load() && thread_count() == 1;
  };
  tbb::task_arena arena(1);
  CHECK(arena.execute(caller_runs_all));
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, 1);
  CHECK(caller_runs_all());
}

TEST_CASE("a caller whose own tasks are cancelled still gets all blocks") {
  tbb::task_group_context context;
  std::atomic<int> runs{0};
  tbb::parallel_for(
      tbb::blocked_range<int>(0, 1),
      [&](const tbb::blocked_range<int>&) {
        context.cancel_group_execution();
        parallel_blocks(40, [&](std::size_t) { ++runs; });
      },
      context);
  CHECK(runs == 40);
}

TEST_CASE("a thread that waits for its blocks picks up no other task of the program") {
  thread_local bool inside = false;
  std::atomic<int> strangers{0};
  tbb::parallel_for(0, 64, [&](int) {
    if (inside) ++strangers;
    inside = true;
    parallel_blocks(8, [](std::size_t) { std::this_thread::sleep_for(std::chrono::microseconds(50)); });
    inside = false;
  });
  CHECK(strangers == 0);
}

#endif

TEST_CASE("set_threads limits the threads that compute, and 0 gives all cores again") {
  const std::size_t all = xgrad::thread_count();
  xgrad::set_threads(1);
  CHECK(thread_count() == 1);
  const std::thread::id self = std::this_thread::get_id();
  std::atomic<std::size_t> elsewhere{0};
  parallel_blocks(100, [&](std::size_t) { elsewhere += std::this_thread::get_id() != self; });
  CHECK(elsewhere == 0);
  xgrad::set_threads(0);
  CHECK(xgrad::thread_count() == all);
}
