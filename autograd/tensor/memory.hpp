#pragma once

#include <cstddef>
#include <new>

namespace xgrad {

// Memory of tensors and tapes. Freed blocks are kept by size class (64-byte steps up to 1 KiB, then four classes for
// each power of two) and handed out again: small ones by the thread that freed them, without a lock; large ones, and
// what a thread has too much of, through a pool that all threads share. Both are bounded; beyond the bound memory goes
// back to the system. A program that repeats its work therefore soon allocates nothing from the system.

/// Memory comes aligned to lines of so many bytes, and in whole lines.
inline constexpr std::size_t memory_line = 64;

/// At least `bytes` of uninitialised memory. std::bad_alloc when the system has none.
void* allocate(std::size_t bytes);

/// Gives back memory of allocate(bytes), on any thread.
void deallocate(void* memory, std::size_t bytes) noexcept;

/// Returns the cached blocks of this thread and of the shared pool to the system, and what the C library keeps of
/// memory that is free.
void release_cached_memory() noexcept;

/// Bounds, in bytes: what each thread may keep of small blocks, and the shared pool of all.
struct MemoryLimits {
  std::size_t thread = std::size_t{32} << 20;
  std::size_t shared = std::size_t{1} << 30;
};
void limit_cached_memory(MemoryLimits limits) noexcept;

struct MemoryStatistics {
  std::size_t system_allocations;  ///< blocks taken from the system since the program started, by all threads
  std::size_t cached_bytes;        ///< kept by this thread and by the shared pool
};
MemoryStatistics memory_statistics() noexcept;

/// The same memory for standard containers.
template <class T>
struct CachedAllocator {
  using value_type = T;
  CachedAllocator() = default;
  template <class U>
  CachedAllocator(const CachedAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) {
    if (n > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(xgrad::allocate(n * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t n) noexcept { xgrad::deallocate(memory, n * sizeof(T)); }
  friend bool operator==(const CachedAllocator&, const CachedAllocator&) { return true; }
};

}  // namespace xgrad
