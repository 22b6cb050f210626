#include <autograd/tensor/memory.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <mutex>
#include <new>

#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace xgrad {

namespace {

#if defined(__SANITIZE_ADDRESS__)
#define XGRAD_CACHES_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define XGRAD_CACHES_MEMORY 0
#endif
#endif
#ifndef XGRAD_CACHES_MEMORY
#define XGRAD_CACHES_MEMORY 1  // AddressSanitizer must see every block come and go
#endif

constexpr std::size_t fine_classes = 16;       // 64, 128, ..., 1024
constexpr std::size_t small_bytes = 64 << 10;  // larger blocks are shared by all threads at once
constexpr std::size_t classes = fine_classes + 4 * 38;

constexpr std::size_t class_of(std::size_t bytes) {
  if (bytes <= memory_line * fine_classes) return bytes == 0 ? 0 : (bytes - 1) / memory_line;
  const auto exponent =
      static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // 2^exponent < bytes <= 2^(exponent+1)
  const std::size_t quarter = ((bytes - 1) >> (exponent - 2)) & 3;
  return fine_classes + (exponent - 10) * 4 + quarter;
}

constexpr std::size_t bytes_of(std::size_t size_class) {
  if (size_class < fine_classes) return (size_class + 1) * memory_line;
  const std::size_t exponent = 10 + (size_class - fine_classes) / 4;
  const std::size_t quarter = (size_class - fine_classes) % 4;
  return (std::size_t{1} << exponent) + (quarter + 1) * (std::size_t{1} << (exponent - 2));
}
static_assert(bytes_of(class_of(64)) == 64 && bytes_of(class_of(1025)) == 1280 && bytes_of(class_of(2048)) == 2048);
static_assert(class_of(small_bytes) + 1 == class_of(small_bytes + 1));

struct Block {
  Block* next;
};

struct FreeLists {
  std::array<Block*, classes> first{};
  std::size_t bytes = 0;

  void push(std::size_t size_class, void* memory) {
    first[size_class] = new (memory) Block{first[size_class]};
    bytes += bytes_of(size_class);
  }
  void* pop(std::size_t size_class) {
    Block* block = first[size_class];
    if (block == nullptr) return nullptr;
    first[size_class] = block->next;
    bytes -= bytes_of(size_class);
    return block;
  }
};

std::atomic<std::size_t> system_allocations{0};
std::atomic<std::size_t> thread_limit{MemoryLimits{}.thread};
std::atomic<std::size_t> shared_limit{MemoryLimits{}.shared};

/// Large blocks stand on huge pages where the system has them: of 4 KiB each, their first writing costs four times and
/// every other a third more.
constexpr std::size_t huge_page = 2 << 20;
constexpr bool is_huge(std::size_t bytes) { return bytes >= 2 * huge_page; }
constexpr std::align_val_t alignment_of(std::size_t bytes) {
  return std::align_val_t{is_huge(bytes) ? huge_page : memory_line};
}

void* from_system(std::size_t bytes) {
  system_allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = ::operator new(bytes, alignment_of(bytes));
#ifdef MADV_HUGEPAGE
  if (is_huge(bytes)) static_cast<void>(madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE));
#endif
  return memory;
}

void to_system(void* memory, std::size_t bytes) noexcept { ::operator delete(memory, alignment_of(bytes)); }

struct SharedPool {
  std::mutex mutex;
  FreeLists lists;
};

// Never destroyed: tensors of static lifetime may be freed after everything else.
SharedPool& shared_pool() {
  static SharedPool* const pool = new SharedPool;
  return *pool;
}

void to_shared_pool(std::size_t size_class, void* memory) noexcept {
  SharedPool& pool = shared_pool();
  {
    const std::lock_guard lock(pool.mutex);
    if (pool.lists.bytes + bytes_of(size_class) <= shared_limit.load(std::memory_order_relaxed)) {
      pool.lists.push(size_class, memory);
      return;
    }
  }
  to_system(memory, bytes_of(size_class));
}

void* from_shared_pool(std::size_t size_class) {
  SharedPool& pool = shared_pool();
  const std::lock_guard lock(pool.mutex);
  return pool.lists.pop(size_class);
}

