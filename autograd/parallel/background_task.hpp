#pragma once

#include <functional>
#include <memory>

namespace xgrad {

/// Work that another thread may do while this one goes on, as the preparation of the next batch:
///
///     BackgroundTask task([&] { next = load(); });
///     ...
///     task.wait();  // from here on `next` may be used
///
/// A free thread of the pool takes it; if none has by the time of wait, or if there is one thread only, wait does it.
/// The work sees the default dtype and module path of the thread that made the task, nothing that it computes is
/// recorded, and its operations run serially. What it refers to must live until wait returns or the task is destroyed.
/// After fork() the child does by itself what another thread had begun, from its beginning.
class BackgroundTask {
 public:
  /// No work.
  BackgroundTask() = default;
  /// ValueError for an empty function.
  explicit BackgroundTask(std::function<void()> work);
  /// Work that has not begun is dropped; work that has begun is waited for, and its exception is dropped.
  ~BackgroundTask() { drop(); }
  BackgroundTask(BackgroundTask&&) noexcept = default;
  BackgroundTask& operator=(BackgroundTask&& other) noexcept;

  /// Returns when the work is done, and throws what it threw. Without work it returns at once, as it does after the
  /// first wait.
  void wait();
  /// Whether there is work that nobody has waited for.
  bool pending() const { return state_ != nullptr; }

 private:
  struct State;
  void drop() noexcept;

  std::shared_ptr<State> state_;
};

}  // namespace xgrad
