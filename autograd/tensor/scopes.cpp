#include <autograd/tensor/memory.hpp>
#include <autograd/tensor/scopes.hpp>

#include <new>

namespace xgrad {

constinit thread_local ThreadScopes this_thread{};

namespace {

struct ThreadEnd {
  ~ThreadEnd() {
    while (RecordingScope* const scope = this_thread.innermost) {
      close_scope(*scope);
      release_scope(*scope);
    }
  }
};

}  // namespace

bool close_scope(RecordingScope& scope) noexcept {
  for (RecordingScope** link = &this_thread.innermost; *link != nullptr; link = &(*link)->outer)
    if (*link == &scope) {
      *link = scope.outer;
      return true;
    }
  return false;
}

void end_scope(RecordingScope& scope) noexcept {
  if (close_scope(scope)) release_scope(scope);
  release_scope(scope);
}

void release_scope(RecordingScope& scope) noexcept {
  if (scope.holders.load(std::memory_order_acquire) == 1 || scope.holders.fetch_sub(1, std::memory_order_acq_rel) == 1)
    scope.destroy(scope);
}

void watch_thread_end() {
  static thread_local const ThreadEnd end;
  static_cast<void>(end);
}

void drop_ended_scopes() noexcept {
  for (RecordingScope* scope = this_thread.innermost; scope != nullptr;) {
    RecordingScope* const outer = scope->outer;
    if (scope->holders.load(std::memory_order_acquire) < RecordingScope::both) {
      close_scope(*scope);
      release_scope(*scope);
    }
    scope = outer;
  }
}

Pause::Pause() : scope_(*new (allocate(sizeof(RecordingScope))) RecordingScope) {
  scope_.destroy = [](RecordingScope& scope) noexcept { deallocate(&scope, sizeof scope); };
  watch_thread_end();
  open_scope(scope_);
}

Pause::~Pause() { end_scope(scope_); }

}  // namespace xgrad
