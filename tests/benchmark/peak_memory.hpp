#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace benchmark {

/// The program's largest resident set so far, in MiB: VmHWM of proc(5), which unlike getrusage's figure begins with the
/// program and not with the process that started it.
inline void print_peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) std::printf("%.1f\n", std::atof(line.c_str() + 6) / 1024);
}

}  // namespace benchmark
