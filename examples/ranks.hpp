#pragma once

#include "command_line.hpp"

#include <cstdint>
#include <optional>

namespace examples {

/// --ranks N: so many processes that share a training, which the program starts by mpirun; those that mpirun started
/// already without it. --parts N: into how many parts they cut a batch, on which the bits depend.
class RankFlags {
 public:
  explicit RankFlags(CommandLine& line);

  /// FitOptions::parts.
  std::optional<std::int64_t> parts() const;

 private:
  CommandLine& line_;
  std::int64_t parts_ = 0;
};

}  // namespace examples
