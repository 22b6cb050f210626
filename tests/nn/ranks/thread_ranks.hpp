#pragma once

#include <nn/ranks/ranks.hpp>

#include <condition_variable>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

/// Ranks that are threads of the test: the same code as over MPI, without it.
class ThreadRanks final : public xgrad::nn::Ranks {
 public:
  /// Calls work(ranks) on so many threads, one a rank, and returns what each threw, if anything.
  static std::vector<std::exception_ptr> run(std::int64_t count, const std::function<void(Ranks&)>& work) {
    Meeting meeting(static_cast<std::size_t>(count));
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
        meeting.leave();
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
    meeting_.wait();
    std::size_t place = 0;
    for (std::size_t q = 0; q < from_sizes.size(); ++q) {
      const Given& given = meeting_.given[q];
      std::size_t before = 0;
      for (std::size_t i = 0; i < here(); ++i) before += given.sizes[i];
      if (given.sizes[here()] != from_sizes[q]) throw xgrad::nn::RankError("ThreadRanks: sizes do not fit");
      if (from_sizes[q] > 0) std::memcpy(from.data() + place, given.bytes + before, from_sizes[q]);
      place += from_sizes[q];
      if (q != here()) sent_ += to_sizes[q];
    }
    meeting_.wait();
  }

  void share(std::span<std::byte> all, std::span<const std::size_t> sizes) override {
    meeting_.given[here()] = {all.data(), sizes.data()};
    meeting_.wait();
    std::size_t place = 0;
    for (std::size_t q = 0; q < sizes.size(); ++q) {
      if (q != here() && sizes[q] > 0) std::memcpy(all.data() + place, meeting_.given[q].bytes + place, sizes[q]);
      place += sizes[q];
    }
    sent_ += sizes[here()] * (sizes.size() - 1);
    meeting_.wait();
  }

 private:
  struct Given {
    const std::byte* bytes = nullptr;
    const std::size_t* sizes = nullptr;
  };
  /// Where the ranks wait for each other.
  struct Meeting {
    explicit Meeting(std::size_t count) : given(count), expected(count) {}

    void wait() {
      std::unique_lock<std::mutex> lock(mutex);
      const std::size_t before = generation;
      if (++arrived == expected) end_generation();
      changed.wait(lock, [&] { return generation != before; });
    }
    /// One rank comes no more.
    void leave() {
      const std::lock_guard<std::mutex> lock(mutex);
      if (--expected == arrived && arrived > 0) end_generation();
    }
    void end_generation() {
      ++generation;
      arrived = 0;
      changed.notify_all();
    }

    std::vector<Given> given;
    std::size_t expected, arrived = 0, generation = 0;
    std::mutex mutex;
    std::condition_variable changed;
  };
  ThreadRanks(Meeting& meeting, std::int64_t rank) : meeting_(meeting), rank_(rank) {}
  std::size_t here() const { return static_cast<std::size_t>(rank_); }

  Meeting& meeting_;
  std::int64_t rank_;
  std::uint64_t sent_ = 0;
};
