#pragma once

#include "tests/support/expect.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <string>

/// How far the program's resident set rises in a scope: VmHWM of proc(5), which begins anew when 5 is written to
/// clear_refs.
class MemoryPeak {
 public:
  MemoryPeak() {
    std::ofstream("/proc/self/clear_refs") << 5 << std::flush;
    before_ = mebibytes("VmRSS:");
  }
  double risen() const { return mebibytes("VmHWM:") - before_; }

  /// Whether that is the program's own memory alone: sanitizers keep notes of it, and what was freed.
#ifdef XGRAD_SANITIZER
  static constexpr bool is_exact = false;
#else
  static constexpr bool is_exact = true;
#endif

 private:
  static double mebibytes(const std::string& name) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with(name)) return std::atof(line.c_str() + name.size()) / 1024;
    FAIL("proc(5) has no " << name);
    return 0;
  }
  double before_;
};
