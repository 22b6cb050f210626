#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <autograd/parallel/background_task.hpp>
#include <autograd/parallel/parallel.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

using namespace xgrad;
using expect::error_of;

namespace {

/// Waits for a condition, at most 20 s.
template <class F>
bool soon(const F& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace

TEST_CASE("the work is done once when wait returns, for every number of threads") {
  for (const int threads : {1, 2, 8})
    with_threads(threads, [] {
      for (int round = 0; round < 500; ++round) {
        int runs = 0;  // not atomic: wait orders it
        BackgroundTask task([&] { ++runs; });
        CHECK(task.pending());
        if (round % 2 == 0) std::this_thread::yield();
        task.wait();
        CHECK(runs == 1);
        CHECK_FALSE(task.pending());
        task.wait();
        CHECK(runs == 1);
      }
    });
}

TEST_CASE("another thread does the work while this one goes on") {
  with_threads(2, [] {
    std::atomic<bool> begun = false;
    std::thread::id worker;
    BackgroundTask task([&] {
      worker = std::this_thread::get_id();
      begun = true;
    });
    REQUIRE(soon([&] { return begun.load(); }));
    task.wait();
    CHECK(worker != std::this_thread::get_id());
  });
}

TEST_CASE("with one thread, and in a serial scope, the thread that waits does the work") {
  const auto waits_itself = [] {
    std::thread::id worker;
    BackgroundTask task([&] { worker = std::this_thread::get_id(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(worker == std::thread::id());
    task.wait();
    return worker == std::this_thread::get_id();
  };
  CHECK(with_threads(1, waits_itself));
  const kernels::SerialScope serial;
  CHECK(waits_itself());
}

TEST_CASE("an exception comes out of wait, once") {
  for (const int threads : {1, 2})
    with_threads(threads, [] {
      BackgroundTask task([] { throw ValueError("load: no such row"); });
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      CHECK(error_of([&] { task.wait(); }) == "ValueError: load: no such row");
      CHECK(error_of([&] { task.wait(); }) == "no error");
    });
}

TEST_CASE("destroying or replacing a task waits for work that has begun and drops work that has not") {
  for (const bool replaces : {false, true})
    with_threads(2, [&] {
      std::atomic<bool> begun = false, released = false;
      bool finished = false;
      std::thread releaser([&] {
        soon([&] { return begun.load(); });
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        released = true;
      });
      {
        BackgroundTask task([&] {
          begun = true;
          soon([&] { return released.load(); });
          finished = true;
          throw std::runtime_error("nobody waits for this");
        });
        REQUIRE(soon([&] { return begun.load(); }));
        if (replaces) {
          task = BackgroundTask();
          CHECK(finished);
        }
      }
      CHECK(finished);
      releaser.join();
    });
  with_threads(1, [] {
    int runs = 0;
    {
      BackgroundTask dropped([&] { ++runs; });
    }
    CHECK(runs == 0);
  });
}

TEST_CASE("a task can be moved") {
  int runs = 0;
  BackgroundTask first([&] { ++runs; });
  BackgroundTask second = std::move(first);
  second.wait();
  CHECK(runs == 1);
  CHECK_FALSE(BackgroundTask().pending());
}

TEST_CASE("the work sees the default dtype and path of its maker, and nothing is recorded") {
  for (const int threads : {1, 2})
    with_threads(threads, [] {
      const Tensor w = expect::leaf(ones({2}, float64));
      DType dtype = float32;
      std::string path;
      std::size_t concurrency = 0;
      BackgroundTask task;
      Tape tape;
      {
        const DefaultDType scope(float64);
        const PathScope layer("encoder");
        task = BackgroundTask([&] {
          dtype = default_dtype();
          path = PathScope::current();
          concurrency = kernels::thread_count();
          const Tensor unrecorded = w * 2.0;
        });
      }
      task.wait();
      CHECK(dtype == float64);
      CHECK(path == "encoder");
      CHECK(concurrency == 1);
      CHECK(tape.size() == 0);
    });
}

TEST_CASE("many tasks at once, beside parallel loops") {
  with_threads(3, [] {
    std::atomic<int> sum = 0;
    for (int round = 0; round < 50; ++round) {
      std::vector<BackgroundTask> tasks;
      for (int i = 0; i < 20; ++i) tasks.emplace_back([&] { ++sum; });
      kernels::parallel_blocks(16, [&](std::size_t) { ++sum; });
      for (BackgroundTask& task : tasks) task.wait();
    }
    CHECK(sum == 50 * (20 + 16));
  });
}

TEST_CASE("a child process does what another thread of its parent had begun") {
  with_threads(2, [] {
    std::atomic<int> runs = 0;
    std::atomic<bool> begun = false, released = false;
    BackgroundTask task([&] {
      ++runs;
      begun = true;
      soon([&] { return released.load(); });
    });
    REQUIRE(soon([&] { return begun.load(); }));
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // rather than to wait for ever
      released = true;
      task.wait();
      _exit(runs == 2 ? 0 : 1);
    }
    released = true;
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    task.wait();
    CHECK(runs == 1);
  });
}

TEST_CASE("a task without work to call is refused") {
  CHECK(error_of([] { BackgroundTask(std::function<void()>()); }) ==
        "ValueError: BackgroundTask: the function is empty; need work, or BackgroundTask() for none");
}
