#include "ranks.hpp"

#ifdef XGRAD_DISTRIBUTED
#include <nn/distributed/world.hpp>
#endif

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace examples {

namespace {

constexpr std::int64_t few_parts = 4, many_parts = 16;

bool is_started_by_mpirun() {
  const auto is_set = [](const char* name) { return std::getenv(name) != nullptr; };  // Open MPI; MPICH; srun
  return is_set("OMPI_COMM_WORLD_SIZE") || is_set("PMI_SIZE") || is_set("PMIX_RANK");
}

/// This program again, in the place of this process.
[[noreturn, maybe_unused]] void start_by_mpirun(std::int64_t ranks, std::vector<std::string> arguments, bool quiet) {
  std::vector<std::string> words = {"mpirun", "-n", std::to_string(ranks)};
  char self[4096] = {};
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) throw std::runtime_error("--ranks: /proc is not there");
  arguments.front() = self;
  words.insert(words.end(), arguments.begin(), arguments.end());
  if (!quiet) std::cout << fmt::format("starting {} ranks: {}", ranks, fmt::join(words, " ")) << std::endl;
  // Open MPI: also as root in a container, more ranks than cores, none bound to a core, one line for an error.
  for (const char* const name : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
                                 "OMPI_MCA_rmaps_base_oversubscribe", "OMPI_MCA_orte_execute_quiet"})
    setenv(name, "1", 0);
  setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 0);
  if (isatty(STDOUT_FILENO) == 0) setenv("TERM", "dumb", 1);  // mpirun gives ranks a terminal of its own
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  execvp(list.front(), list.data());
  throw std::runtime_error(fmt::format("--ranks: mpirun cannot be started: {}; install openmpi-bin", strerror(errno)));
}

std::shared_ptr<xgrad::nn::Ranks> join(std::int64_t ranks, [[maybe_unused]] const std::vector<std::string>& arguments,
                                       [[maybe_unused]] std::int64_t threads, [[maybe_unused]] bool quiet) {
  if (ranks == 1 || (ranks == 0 && !is_started_by_mpirun())) return nullptr;
#ifdef XGRAD_DISTRIBUTED
  if (!is_started_by_mpirun()) start_by_mpirun(ranks, arguments, quiet);
  auto world = xgrad::nn::distributed::world({.threads = threads});
  if (ranks != 0 && ranks != world->size())
    throw UsageError(fmt::format("--ranks {}, and mpirun started {}; leave the flag out", ranks, world->size()));
  return world;
#else
  throw UsageError("--ranks: this program was built without MPI; install libopenmpi-dev and build it again");
#endif
}

}  // namespace

RankFlags::RankFlags(CommandLine& line) : line_(line) {
  line.joins(join);
  line.flag("parts", parts_,
            "cut every batch into so many parts, which decide the bits; 0: one, 4 for up to 4 ranks, 16 for more",
            {0, 1e6});
}

std::optional<std::int64_t> RankFlags::parts() const {
  if (parts_ > 0) return parts_;
  if (line_.ranks() == nullptr) return std::nullopt;
  return line_.ranks()->size() <= few_parts ? few_parts : many_parts;
}

}  // namespace examples
