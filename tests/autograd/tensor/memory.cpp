#include "tests/support/expect.hpp"

#include <doctest/doctest.h>
#include <autograd/tensor/memory.hpp>

#include <unistd.h>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace xgrad;

namespace {

std::size_t cached() { return memory_statistics().cached_bytes; }
std::size_t taken() { return memory_statistics().system_allocations; }

/// Puts the default limits back and empties the caches.
struct Restored {
  Restored() { release_cached_memory(); }
  ~Restored() {
    limit_cached_memory({});
    release_cached_memory();
  }
};

struct Block {
  void* memory;
  std::size_t bytes;
};

void free_all(std::vector<Block>& blocks) {
  for (const Block& block : blocks) deallocate(block.memory, block.bytes);
  blocks.clear();
}

}  // namespace

TEST_CASE("blocks of every size are aligned to 64 bytes, can be written, and do not overlap") {
  std::vector<Block> blocks;
  for (const int size : {0,    1,    63,   64,   65,   127,   128,   129,   1000,   1023,    1024,         1025,
                         1280, 1281, 2047, 2048, 2049, 65535, 65536, 65537, 100000, 1 << 20, (1 << 20) + 1})
    for (int copy = 0; copy < 2; ++copy) {
      const auto bytes = static_cast<std::size_t>(size);
      blocks.push_back({allocate(bytes), bytes});
    }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    CHECK(reinterpret_cast<std::uintptr_t>(blocks[i].memory) % 64 == 0);
    std::memset(blocks[i].memory, static_cast<int>(i + 1), blocks[i].bytes);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto* bytes = static_cast<const unsigned char*>(blocks[i].memory);
    bool kept = true;
    for (std::size_t k = 0; k < blocks[i].bytes; ++k) kept = kept && bytes[k] == i + 1;
    CHECK(kept);
  }
  free_all(blocks);
}

TEST_CASE("large blocks stand on huge pages, where the system gives them to who asks") {
  const Restored restored;
  const std::size_t huge_page = 2 << 20;
  for (const std::size_t bytes : {2 * huge_page, 5 * huge_page / 2 + 1, 50 * huge_page}) {
    void* const memory = allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(memory) % huge_page == 0);
    std::memset(memory, 1, bytes);
    deallocate(memory, bytes);
  }
#ifdef __linux__
  const std::size_t bytes = 50 * huge_page;
  void* const memory = allocate(bytes);
  // Of the mapping that the block stands in: "hg" among its flags says that huge pages were asked for.
  std::ifstream maps("/proc/self/smaps");
  bool inside = false, asked = false, knows = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    const auto at = reinterpret_cast<std::uintptr_t>(memory);
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) inside = begin <= at && at < end;
    if (inside && line.starts_with("VmFlags:")) asked = line.find(" hg") != std::string::npos;
    knows |= line.starts_with("THPeligible:");
  }
  if (knows && std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled")) CHECK(asked);
  deallocate(memory, bytes);
#endif
}

TEST_CASE("a freed block is handed out again for every size of its class") {
  if (!expect::memory_is_cached()) return;
  const Restored restored;
  // Up to 1 KiB in steps of 64, then four classes for each power of two: (least bytes, most bytes) of a class.
  const std::array<std::pair<std::size_t, std::size_t>, 8> classes{{{1, 64},
                                                                    {65, 128},
                                                                    {961, 1024},
                                                                    {1025, 1280},
                                                                    {1793, 2048},
                                                                    {2049, 2560},
                                                                    {57345, 65536},
                                                                    {(1 << 20) + 1, (1 << 20) + (1 << 18)}}};
  for (const auto& [least, most] : classes) {
    void* const first = allocate(least);
    deallocate(first, least);
    CHECK(cached() == most);  // the block has the largest size of its class
    void* const second = allocate(most);
    CHECK(second == first);
    CHECK(cached() == 0);
    deallocate(second, most);
    const std::size_t before = taken();
    void* const larger = allocate(most + 1);
    CHECK(taken() == before + 1);
    CHECK(larger != first);
    deallocate(larger, most + 1);
    release_cached_memory();
  }
}

TEST_CASE("repeated work takes nothing from the system") {
  if (!expect::memory_is_cached()) return;
  const Restored restored;
  const auto work = [] {
    std::vector<Block> blocks;
    for (std::size_t bytes = 1; bytes < 5'000'000; bytes = bytes * 3 / 2 + 1)
      blocks.push_back({allocate(bytes), bytes});
    free_all(blocks);
  };
  work();
  const std::size_t before = taken();
  for (int round = 0; round < 100; ++round) work();
  CHECK(taken() == before);
}

TEST_CASE("release_cached_memory returns what this thread and the shared pool keep") {
  if (!expect::memory_is_cached()) return;
  const Restored restored;
  void* const small = allocate(100);
  void* const large = allocate(1 << 20);
  deallocate(small, 100);
  deallocate(large, 1 << 20);
  CHECK(cached() == 128 + (1 << 20));
  release_cached_memory();
  CHECK(cached() == 0);
  const std::size_t before = taken();
  deallocate(allocate(100), 100);
  CHECK(taken() == before + 1);
}

