#pragma once

#include <nn/data/csv.hpp>

#include "command_line.hpp"

#include <cstdint>
#include <string>

namespace examples {

/// The flags of programs that read a table, called as the options of read_csv are: --separator, --header, --columns,
/// --decimal, --thousands, --missing-words, --comment, --max-bytes. Spaces around fields and columns without a name are
/// left out. Messages name these flags, and others of the program that are called like an option.
class CsvFlags {
 public:
  explicit CsvFlags(CommandLine& line);
  /// UsageError for a mark of several characters.
  xgrad::nn::CsvOptions options() const;

 private:
  const CommandLine& line_;
  std::string separator_ = "comma", header_ = "present", columns_, decimal_ = "point", thousands_ = "none",
              missing_words_, comment_;
  std::int64_t max_bytes_ = std::int64_t{1} << 30;
};

}  // namespace examples
