#pragma once

#include <autograd/parallel/parallel.hpp>

#include <cstddef>

namespace xgrad {

/// Calls part(i) once for every i in [0, count), on any threads and in any order, and returns when all are done: for
/// independent parts of a batch, each with a Tape of its own. Parts see the caller's default dtype and module path.
/// Operations inside a part run serially when there are at least as many parts as threads. Cut the work by its shape,
/// never by the number of threads; then the bits of the results do not depend on it either.
///
/// When parts throw, the exception of the lowest one that does is rethrown; parts above it may then be left out.
void parallel_parts(std::size_t count, kernels::BlockFunction part);

}  // namespace xgrad