// Trivially destructible, so that reaching it costs no guard; a Janitor empties it when the thread ends.
struct ThreadCache {
  FreeLists lists;
  enum class State : char { unused, open, closed } state = State::unused;
};
constinit thread_local ThreadCache thread_cache{};

struct Janitor {
  ~Janitor() {
    thread_cache.state = ThreadCache::State::closed;
    for (std::size_t c = 0; c < classes; ++c)
      while (void* memory = thread_cache.lists.pop(c)) to_shared_pool(c, memory);
  }
};

void open_thread_cache() {
  static thread_local const Janitor janitor;
  static_cast<void>(janitor);
  if (thread_cache.state == ThreadCache::State::unused) thread_cache.state = ThreadCache::State::open;
}

bool fits_thread_cache(std::size_t size_class) {
  return thread_cache.lists.bytes + bytes_of(size_class) <= thread_limit.load(std::memory_order_relaxed);
}

constexpr std::size_t whole_lines(std::size_t bytes) { return (bytes + memory_line - 1) / memory_line * memory_line; }

[[gnu::noinline]] void* allocate_slow(std::size_t bytes) {
  if (bytes > bytes_of(classes - 1)) throw std::bad_alloc();
  if constexpr (!XGRAD_CACHES_MEMORY) return from_system(whole_lines(bytes));
  const std::size_t size_class = class_of(bytes);
  if (size_class <= class_of(small_bytes))
    if (void* memory = thread_cache.lists.pop(size_class)) return memory;
  if (void* memory = from_shared_pool(size_class)) return memory;
  return from_system(bytes_of(size_class));
}

[[gnu::noinline]] void deallocate_slow(void* memory, std::size_t bytes) noexcept {
  if constexpr (!XGRAD_CACHES_MEMORY) return to_system(memory, whole_lines(bytes));
  const std::size_t size_class = class_of(bytes);
  if (size_class <= class_of(small_bytes)) {
    if (thread_cache.state == ThreadCache::State::unused) open_thread_cache();
    if (thread_cache.state == ThreadCache::State::open && fits_thread_cache(size_class))
      return thread_cache.lists.push(size_class, memory);
  }
  to_shared_pool(size_class, memory);
}

void empty(FreeLists& lists) noexcept {
  for (std::size_t c = 0; c < classes; ++c)
    while (void* memory = lists.pop(c)) to_system(memory, bytes_of(c));
}

}  // namespace

// Most blocks are small: those ways are short.
constexpr bool is_small(std::size_t bytes) {
  return XGRAD_CACHES_MEMORY && bytes - 1 < memory_line * fine_classes;  // not for 0
}

void* allocate(std::size_t bytes) {
  if (is_small(bytes)) [[likely]]
    if (void* memory = thread_cache.lists.pop(class_of(bytes))) return memory;
  return allocate_slow(bytes);
}

void deallocate(void* memory, std::size_t bytes) noexcept {
  if (is_small(bytes) && thread_cache.state == ThreadCache::State::open) [[likely]] {
    const std::size_t size_class = class_of(bytes);
    if (fits_thread_cache(size_class)) return thread_cache.lists.push(size_class, memory);
  }
  deallocate_slow(memory, bytes);
}

void release_cached_memory() noexcept {
  empty(thread_cache.lists);
  {
    SharedPool& pool = shared_pool();
    const std::lock_guard lock(pool.mutex);
    empty(pool.lists);
  }
#ifdef __GLIBC__
  malloc_trim(0);  // blocks of less than 128 KiB stay in its heaps otherwise
#endif
}

void limit_cached_memory(MemoryLimits limits) noexcept {
  thread_limit.store(limits.thread, std::memory_order_relaxed);
  shared_limit.store(limits.shared, std::memory_order_relaxed);
}

MemoryStatistics memory_statistics() noexcept {
  SharedPool& pool = shared_pool();
  const std::lock_guard lock(pool.mutex);
  return {system_allocations.load(std::memory_order_relaxed), thread_cache.lists.bytes + pool.lists.bytes};
}

}  // namespace xgrad
