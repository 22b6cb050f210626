// Measures the machine on which the programs are compared.
//   machine               one JSON line: gemm_1_gflops, gemm_2_gflops, triad_1_gbs, triad_2_gbs, latency_ns
//   machine --latency     only latency_ns: quick, taken before and after every measurement on two threads

#include <cblas.h>
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "measure.hpp"

namespace {

using benchmark::seconds_now;

std::vector<int> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  return cores;
}

void pin_to(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/// Nanoseconds of a round trip of a cache line between two cores. A burst during which another program took a core is
/// far too long, so the tenth percentile of the bursts stands for the machine. 0 with one core.
double round_trip_nanoseconds() {
  const std::vector<int> cores = usable_cores();
  if (cores.size() < 2) return 0;
  constexpr int bursts = 200, trips = 200;
  alignas(64) std::atomic<int> ball{0};
  std::vector<double> times(bursts);
  std::thread ping([&] {
    pin_to(cores[0]);
    for (int burst = 0; burst < bursts; ++burst) {
      const double start = seconds_now();
      for (int trip = 0; trip < trips; ++trip) {
        ball.store(1, std::memory_order_release);
        while (ball.load(std::memory_order_acquire) != 0) {
        }
      }
      times[static_cast<std::size_t>(burst)] = (seconds_now() - start) * 1e9 / trips;
    }
  });
  std::thread pong([&] {
    pin_to(cores[1]);
    for (int trip = 0; trip < bursts * trips; ++trip) {
      while (ball.load(std::memory_order_acquire) != 1) {
      }
      ball.store(0, std::memory_order_release);
    }
  });
  ping.join();
  pong.join();
  std::sort(times.begin(), times.end());
  return times[bursts / 10];
}

/// The best of several runs, in seconds.
template <class Function>
double best_time(int runs, Function function) {
  double best = 1e30;
  for (int run = 0; run < runs; ++run) {
    const double start = seconds_now();
    function();
    best = std::min(best, seconds_now() - start);
  }
  return best;
}

double gemm_gflops(int threads) {
  constexpr int n = 2048;
  std::vector<float> a(n * n, 0.5F), b(n * n, 0.25F), c(n * n);
  openblas_set_num_threads(threads);
  const double seconds = best_time(6, [&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n);
  });
  return 2.0 * n * n * n / seconds * 1e-9;
}

/// McCalpin's STREAM triad: x = y + 3·z on arrays far larger than the caches, 12 bytes an element. The stores go past
/// the caches: ordinary ones would read x first, 4 more bytes that the rate does not count, and every limit taken from
/// it could be beaten by what updates in place.
double triad_gigabytes_per_second(int threads) {
  const std::size_t n = std::size_t{1} << 25;
  std::vector<float> x(n), y(n, 1.0F), z(n, 2.0F);
  const auto part = [&](std::size_t begin, std::size_t end) {
    const __m128 three = _mm_set1_ps(3);
    for (std::size_t i = begin; i < end; i += 4)
      _mm_stream_ps(&x[i], _mm_add_ps(_mm_loadu_ps(&y[i]), _mm_mul_ps(three, _mm_loadu_ps(&z[i]))));
  };
  const double seconds = best_time(8, [&] {
    const std::size_t middle = threads == 1 ? n : n / 2;
    std::thread other([&] { part(middle, n); });
    part(0, middle);
    other.join();
  });
  return 12.0 * static_cast<double>(n) / seconds * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  const double latency = round_trip_nanoseconds();
  if (argc == 2 && std::strcmp(argv[1], "--latency") == 0) {
    std::printf("{\"latency_ns\": %.1f}\n", latency);
    return 0;
  }
  if (argc != 1) {
    std::fprintf(stderr, "usage: %s [--latency]\n", argv[0]);
    return 2;
  }
  std::printf("{\"gemm_1_gflops\": %.1f, \"gemm_2_gflops\": %.1f, ", gemm_gflops(1), gemm_gflops(2));
  std::printf("\"triad_1_gbs\": %.1f, \"triad_2_gbs\": %.1f, ", triad_gigabytes_per_second(1),
              triad_gigabytes_per_second(2));
  std::printf("\"latency_ns\": %.1f}\n", latency);
}
