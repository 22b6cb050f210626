#include <autograd/tensor/scopes.hpp>

namespace xgrad {

constinit thread_local ThreadScopes this_thread{};

void close_scope(RecordingScope& scope) noexcept {
  for (RecordingScope** link = &this_thread.innermost; *link != nullptr; link = &(*link)->outer)
    if (*link == &scope) {
      *link = scope.outer;
      return;
    }
}

}  // namespace xgrad
