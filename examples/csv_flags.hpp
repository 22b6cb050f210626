#pragma once

#include <nn/data/csv.hpp>

#include "command_line.hpp"

#include <string>

namespace examples {

/// The flags of programs that read a table: --separator, --decimal, --no-header.
class CsvFlags {
 public:
  explicit CsvFlags(CommandLine& line);
  xgrad::nn::CsvOptions options() const;

 private:
  std::string separator_ = "comma", decimal_ = ".";
  bool no_header_ = false;
};

}  // namespace examples
