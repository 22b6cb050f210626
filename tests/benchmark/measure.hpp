#pragma once

/// What every benchmark program does around its workloads. The protocol:
///   program --list            one JSON line per workload: name, group, title, seconds, quick, flop, bytes, units
///   program --workload NAME... [--threads T] [--effort F] [--data DIRECTORY]
///                             one JSON line per workload, as it is done: workload, threads, median_us, min_us, spread,
///                             checksum; a workload that the program's library lacks has only "missing": true
/// Each workload runs for its seconds times F. Bad usage ends with 2, a failed run with 1. C++17, like workloads.hpp.

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

/// What is measured.
struct Work {
  std::function<void()> step;
  /// Of one more step: the sum of the absolute values of result and gradients, so that programs can be compared.
  std::function<double()> checksum;
};

struct Options {
  int threads = 1;
  double effort = 1;
  std::string data;  ///< directory of Fashion-MNIST's files, unpacked
};

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline Figures figures(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const double median = samples[samples.size() / 2];
  return {median, samples.front(), (samples[samples.size() * 3 / 4] - samples[samples.size() / 4]) / median};
}

/// Repeats step for about the given time, after a warm-up of a fifth of it. A sample is as many steps as fill a
/// millisecond, at least one; there are at least five samples.
inline Figures measure(const std::function<void()>& step, double seconds) {
  long warm_steps = 0;
  const double warm_start = seconds_now();
  double warm_time = 0;
  for (; warm_steps < 2 || warm_time < 0.2 * seconds; ++warm_steps, warm_time = seconds_now() - warm_start) step();

  const long steps_per_sample = std::max(1L, static_cast<long>(1e-3 * static_cast<double>(warm_steps) / warm_time));
  std::vector<double> samples;
  const double start = seconds_now();
  for (double before = start; samples.size() < 5 || before - start < seconds;) {
    for (long i = 0; i < steps_per_sample; ++i) step();
    const double after = seconds_now();
    samples.push_back(1e6 * (after - before) / static_cast<double>(steps_per_sample));
    before = after;
  }
  return figures(std::move(samples));
}

/// Every step of so many, none to warm up.
inline Figures measure_each(const std::function<void()>& step, int steps) {
  std::vector<double> samples;
  for (int i = 0; i < steps; ++i) {
    const double start = seconds_now();
    step();
    samples.push_back(1e6 * (seconds_now() - start));
  }
  return figures(std::move(samples));
}

/// Makes a workload's tensors; a Work without a step says that the library has nothing of the kind.
using Make = std::function<Work(const Workload& workload, const Options& options)>;

inline int usage(const char* program) {
  std::fprintf(stderr, "usage: %s --list | --workload NAME... [--threads T] [--effort F] [--data DIRECTORY]\n",
               program);
  return 2;
}

inline void list() {
  for (const Workload& w : workloads())
    std::printf(
        "{\"workload\": \"%s\", \"group\": \"%s\", \"title\": \"%s\", \"seconds\": %g, \"quick\": %s, "
        "\"flop\": %.0f, \"bytes\": %.0f, \"units\": %g}\n",
        w.name.c_str(), w.group.c_str(), w.title.c_str(), w.seconds, w.quick ? "true" : "false", w.flop, w.bytes,
        w.units);
}

inline void run(const Workload& workload, const Options& options, const Make& make) {
  const Work work = make(workload, options);
  if (!work.step) {
    std::printf("{\"workload\": \"%s\", \"threads\": %d, \"missing\": true}\n", workload.name.c_str(), options.threads);
    return;
  }
  const Figures times = workload.kind == Kind::fashion_mnist
                            ? measure_each(work.step, std::max(1, static_cast<int>(fashion_epochs * options.effort)))
                            : measure(work.step, workload.seconds * options.effort);
  std::printf(
      "{\"workload\": \"%s\", \"threads\": %d, \"median_us\": %.6g, \"min_us\": %.6g, \"spread\": %.4f, "
      "\"checksum\": %.7g}\n",
      workload.name.c_str(), options.threads, times.median / workload.repeats, times.minimum / workload.repeats,
      times.spread, work.checksum());
  std::fflush(stdout);
}

/// The main function of a benchmark program.
inline int run(int argc, char** argv, const Make& make) {
  std::vector<const Workload*> chosen;
  Options options;
  for (int i = 1; i < argc; i += 2) {
    if (std::strcmp(argv[i], "--list") == 0) {
      list();
      return 0;
    }
    if (i + 1 == argc) return usage(argv[0]);
    const std::string value = argv[i + 1];
    if (std::strcmp(argv[i], "--workload") == 0) {
      const auto found = std::find_if(workloads().begin(), workloads().end(), [&](auto& w) { return w.name == value; });
      if (found == workloads().end()) return usage(argv[0]);
      chosen.push_back(&*found);
    } else if (std::strcmp(argv[i], "--threads") == 0) {
      options.threads = std::atoi(argv[i + 1]);
    } else if (std::strcmp(argv[i], "--effort") == 0) {
      options.effort = std::atof(argv[i + 1]);
    } else if (std::strcmp(argv[i], "--data") == 0) {
      options.data = value;
    } else {
      return usage(argv[0]);
    }
  }
  if (chosen.empty() || options.threads < 1 || !(options.effort > 0)) return usage(argv[0]);
  for (const Workload* workload : chosen) try {
      run(*workload, options, make);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", workload->name.c_str(), error.what());
      return 1;
    }
  return 0;
}

}  // namespace benchmark
