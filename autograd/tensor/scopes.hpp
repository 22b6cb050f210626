#pragma once

#include <string_view>
#include <utility>

namespace xgrad {

// What operations of this thread find when they are called: who records them, and in which layer they run.

class Recorder;

/// A place on the thread's list of tapes and pauses; the innermost one decides.
struct RecordingScope {
  Recorder* recorder = nullptr;  ///< none: paused
  RecordingScope* outer = nullptr;
};

/// A thread's own; its address tells threads apart.
struct ThreadScopes {
  RecordingScope* innermost = nullptr;
  std::string_view path = {};
};
extern constinit thread_local ThreadScopes this_thread;

inline void open_scope(RecordingScope& scope) {
  scope.outer = this_thread.innermost;
  this_thread.innermost = &scope;
}
/// Scopes may close in any order.
void close_scope(RecordingScope& scope) noexcept;

/// Stops recording for a scope; a tape that is opened inside records again.
class Pause {
 public:
  Pause() { open_scope(scope_); }
  ~Pause() { close_scope(scope_); }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

 private:
  RecordingScope scope_;
};

/// Library layers name themselves in messages, listings and traces while one of these lives. The path must outlive it.
class PathScope {
 public:
  explicit PathScope(std::string_view path) : outer_(std::exchange(this_thread.path, path)) {}
  ~PathScope() { this_thread.path = outer_; }
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;
  static std::string_view current() noexcept { return this_thread.path; }

 private:
  std::string_view outer_;
};

}  // namespace xgrad
