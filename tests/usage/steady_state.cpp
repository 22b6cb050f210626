#include "tests/support/expect.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#ifdef XGRAD_SANITIZER

TEST_CASE("a steady training loop takes nothing from the system") {
  MESSAGE("skipped: sanitizers have an allocator of their own, and memory is not cached under AddressSanitizer");
}

#else

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> news{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  if (counting.load(std::memory_order_relaxed)) news.fetch_add(1, std::memory_order_relaxed);
  void* memory = nullptr;
  if (alignment <= alignof(std::max_align_t))
    memory = std::malloc(bytes > 0 ? bytes : 1);
  else if (posix_memalign(&memory, alignment, bytes) != 0)
    memory = nullptr;
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Every operator new of this program comes through here; the others (arrays, nothrow) call these by default.
void* operator new(std::size_t bytes) { return counted(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

using namespace xgrad;

namespace {

struct Net : nn::Module {
  nn::Linear first = add("first", nn::Linear(784, 256));
  nn::Linear second = add("second", nn::Linear(256, 128));
  nn::Linear third = add("third", nn::Linear(128, 10));
  Tensor operator()(const Tensor& x) const { return third(relu(second(relu(first(x))))); }
};

constexpr std::size_t steps = 50;

struct Counts {
  std::size_t blocks;  ///< that the tensors' memory took from the system
  std::size_t bytes;   ///< that malloc took from the system
  std::size_t news;    ///< calls of operator new
};

std::size_t bytes_of_malloc() {
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 33)
  const auto info = mallinfo2();
  return info.arena + info.hblkhd;
#endif
#endif
  return 0;
}

/// What was allocated in some steps after the first 10.
Counts train(int threads) {
  seed(1);
  const Net net;
  nn::SGD optimizer(net.parameters(), {.learning_rate = 0.01, .momentum = 0.9});
  const Tensor x = uniform({128, 784});
  const Tensor y = integers({128}, 0, 10);
  return with_threads(threads, [&] {
    Counts before{};
    for (std::size_t step = 0; step < 10 + steps; ++step) {
      if (step == 10) {
        before = {memory_statistics().system_allocations, bytes_of_malloc(), 0};
        news = 0;
        counting = true;
      }
      Tape tape;
      optimizer.step(tape.backward(nn::cross_entropy(net(x), y)));
    }
    counting = false;
    return Counts{memory_statistics().system_allocations - before.blocks, bytes_of_malloc() - before.bytes, news};
  });
}

}  // namespace

TEST_CASE("a steady training loop of 784-256-128-10 takes nothing from the system after the first steps") {
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    const Counts counts = train(threads);
    CHECK(counts.blocks == 0);
    CHECK(counts.bytes == 0);
    CHECK(counts.news <= 3 * steps);  // backward's lists of outputs and cotangents
  }
}

#endif
