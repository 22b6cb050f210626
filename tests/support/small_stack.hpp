#pragma once

#include <doctest/doctest.h>
#include <pthread.h>

#include <exception>

namespace small_stack {

/// Runs f on a thread with a stack of 256 KiB, in which a recursion over a model or a tape shows.
template <class F>
void run(F f) {
  struct Work {
    F& f;
    std::exception_ptr exception = nullptr;
  } work{f};
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, 256 << 10) == 0);
  pthread_t thread;
  const auto start = [](void* argument) -> void* {
    auto& here = *static_cast<Work*>(argument);
    try {
      here.f();
    } catch (...) {
      here.exception = std::current_exception();
    }
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, start, &work) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  if (work.exception != nullptr) std::rethrow_exception(work.exception);
}

}  // namespace small_stack
