#pragma once

#include <nn/ranks/ranks.hpp>

#include <cstdint>
#include <memory>

namespace xgrad::nn::distributed {

struct WorldOptions {
  /// Threads that compute in this rank (set_threads); 0: the cores that it may use, divided by the ranks of the host
  /// that may use the same.
  std::int64_t threads = 0;
};

/// All processes that mpirun, or srun, started with this one, over MPI:
///
///     nn::fit(net, nn::cross_entropy, optimizer, train, {.parts = 16, .ranks = nn::distributed::world()});
///
/// Every rank calls it, outside of main's end; each call gives the same. A program that nothing started so is one rank,
/// and trains by itself. See docs/distributed.md.
///
/// MPI is started with MPI_THREAD_MULTIPLE, unless the program has done that. It ends with the program: a rank whose
/// exit code is not 0 ends all others with it, as does one that a signal or an uncaught exception kills. RankError for
/// an MPI of a lower thread level, or that has ended, and for whatever MPI reports; ValueError for negative threads.
std::shared_ptr<Ranks> world(const WorldOptions& options = {});

}  // namespace xgrad::nn::distributed
