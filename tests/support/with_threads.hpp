#pragma once

#include <autograd/parallel/parallel.hpp>

#include <cstddef>

#ifndef XGRAD_THREADS_BACKEND_STD
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#endif

/// f() with so many threads for parallel work, more than there are cores too.
template <class F>
auto with_threads(int threads, const F& f) {
#ifdef XGRAD_THREADS_BACKEND_STD
  if (threads > 1) return f();
  const xgrad::kernels::SerialScope serial;
  return f();
#else
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
  tbb::task_arena arena(threads);
  return arena.execute(f);
#endif
}
