#pragma once

#include "tests/support/expect.hpp"

#include <nn/ranks/ranks.hpp>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
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
    if (!meeting.exchanges.empty() || !meeting.shares.empty())
      throw std::logic_error("ThreadRanks: some ranks started a transfer that others did not");
    return errors;
  }

  std::int64_t rank() const override { return rank_; }
  std::int64_t size() const override { return static_cast<std::int64_t>(meeting_.given.size()); }
  std::uint64_t sent_bytes() const override { return sent_; }  // any thread may ask

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

  std::unique_ptr<xgrad::nn::Transfer> start_share(std::span<std::byte> all,
                                                   std::span<const std::size_t> sizes) override {
    sent_ += sizes[here()] * (sizes.size() - 1);
    return start(meeting_.shares, shares_++, {all.data(), sizes.data()},
                 [all, sizes](std::size_t q, const Given& given) {
                   std::size_t place = 0;
                   for (std::size_t i = 0; i < q; ++i) place += sizes[i];
                   if (given.bytes != all.data() && sizes[q] > 0)
                     std::memcpy(all.data() + place, given.bytes + place, sizes[q]);
                 });
  }

  std::unique_ptr<xgrad::nn::Transfer> start_exchange(std::span<const std::byte> to,
                                                      std::span<const std::size_t> to_sizes, std::span<std::byte> from,
                                                      std::span<const std::size_t> from_sizes) override {
    for (std::size_t q = 0; q < to_sizes.size(); ++q)
      if (q != here()) sent_ += to_sizes[q];
    return start(meeting_.exchanges, exchanges_++, {to.data(), to_sizes.data()},
                 [from, from_sizes, here = here()](std::size_t q, const Given& given) {
                   if (q == here) return;
                   std::size_t place = 0, before = 0;
                   for (std::size_t i = 0; i < q; ++i) place += from_sizes[i];
                   for (std::size_t i = 0; i < here; ++i) before += given.sizes[i];
                   if (given.sizes[here] != from_sizes[q]) throw xgrad::nn::RankError("ThreadRanks: sizes do not fit");
                   if (from_sizes[q] > 0) std::memcpy(from.data() + place, given.bytes + before, from_sizes[q]);
                 });
  }

 private:
  struct Given {
    const std::byte* bytes = nullptr;
    const std::size_t* sizes = nullptr;
  };
  using Take = std::function<void(std::size_t rank, const Given& given)>;
  /// What all ranks start together: over for a rank when it has the others' pieces, and they have its own.
  struct Round {
    std::vector<Given> given;
    std::size_t started = 0, taken = 0;
  };
  using Rounds = std::map<std::size_t, std::shared_ptr<Round>>;
  class RoundTransfer final : public xgrad::nn::Transfer {
   public:
    RoundTransfer(std::mutex& mutex, std::shared_ptr<Round> round, Take take)
        : mutex_(mutex), round_(std::move(round)), take_(std::move(take)) {}
    ~RoundTransfer() override { wait(); }
    void wait() override {
      while (!over()) std::this_thread::yield();
    }
    bool over() override {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (round_->started < round_->given.size()) return false;
      if (take_ != nullptr) {
        ++round_->taken;
        const Take take = std::exchange(take_, nullptr);
        for (std::size_t q = 0; q < round_->given.size(); ++q) take(q, round_->given[q]);
      }
      return round_->taken == round_->given.size();
    }

   private:
    std::mutex& mutex_;
    const std::shared_ptr<Round> round_;
    Take take_;  // until it has been called
  };
  std::unique_ptr<xgrad::nn::Transfer> start(Rounds& rounds, std::size_t number, const Given& given, Take take) {
    const std::lock_guard<std::mutex> lock(meeting_.mutex);
    std::shared_ptr<Round>& round = rounds[number];
    if (round == nullptr) round = std::make_shared<Round>(Round{.given = std::vector<Given>(meeting_.given.size())});
    round->given[here()] = given;
    auto transfer = std::make_unique<RoundTransfer>(meeting_.mutex, round, std::move(take));
    if (++round->started == meeting_.given.size()) rounds.erase(number);
    return transfer;
  }

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
    Rounds exchanges, shares;
    std::size_t expected, arrived = 0, generation = 0;
    std::mutex mutex;
    std::condition_variable changed;
  };
  ThreadRanks(Meeting& meeting, std::int64_t rank) : meeting_(meeting), rank_(rank) {}
  std::size_t here() const { return static_cast<std::size_t>(rank_); }

  Meeting& meeting_;
  std::int64_t rank_;
  std::atomic<std::uint64_t> sent_ = 0;
  std::size_t exchanges_ = 0, shares_ = 0;  // started
};

/// Of what a rank threw; "no error" if it did not.
inline std::string thrown(const std::exception_ptr& error) {
  return expect::error_of([&] {
    if (error != nullptr) std::rethrow_exception(error);
  });
}
