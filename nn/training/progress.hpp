#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

namespace xgrad::nn {

/// Progress of long work on the standard output. On a terminal one line is redrawn, with the rate and the time left;
/// elsewhere, and where TERM is not set or is dumb, only what is printed for good appears; nothing at all when quiet.
class Progress {
 public:
  /// Counts nothing until `begin`: what fit takes. Writes to standard output.
  explicit Progress(bool quiet = false);
  /// Counts up to total units, such as "batches". Writes to standard output.
  Progress(std::int64_t total, std::string unit, bool quiet);
  /// Writes to the stream, which is taken for a terminal of that many columns, or for none if columns is 0.
  Progress(std::int64_t total, std::string unit, bool quiet, std::ostream& stream, int columns);
  /// Removes the redrawn line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// From now on counts up to total units, from 0.
  void begin(std::int64_t total, std::string unit);

  /// Shows how many units are done; the note (say, the epoch and loss) stands before rate and time left. Cheap: the
  /// line is redrawn at most ten times a second.
  void update(std::int64_t done, const std::string& note);

  /// A line that stays.
  void print(const std::string& text);

 private:
  void erase();

  std::int64_t total_;
  std::string unit_;
  bool quiet_;
  std::ostream& stream_;
  int columns_;
  double start_;  // seconds of the steady clock, as is the next
  double next_redraw_;
  bool line_shown_ = false;
};

}  // namespace xgrad::nn
