#include <autograd/parallel/parallel.hpp>
#include <autograd/parallel/threads.hpp>

#ifndef XGRAD_THREADS_BACKEND_STD
#include <tbb/global_control.h>
#include <optional>
#endif

namespace xgrad {

#ifdef XGRAD_THREADS_BACKEND_STD

void set_threads(std::size_t) {}  // that backend starts the same few for every call

#else

void set_threads(std::size_t count) {
  static std::optional<tbb::global_control> limit;
  limit.reset();
  if (count > 0) limit.emplace(tbb::global_control::max_allowed_parallelism, count);
}

#endif

std::size_t thread_count() { return kernels::thread_count(); }

}  // namespace xgrad
