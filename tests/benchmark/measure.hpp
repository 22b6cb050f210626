#pragma once

/// What every benchmark program does around its workloads. The protocol:
///   program --list            one JSON line per workload: name, group, title, flop
///   program --workload NAME [--threads T] [--seconds S]
///                             one JSON line: workload, threads, median_us, min_us, spread
/// Bad usage ends with 2, a failed run with 1. C++17, like workloads.hpp.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "workloads.hpp"

namespace benchmark {

/// Microseconds per step.
struct Figures {
  double median;
  double minimum;
  double spread;  ///< interquartile range over the median
};

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Repeats step for about the given time, after a warm-up of a fifth of it. A sample is as many steps as fill a
/// millisecond, at least one; there are at least five samples.
inline Figures measure(const std::function<void()>& step, double seconds) {
  long warm_steps = 0;
  const double warm_start = seconds_now();
  double warm_time = 0;
  for (; warm_steps < 3 || warm_time < 0.2 * seconds; ++warm_steps, warm_time = seconds_now() - warm_start) step();

  const long steps_per_sample = std::max(1L, static_cast<long>(1e-3 * static_cast<double>(warm_steps) / warm_time));
  std::vector<double> samples;
  const double start = seconds_now();
  for (double before = start; samples.size() < 5 || before - start < seconds;) {
    for (long i = 0; i < steps_per_sample; ++i) step();
    const double after = seconds_now();
    samples.push_back(1e6 * (after - before) / static_cast<double>(steps_per_sample));
    before = after;
  }
  std::sort(samples.begin(), samples.end());
  const double median = samples[samples.size() / 2];
  return {median, samples.front(), (samples[samples.size() * 3 / 4] - samples[samples.size() / 4]) / median};
}

using Measure = std::function<Figures(const Workload& workload, int threads, double seconds)>;

inline int usage(const char* program) {
  std::fprintf(stderr, "usage: %s --list | --workload NAME [--threads T] [--seconds S]\n", program);
  return 2;
}

/// The main function of a benchmark program.
inline int run(int argc, char** argv, const Measure& measure_workload) {
  std::string name;
  int threads = 1;
  double seconds = 1;
  for (int i = 1; i < argc; i += 2) {
    if (std::strcmp(argv[i], "--list") == 0) {
      for (const Workload& workload : workloads())
        std::printf("{\"workload\": \"%s\", \"group\": \"%s\", \"title\": \"%s\", \"flop\": %.0f}\n",
                    workload.name.c_str(), workload.group.c_str(), workload.title.c_str(), product_flop(workload));
      return 0;
    }
    if (i + 1 == argc) return usage(argv[0]);
    if (std::strcmp(argv[i], "--workload") == 0)
      name = argv[i + 1];
    else if (std::strcmp(argv[i], "--threads") == 0)
      threads = std::atoi(argv[i + 1]);
    else if (std::strcmp(argv[i], "--seconds") == 0)
      seconds = std::atof(argv[i + 1]);
    else
      return usage(argv[0]);
  }
  const auto workload = std::find_if(workloads().begin(), workloads().end(), [&](auto& w) { return w.name == name; });
  if (workload == workloads().end() || threads < 1 || !(seconds > 0)) return usage(argv[0]);
  try {
    const Figures figures = measure_workload(*workload, threads, seconds);
    std::printf("{\"workload\": \"%s\", \"threads\": %d, \"median_us\": %.6g, \"min_us\": %.6g, \"spread\": %.4f}\n",
                name.c_str(), threads, figures.median / workload->repeats, figures.minimum / workload->repeats,
                figures.spread);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
    return 1;
  }
  return 0;
}

}  // namespace benchmark
