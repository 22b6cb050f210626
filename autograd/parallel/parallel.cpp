#include <autograd/parallel/parallel.hpp>
#include <autograd/parallel/threads.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <limits>
#include <mutex>
#include <utility>

#ifdef XGRAD_THREADS_BACKEND_STD
#include <thread>
#include <vector>
#else
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <deque>
#include <optional>
#endif

namespace xgrad::kernels {

namespace {

thread_local std::size_t serial_scopes = 0;

/// Runs blocks and keeps the exception of the lowest one that threw. TBB's own forwarding keeps the first in time,
/// which would let the threads decide what the caller sees.
class GuardedBlocks {
 public:
  explicit GuardedBlocks(BlockFunction block) : block_(block) {}

  void run(std::size_t begin, std::size_t end) noexcept {
    std::size_t i = begin;
    try {
      for (; i < end && i < lowest_.load(std::memory_order_relaxed); ++i) block_(i);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (i >= lowest_.load(std::memory_order_relaxed)) return;
      lowest_.store(i, std::memory_order_relaxed);
      exception_ = std::current_exception();
    }
  }

  /// To be called when all blocks are done.
  void rethrow() {
    if (exception_ != nullptr) std::rethrow_exception(exception_);
  }

 private:
  BlockFunction block_;
  std::atomic<std::size_t> lowest_{std::numeric_limits<std::size_t>::max()};
  std::mutex mutex_;
  std::exception_ptr exception_;
};

}  // namespace

SerialScope::SerialScope() noexcept { ++serial_scopes; }

SerialScope::~SerialScope() { --serial_scopes; }

#ifdef XGRAD_THREADS_BACKEND_STD

// For ThreadSanitizer, which cannot see the synchronisation inside an uninstrumented TBB: new threads for each call,
// so that every start and join is a happens-before edge. Correct, not fast.

namespace {
constexpr std::size_t all_threads = 3;
std::atomic<std::size_t> allowed_threads{all_threads};
}  // namespace

std::size_t thread_count() { return serial_scopes > 0 ? 1 : allowed_threads.load(); }

void parallel_blocks(std::size_t count, BlockFunction block) {
  if (count <= 1 || thread_count() == 1) {
    for (std::size_t i = 0; i < count; ++i) block(i);
    return;
  }
  GuardedBlocks blocks(block);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    const SerialScope nested;  // threads of threads would multiply
    for (std::size_t i = next++; i < count; i = next++) blocks.run(i, i + 1);
  };
  {
    std::vector<std::jthread> threads;
    while (threads.size() + 1 < thread_count()) threads.emplace_back(work);
    work();
  }
  blocks.rethrow();
}

void offer_work(std::function<void()> work) {
  if (thread_count() == 1) return;
  static std::mutex mutex;
  static std::vector<std::jthread> threads;  // joined now and then, and when the program ends
  const std::lock_guard lock(mutex);
  if (threads.size() == 100) threads.clear();
  threads.emplace_back(std::move(work));
}

#else

std::size_t thread_count() {
  if (serial_scopes > 0) return 1;
  const auto arena = static_cast<std::size_t>(std::max(1, tbb::this_task_arena::max_concurrency()));
  return std::min(arena, tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
}

void parallel_blocks(std::size_t count, BlockFunction block) {
  if (count <= 1 || thread_count() == 1) {
    for (std::size_t i = 0; i < count; ++i) block(i);
    return;
  }
  GuardedBlocks blocks(block);
  tbb::this_task_arena::isolate([&] {
    // Isolated: a cancelled task of the caller must not leave blocks out, since the result would be read as complete.
    tbb::task_group_context context(tbb::task_group_context::isolated, tbb::task_group_context::fp_settings);
    tbb::parallel_for(
        tbb::blocked_range<std::size_t>(0, count),
        [&](const tbb::blocked_range<std::size_t>& range) { blocks.run(range.begin(), range.end()); },
        tbb::static_partitioner(), context);
  });
  blocks.rethrow();
}

namespace {

/// Work that waits for a free thread. TBB gets a token for each piece and not the work itself, for it forgets what is
/// left when the program ends.
class OfferedWork {
 public:
  void add(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
  }
  void run_next() {
    std::function<void()> work;
    {
      const std::lock_guard lock(mutex_);
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }

 private:
  std::mutex mutex_;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace

void offer_work(std::function<void()> work) {
  if (thread_count() == 1) return;
  static OfferedWork& offered = *new OfferedWork;  // never destroyed: tokens may run until the very end
  offered.add(std::move(work));
  tbb::this_task_arena::enqueue([] { offered.run_next(); });
}

#endif

}  // namespace xgrad::kernels

namespace xgrad {

std::size_t thread_count() { return kernels::thread_count(); }

#ifdef XGRAD_THREADS_BACKEND_STD

void set_threads(std::size_t count) {
  kernels::allowed_threads = count == 0 ? kernels::all_threads : std::min(count, kernels::all_threads);
}

#else

void set_threads(std::size_t count) {
  static std::optional<tbb::global_control> limit;
  limit.reset();
  if (count > 0) limit.emplace(tbb::global_control::max_allowed_parallelism, count);
}

#endif

}  // namespace xgrad