TEST_CASE("after a spike of small blocks release_cached_memory gives them back to the system") {
#ifdef XGRAD_THREAD_SANITIZER
  MESSAGE("skipped: ThreadSanitizer's notes on freed memory stay with the process");
  return;
#endif
  if (!expect::memory_is_cached()) return;
  const Restored restored;
  const auto resident = [] {
    std::ifstream file("/proc/self/statm");
    std::size_t size = 0, pages = 0;
    file >> size >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  };
  const std::size_t before = resident();
  constexpr std::size_t spike = 200 << 20;
  for (const std::size_t bytes : {std::size_t{1} << 10, std::size_t{100} << 10}) {
    std::vector<Block> blocks;
    for (std::size_t i = 0; i < spike / bytes; ++i) {
      blocks.push_back({allocate(bytes), bytes});
      std::memset(blocks.back().memory, 1, bytes);
    }
    CHECK(resident() - before > spike / 2);
    free_all(blocks);
    blocks.shrink_to_fit();
    release_cached_memory();
    CHECK(resident() < before + spike / 10);
  }
}

TEST_CASE("what is kept stays within the limits, and the rest goes back to the system") {
  if (!expect::memory_is_cached()) return;
  const Restored restored;
  SUBCASE("of the thread, for small blocks; the shared pool takes what is too much") {
    limit_cached_memory({.thread = 64 * 100, .shared = 64 * 50});
    std::vector<Block> blocks;
    for (int i = 0; i < 1000; ++i) blocks.push_back({allocate(64), 64});
    free_all(blocks);
    CHECK(cached() == 64 * 150);
  }
  SUBCASE("of the shared pool, for large blocks") {
    limit_cached_memory({.thread = 1 << 20, .shared = 3 << 20});
    std::vector<Block> blocks;
    for (int i = 0; i < 10; ++i) blocks.push_back({allocate(1 << 20), 1 << 20});
    free_all(blocks);
    CHECK(cached() == 3 << 20);
  }
  SUBCASE("of the thread, when the next block would pass it") {
    limit_cached_memory({.thread = 100'000, .shared = 0});
    std::vector<Block> blocks{{allocate(65536), 65536}, {allocate(65536), 65536}};
    free_all(blocks);
    CHECK(cached() == 65536);
  }
  SUBCASE("none at all, on a new thread too") {
    limit_cached_memory({.thread = 0, .shared = 0});
    const auto allocate_and_free = [] {
      std::vector<Block> blocks{{allocate(64), 64}, {allocate(1 << 20), 1 << 20}};
      free_all(blocks);
      CHECK(cached() == 0);
    };
    allocate_and_free();
    std::thread(allocate_and_free).join();
  }
}

TEST_CASE("a block may be freed on another thread, and comes back when that thread ends") {
  if (!expect::memory_is_cached()) return;
  const Restored restored;
  std::vector<Block> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back({allocate(1000), 1000});
  std::set<void*> ours;
  for (const Block& block : blocks) ours.insert(block.memory);
  std::thread([&] { free_all(blocks); }).join();
  CHECK(cached() == 100 * 1024);  // now in the shared pool
  const std::size_t before = taken();
  for (int i = 0; i < 100; ++i) {
    blocks.push_back({allocate(1000), 1000});
    CHECK(ours.count(blocks.back().memory) == 1);
  }
  CHECK(taken() == before);
  free_all(blocks);
}

TEST_CASE("large blocks go from thread to thread at once") {
  if (!expect::memory_is_cached()) return;
  const Restored restored;
  void* const ours = allocate(1 << 20);
  std::thread([&] {
    deallocate(ours, 1 << 20);
    void* const theirs = allocate(1 << 20);
    CHECK(theirs == ours);
    deallocate(theirs, 1 << 20);
  }).join();
}

TEST_CASE("threads that hand blocks to each other keep them apart") {
  constexpr int thread_count = 4;
  constexpr int blocks_each = 2000;
  std::array<std::atomic<unsigned char*>, 16> mailbox{};
  std::atomic<int> torn{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < thread_count; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < blocks_each; ++i) {
        auto* const memory = static_cast<unsigned char*>(allocate(256));
        std::memset(memory, t + 1, 256);
        unsigned char* const previous = mailbox[static_cast<std::size_t>(i * 7 + t) % mailbox.size()].exchange(memory);
        if (previous == nullptr) continue;
        for (int k = 1; k < 256; ++k) torn += previous[k] != previous[0] ? 1 : 0;
        deallocate(previous, 256);
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (std::atomic<unsigned char*>& slot : mailbox)
    if (slot != nullptr) deallocate(slot, 256);
  CHECK(torn == 0);
}

namespace {

/// Frees its block when its thread's other variables are gone already.
struct LateBlock {
  void* memory = nullptr;
  ~LateBlock() {
    if (memory != nullptr) deallocate(memory, 64);
  }
};

}  // namespace

TEST_CASE("a block may be freed by a variable of a thread that ends") {
  std::thread([] {
    static thread_local LateBlock late;  // made before the cache of this thread, so destroyed after it
    late.memory = allocate(64);
    deallocate(allocate(64), 64);
  }).join();
  release_cached_memory();
}

TEST_CASE("more than there is throws std::bad_alloc") {
  CHECK_THROWS_AS(static_cast<void>(allocate(std::size_t{1} << 60)), std::bad_alloc);
  CHECK_THROWS_AS(static_cast<void>(allocate(~std::size_t{0})), std::bad_alloc);
}

TEST_CASE("standard containers work on cached memory") {
  CHECK_THROWS_AS(CachedAllocator<double>().allocate((std::size_t{1} << 61) + 1),
                  std::bad_alloc);  // 8 bytes modulo 2^64
  std::vector<double, CachedAllocator<double>> values;
  for (int i = 0; i < 1000; ++i) values.push_back(i);
  CHECK(values[999] == 999);
  CHECK(reinterpret_cast<std::uintptr_t>(values.data()) % 64 == 0);
  CHECK(CachedAllocator<double>() == CachedAllocator<int>());
}
