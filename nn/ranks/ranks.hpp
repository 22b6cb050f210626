#pragma once

#include <autograd/tensor/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad::nn {

/// Numbers that are on their way. The memory that they leave and reach must be there until they have arrived, as must
/// the sizes that it was started with.
class Transfer {
 public:
  Transfer() = default;
  /// Waits for the end of one that is not over.
  virtual ~Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  /// Whether this rank has what it gets, and its own may be overwritten. Carries on with it, and returns at once.
  virtual bool over() = 0;
  /// Returns when it is over, and carries on with others meanwhile.
  virtual void wait() = 0;
};

/// Processes that train one model together, as one of them sees it: what fit needs of a transport, of which
/// `distributed::world()` (nn/distributed, MPI) is the one implementation.
///
/// Every rank calls `share` in the same order, and each call returns when this rank has what it gets; transfers of each
/// kind are started in the same order on every rank, by themselves: they may be under way while `share` is called, and
/// those of the other kind. Numbers travel as bytes: all ranks are of one build. Any thread may call, one at a time.
/// RankError where the transport fails.
class Ranks {
 public:
  Ranks() = default;
  virtual ~Ranks() = default;
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  /// 0 is the first rank: the one that prints, writes files and calls back.
  virtual std::int64_t rank() const = 0;
  virtual std::int64_t size() const = 0;
  /// `all` has a piece of each rank, of these sizes, one behind the other. This rank's is there before, the others'
  /// afterwards.
  virtual void share(std::span<std::byte> all, std::span<const std::size_t> sizes) = 0;
  /// The same, without waiting.
  virtual std::unique_ptr<Transfer> start_share(std::span<std::byte> all, std::span<const std::size_t> sizes) = 0;
  /// Sends piece q of `to` to rank q and receives rank q's piece for this rank as piece q of `from`. The pieces have
  /// these sizes and stand one behind the other. What a rank has for itself stays in `to`: of `from` that piece is
  /// empty.
  virtual std::unique_ptr<Transfer> start_exchange(std::span<const std::byte> to, std::span<const std::size_t> to_sizes,
                                                   std::span<std::byte> from,
                                                   std::span<const std::size_t> from_sizes) = 0;

  /// What every rank gives, in the order of ranks.
  std::vector<std::string> gather(std::string_view own);
  /// Bytes that this rank has given for others so far, each as often as there are others who get it.
  virtual std::uint64_t sent_bytes() const = 0;
};

/// Another rank has thrown, or has other data, options or bits than this one; the text says which.
class RankError : public Error {
 public:
  using Error::Error;
};

}  // namespace xgrad::nn
