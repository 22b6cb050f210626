#pragma once

#include <autograd/kernels/philox.hpp>

#include <cstddef>
#include <functional>
#include <vector>

namespace xgrad {

/// What lets a function run again as it ran: the places in random streams that it drew from, in order.
using DrawLog = std::vector<kernels::StreamPosition>;

/// While one lives, a function runs on this thread for the first time, which fills the log, or again, which reads it:
/// then it draws the same numbers, streams do not move on, and what a call changes elsewhere (running statistics) must
/// not change a second time. Replays nest: the innermost one decides, and asks the next one for what it has not seen.
class Replay {
 public:
  enum class Run : bool { first, again };

  /// The log must live on.
  Replay(DrawLog& log, Run run);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  /// Where to draw from: what `next` says, which moves the stream on, or what it said the first time. TapeError when
  /// the function draws more often than then.
  static kernels::StreamPosition draw(const std::function<kernels::StreamPosition()>& next) {
    return innermost_ == nullptr ? next() : innermost_->position(next);
  }
  /// Whether what runs has run before.
  static bool again() noexcept;

 private:
  kernels::StreamPosition position(const std::function<kernels::StreamPosition()>& next);

  static constinit thread_local Replay* innermost_;
  DrawLog& log_;
  const Run run_;
  std::size_t read_ = 0;
  Replay* const outer_;
};

}  // namespace xgrad
