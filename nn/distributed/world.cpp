#include <autograd/parallel/threads.hpp>
#include <autograd/tensor/format.hpp>
#include <nn/distributed/world.hpp>

#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>
#include <mutex>
#include <numeric>
#include <utility>

namespace xgrad::nn::distributed {

namespace {

constexpr std::size_t most = std::size_t{1} << 30;  // bytes in one call of MPI, which counts by int

void check(const char* call, int code) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw_as<RankError>("distributed: {}: {}", call, text);
}

/// What MPI takes for sizes: ints, and where each piece begins.
struct Layout {
  std::vector<int> counts, places;

  explicit Layout(std::span<const std::size_t> sizes) {
    std::size_t place = 0;
    for (const std::size_t size : sizes) {
      if (place + size > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        throw_as<RankError>("distributed: pieces of more than {} bytes together; need smaller ones",
                            std::numeric_limits<int>::max());
      counts.push_back(static_cast<int>(size));
      places.push_back(static_cast<int>(place));
      place += size;
    }
  }
};

/// Ranks of a communicator of their own.
class MpiRanks final : public Ranks {
 public:
  explicit MpiRanks(MPI_Comm parent) {
    check("MPI_Comm_dup", MPI_Comm_dup(parent, &communicator_));
    check("MPI_Comm_set_errhandler", MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN));
    int rank = 0, size = 0;
    check("MPI_Comm_rank", MPI_Comm_rank(communicator_, &rank));
    check("MPI_Comm_size", MPI_Comm_size(communicator_, &size));
    rank_ = rank;
    size_ = size;
  }

  ~MpiRanks() override {
    int ended = 0;
    MPI_Finalized(&ended);
    if (ended == 0) MPI_Comm_free(&communicator_);
  }

  std::int64_t rank() const override { return rank_; }
  std::int64_t size() const override { return size_; }
  std::uint64_t sent_bytes() const override { return sent_; }

  void exchange(std::span<const std::byte> to, std::span<const std::size_t> to_sizes, std::span<std::byte> from,
                std::span<const std::size_t> from_sizes) override {
    const Layout out(to_sizes), in(from_sizes);
    check("MPI_Alltoallv", MPI_Alltoallv(to.data(), out.counts.data(), out.places.data(), MPI_BYTE, from.data(),
                                         in.counts.data(), in.places.data(), MPI_BYTE, communicator_));
    sent_ += std::accumulate(to_sizes.begin(), to_sizes.end(), std::size_t{0}) - to_sizes[here()];
  }

  void share(std::span<std::byte> all, std::span<const std::size_t> sizes) override {
    if (all.size() <= most) {
      const Layout pieces(sizes);
      check("MPI_Allgatherv", MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.data(), pieces.counts.data(),
                                             pieces.places.data(), MPI_BYTE, communicator_));
    } else {
      std::size_t place = 0;
      for (std::size_t rank = 0; rank < sizes.size(); place += sizes[rank], ++rank)
        for (std::size_t done = 0; done < sizes[rank]; done += most)
          check("MPI_Bcast", MPI_Bcast(all.data() + place + done, static_cast<int>(std::min(most, sizes[rank] - done)),
                                       MPI_BYTE, static_cast<int>(rank), communicator_));
    }
    sent_ += sizes[here()] * (sizes.size() - 1);
  }

 private:
  std::size_t here() const { return static_cast<std::size_t>(rank_); }

  MPI_Comm communicator_ = MPI_COMM_NULL;
  std::int64_t rank_ = 0;
  std::int64_t size_ = 1;
  std::uint64_t sent_ = 0;
};

/// Ends MPI with the program: for all ranks, if this one failed.
void end_mpi(int status, void*) {
  std::cout.flush();
  std::fflush(nullptr);
  int ended = 0, size = 1;
  MPI_Finalized(&ended);
  if (ended != 0) return;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (status == 0 || size == 1)
    MPI_Finalize();
  else
    MPI_Abort(MPI_COMM_WORLD, status);
}

void start_mpi() {
  int started = 0, ended = 0, level = 0;
  MPI_Initialized(&started);
  MPI_Finalized(&ended);
  if (ended != 0) throw RankError("distributed::world: MPI has ended; call world before MPI_Finalize");
  if (started == 0)
    check("MPI_Init_thread", MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &level));
  else
    check("MPI_Query_thread", MPI_Query_thread(&level));
  on_exit(end_mpi, nullptr);
  if (level != MPI_THREAD_MULTIPLE)
    throw_as<RankError>(
        "distributed::world: this MPI has the thread level {}; need MPI_THREAD_MULTIPLE: {}",
        level == MPI_THREAD_SERIALIZED ? "MPI_THREAD_SERIALIZED"
        : level == MPI_THREAD_FUNNELED ? "MPI_THREAD_FUNNELED"
                                       : "MPI_THREAD_SINGLE",
        started == 0 ? "use one that was built with it" : "start it by MPI_Init_thread, or leave that to world");
}

/// The cores that this process may use, divided by the ranks of this host that may use the same.
std::size_t share_of_cores() {
  cpu_set_t own;
  CPU_ZERO(&own);
  if (sched_getaffinity(0, sizeof own, &own) != 0) return 1;
  MPI_Comm host = MPI_COMM_NULL;
  check("MPI_Comm_split_type", MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host));
  int ranks = 1;
  check("MPI_Comm_size", MPI_Comm_size(host, &ranks));
  std::vector<cpu_set_t> all(static_cast<std::size_t>(ranks));
  check("MPI_Allgather", MPI_Allgather(&own, sizeof own, MPI_BYTE, all.data(), sizeof own, MPI_BYTE, host));
  check("MPI_Comm_free", MPI_Comm_free(&host));
  const auto sharing = static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&own](const cpu_set_t& other) { return CPU_EQUAL(&own, &other); }));
  return std::max<std::size_t>(1, static_cast<std::size_t>(CPU_COUNT(&own)) / sharing);
}

}  // namespace

std::shared_ptr<Ranks> world(const WorldOptions& options) {
  if (options.threads < 0)
    throw_as<ValueError>("distributed::world: {} threads; need 0 (chosen) or more", options.threads);
  // As MPI is: one in a program.
  static std::mutex mutex;
  static std::shared_ptr<Ranks> ranks;
  const std::lock_guard<std::mutex> lock(mutex);
  if (ranks == nullptr) {
    start_mpi();
    ranks = std::make_shared<MpiRanks>(MPI_COMM_WORLD);
  }
  if (options.threads > 0)
    set_threads(static_cast<std::size_t>(options.threads));
  else if (ranks->size() > 1)
    set_threads(share_of_cores());
  return ranks;
}

}  // namespace xgrad::nn::distributed
