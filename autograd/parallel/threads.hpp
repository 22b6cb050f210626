#pragma once

#include <cstddef>

namespace xgrad {

/// From now on at most so many threads of the program compute, the calling ones included; 0, as at first: as many as
/// there are cores. The bits of results do not depend on it. To be called while nothing else runs.
void set_threads(std::size_t count);

/// How many threads work of this thread may use now.
std::size_t thread_count();

}  // namespace xgrad
