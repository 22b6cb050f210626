#include <autograd/tape/replay.hpp>
#include <autograd/tensor/error.hpp>

#include <utility>

namespace xgrad {

constinit thread_local Replay* Replay::innermost_ = nullptr;

Replay::Replay(DrawLog& log, Run run) : log_(log), run_(run), outer_(std::exchange(innermost_, this)) {}
Replay::~Replay() { innermost_ = outer_; }

bool Replay::again() noexcept {
  for (const Replay* replay = innermost_; replay != nullptr; replay = replay->outer_)
    if (replay->run_ == Run::again) return true;
  return false;
}

kernels::StreamPosition Replay::position(const std::function<kernels::StreamPosition()>& next) {
  if (run_ == Run::first) {
    log_.push_back(outer_ == nullptr ? next() : outer_->position(next));
  } else if (read_ == log_.size()) {
    throw TapeError("recompute: the function draws more random numbers than when it ran before; it must do the same");
  } else {
    return log_[read_++];
  }
  return log_.back();
}

}  // namespace xgrad
