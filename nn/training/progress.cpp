#include <autograd/text/numbers.hpp>
#include <autograd/text/terminal.hpp>
#include <nn/training/progress.hpp>

#include <fmt/core.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <iostream>
#include <utility>

namespace xgrad::nn {

namespace {

/// 0 where lines cannot be redrawn.
int terminal_columns() {
  if (!takes_escapes(STDOUT_FILENO)) return 0;
  winsize size = {};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Progress::Progress(bool quiet) : Progress(0, "", quiet) {}

Progress::Progress(std::int64_t total, std::string unit, bool quiet)
    : Progress(total, std::move(unit), quiet, std::cout, terminal_columns()) {}

Progress::Progress(std::int64_t total, std::string unit, bool quiet, std::ostream& stream, int columns)
    : total_(total), unit_(std::move(unit)), quiet_(quiet), stream_(stream), columns_(columns) {
  start_ = next_redraw_ = steady_seconds();
}

Progress::~Progress() {
  try {
    erase();
    stream_ << std::flush;
  } catch (const std::exception&) {  // a stream that throws has said so before
  }
}

void Progress::begin(std::int64_t total, std::string unit) {
  total_ = total;
  unit_ = std::move(unit);
  start_ = next_redraw_ = steady_seconds();
}

void Progress::update(std::int64_t done, const std::string& note) {
  if (quiet_ || columns_ == 0) return;
  const double now = steady_seconds();
  if (now < next_redraw_) return;
  next_redraw_ = now + 0.1;

  const double seconds = now - start_;
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string line = fmt::format("{}  {}/{} {}", note, done, total_, unit_);
  if (rate > 0)
    line += fmt::format("  {:.{}f} {}/s  {} left", rate, rate < 10 ? 1 : 0, unit_,
                        duration((static_cast<double>(total_) - static_cast<double>(done)) / rate));
  erase();
  // A line as wide as the terminal would wrap and could not be redrawn.
  stream_ << line.substr(0, static_cast<std::size_t>(std::max(columns_ - 1, 1))) << std::flush;
  line_shown_ = true;
}

void Progress::print(const std::string& text) {
  if (quiet_) return;
  erase();
  stream_ << text << std::endl;
}

void Progress::erase() {
  if (!std::exchange(line_shown_, false)) return;
  stream_ << "\r\033[K";  // ANSI X3.64: erase in line
}

}  // namespace xgrad::nn
