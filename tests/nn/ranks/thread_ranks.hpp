#pragma once

#include <nn/ranks/ranks.hpp>

#include <atomic>
#include <barrier>
#include <cstring>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

/// Ranks that are threads of the test: the same code as over MPI, without it.
class ThreadRanks final : public xgrad::nn::Ranks {
 public:
  /// Calls work(ranks) on so many threads, one a rank, and returns what each threw, if anything.
  static std::vector<std::exception_ptr> run(std::int64_t count, const std::function<void(Ranks&)>& work) {
    Meeting meeting(count);
    std::vector<std::exception_ptr> errors(static_cast<std::size_t>(count));
    std::vector<std::thread> threads;
    for (std::int64_t rank = 0; rank < count; ++rank)
      threads.emplace_back([&, rank] {
        ThreadRanks ranks(meeting, rank);
        try {
          work(ranks);
        } catch (...) {
          errors[static_cast<std::size_t>(rank)] = std::current_exception();
        }
        meeting.barrier.arrive_and_drop();
      });
    for (std::thread& thread : threads) thread.join();
    return errors;
  }

  std::int64_t rank() const override { return rank_; }
  std::int64_t size() const override { return static_cast<std::int64_t>(meeting_.given.size()); }
  std::uint64_t sent_bytes() const override { return sent_; }

  void exchange(std::span<const std::byte> to, std::span<const std::size_t> to_sizes, std::span<std::byte> from,
                std::span<const std::size_t> from_sizes) override {
    meeting_.given[here()] = {to.data(), to_sizes.data()};
    meeting_.barrier.arrive_and_wait();
    std::size_t place = 0;
    for (std::size_t q = 0; q < from_sizes.size(); ++q) {
      const Given& given = meeting_.given[q];
      std::size_t before = 0;
      for (std::size_t i = 0; i < here(); ++i) before += given.sizes[i];
      if (given.sizes[here()] != from_sizes[q]) meeting_.agreed = false;
      if (from_sizes[q] > 0) std::memcpy(from.data() + place, given.bytes + before, from_sizes[q]);
      place += from_sizes[q];
      if (q != here()) sent_ += to_sizes[q];
    }
    meeting_.barrier.arrive_and_wait();
  }

  void share(std::span<std::byte> all, std::span<const std::size_t> sizes) override {
    meeting_.given[here()] = {all.data(), sizes.data()};
    meeting_.barrier.arrive_and_wait();
    std::size_t place = 0;
    for (std::size_t q = 0; q < sizes.size(); ++q) {
      if (q != here() && sizes[q] > 0) std::memcpy(all.data() + place, meeting_.given[q].bytes + place, sizes[q]);
      place += sizes[q];
    }
    sent_ += sizes[here()] * (sizes.size() - 1);
    meeting_.barrier.arrive_and_wait();
  }

 private:
  struct Given {
    const std::byte* bytes = nullptr;
    const std::size_t* sizes = nullptr;
  };
  struct Meeting {
    explicit Meeting(std::int64_t count) : barrier(count), given(static_cast<std::size_t>(count)) {}
    std::barrier<> barrier;
    std::vector<Given> given;
    std::atomic<bool> agreed = true;
  };
  ThreadRanks(Meeting& meeting, std::int64_t rank) : meeting_(meeting), rank_(rank) {}
  std::size_t here() const { return static_cast<std::size_t>(rank_); }

  Meeting& meeting_;
  std::int64_t rank_;
  std::uint64_t sent_ = 0;
};
