#pragma once

#include <atomic>
#include <string_view>
#include <utility>

namespace xgrad {

// What operations of this thread find when they are called: who records them, and in which layer they run.

class Recorder;

/// A place on the thread's list of tapes and pauses; the innermost one decides. Tapes and pauses of users may end on
/// another thread or after their own: such a scope stands in memory that the list and its user hold together, and goes
/// with the last of them.
struct RecordingScope {
  static constexpr int both = 2;
  Recorder* recorder = nullptr;  ///< none: paused
  RecordingScope* outer = nullptr;
  std::atomic<int> holders{both};
  void (*destroy)(RecordingScope& scope) noexcept = nullptr;
};

/// A thread's own; its address tells living threads apart.
struct ThreadScopes {
  RecordingScope* innermost = nullptr;
  std::string_view path = {};
};
extern constinit thread_local ThreadScopes this_thread;

inline void open_scope(RecordingScope& scope) {
  scope.outer = this_thread.innermost;
  this_thread.innermost = &scope;
}
/// Takes it off this thread's list, wherever it stands there; false if it is not on it.
bool close_scope(RecordingScope& scope) noexcept;
/// Ends the scope for its user, on any thread.
void end_scope(RecordingScope& scope) noexcept;
/// Gives up one hold; the last one destroys.
void release_scope(RecordingScope& scope) noexcept;
/// Takes the scopes off the list that their users have ended on other threads.
void drop_ended_scopes() noexcept;
/// Lets this thread, when it ends, take all its scopes off.
void watch_thread_end();

/// A scope within one call: it ends where it began. Paused unless it has a recorder.
class LocalScope {
 public:
  explicit LocalScope(Recorder* recorder = nullptr) {
    scope_.recorder = recorder;
    open_scope(scope_);
  }
  ~LocalScope() {
    if (this_thread.innermost == &scope_) [[likely]]
      this_thread.innermost = scope_.outer;
    else
      close_scope(scope_);
  }
  LocalScope(const LocalScope&) = delete;
  LocalScope& operator=(const LocalScope&) = delete;

 private:
  RecordingScope scope_;
};

/// Stops recording on the thread that makes it, until it ends, on whatever thread; a tape that is opened inside records
/// again.
class Pause {
 public:
  Pause();
  ~Pause();
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

 private:
  RecordingScope& scope_;
};

/// Library layers name themselves in messages, listings and traces while one of these lives, on the thread that made
/// it. The path must outlive it.
class PathScope {
 public:
  explicit PathScope(std::string_view path) : outer_(std::exchange(this_thread.path, path)) {}
  ~PathScope() {
    if (thread_ == &this_thread) thread_->path = outer_;
  }
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;
  static std::string_view current() noexcept { return this_thread.path; }

 private:
  ThreadScopes* thread_ = &this_thread;
  std::string_view outer_;
};

}  // namespace xgrad
