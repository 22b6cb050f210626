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

class MpiTransfer final : public Transfer {
 public:
  /// start(this transfer's layouts, its request): a call of MPI.
  template <class Start>
  MpiTransfer(const char* call, std::span<const std::size_t> out, std::span<const std::size_t> in, const Start& start)
      : out_(out), in_(in) {
    check(call, start(out_, in_, &request_));
  }
  ~MpiTransfer() override { MPI_Wait(&request_, MPI_STATUS_IGNORE); }

  bool over() override {
    int done = 0;
    // Open MPI looks at its sockets in every eighth call.
    for (int i = 0; i < 8 && done == 0; ++i) check("MPI_Test", MPI_Test(&request_, &done, MPI_STATUS_IGNORE));
    return done != 0;
  }
  void wait() override { check("MPI_Wait", MPI_Wait(&request_, MPI_STATUS_IGNORE)); }

 private:
  Layout out_, in_;  // MPI reads them until the end
  MPI_Request request_ = MPI_REQUEST_NULL;
};

/// Ranks of communicators of their own, one for each kind of call: MPI matches calls of one communicator by their
/// order.
class MpiRanks final : public Ranks {
 public:
  explicit MpiRanks(MPI_Comm parent) {
    for (MPI_Comm* const made : {&communicator_, &of_exchanges_, &of_shares_}) {
      check("MPI_Comm_dup", MPI_Comm_dup(parent, made));
      check("MPI_Comm_set_errhandler", MPI_Comm_set_errhandler(*made, MPI_ERRORS_RETURN));
    }
    int rank = 0, size = 0;
    check("MPI_Comm_rank", MPI_Comm_rank(communicator_, &rank));
    check("MPI_Comm_size", MPI_Comm_size(communicator_, &size));
    rank_ = rank;
    size_ = size;
  }

  /// Before MPI ends.
  void end() {
    for (MPI_Comm* const made : {&communicator_, &of_exchanges_, &of_shares_})
      if (*made != MPI_COMM_NULL) MPI_Comm_free(made);
  }

  std::int64_t rank() const override { return rank_; }
  std::int64_t size() const override { return size_; }
  std::uint64_t sent_bytes() const override { return sent_; }

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

  std::unique_ptr<Transfer> start_share(std::span<std::byte> all, std::span<const std::size_t> sizes) override {
    auto started = std::make_unique<MpiTransfer>(
        "MPI_Iallgatherv", sizes, sizes, [&](const Layout&, const Layout& pieces, MPI_Request* request) {
          return MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.data(), pieces.counts.data(),
                                 pieces.places.data(), MPI_BYTE, of_shares_, request);
        });
    sent_ += sizes[here()] * (sizes.size() - 1);
    return started;
  }

  std::unique_ptr<Transfer> start_exchange(std::span<const std::byte> to, std::span<const std::size_t> to_sizes,
                                           std::span<std::byte> from,
                                           std::span<const std::size_t> from_sizes) override {
    auto started = std::make_unique<MpiTransfer>(
        "MPI_Ialltoallv", to_sizes, from_sizes, [&](Layout& out, const Layout& in, MPI_Request* request) {
          out.counts[here()] = 0;
          return MPI_Ialltoallv(to.data(), out.counts.data(), out.places.data(), MPI_BYTE, from.data(),
                                in.counts.data(), in.places.data(), MPI_BYTE, of_exchanges_, request);
        });
    sent_ += std::accumulate(to_sizes.begin(), to_sizes.end(), std::size_t{0}) - to_sizes[here()];
    return started;
  }

 private:
  std::size_t here() const { return static_cast<std::size_t>(rank_); }

  MPI_Comm communicator_ = MPI_COMM_NULL, of_exchanges_ = MPI_COMM_NULL, of_shares_ = MPI_COMM_NULL;
  std::int64_t rank_ = 0;
  std::int64_t size_ = 1;
  std::uint64_t sent_ = 0;
};

/// Ends MPI with the program: for all ranks, if this one failed.
void end_mpi(int status, void* world) {
  std::cout.flush();
  std::fflush(nullptr);
  int ended = 0, size = 1;
  MPI_Finalized(&ended);
  if (ended != 0) return;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (status != 0 && size > 1) MPI_Abort(MPI_COMM_WORLD, status);
  if (const auto& ranks = *static_cast<std::shared_ptr<MpiRanks>*>(world)) ranks->end();
  MPI_Finalize();
}

/// world: to be ended with MPI.
void start_mpi(std::shared_ptr<MpiRanks>& world) {
  int started = 0, ended = 0, level = 0;
  MPI_Initialized(&started);
  MPI_Finalized(&ended);
  if (ended != 0) throw RankError("distributed::world: MPI has ended; call world before MPI_Finalize");
  if (started == 0)
    check("MPI_Init_thread", MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &level));
  else
    check("MPI_Query_thread", MPI_Query_thread(&level));
  on_exit(end_mpi, &world);
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
  static std::shared_ptr<MpiRanks> ranks;
  const std::lock_guard<std::mutex> lock(mutex);
  if (ranks == nullptr) {
    start_mpi(ranks);
    ranks = std::make_shared<MpiRanks>(MPI_COMM_WORLD);
  }
  if (options.threads > 0)
    set_threads(static_cast<std::size_t>(options.threads));
  else if (ranks->size() > 1)
    set_threads(share_of_cores());
  return ranks;
}

}  // namespace xgrad::nn::distributed
