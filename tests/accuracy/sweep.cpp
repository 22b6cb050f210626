// The largest errors of elementwise functions and their derivatives in units in the last place: of every float against
// double, of pairs of floats, and of random doubles against MPFR. Prints the table of docs/numerics.md. What double
// gives for floats is held against MPFR first.

#include "tests/accuracy/real.hpp"
#include "tests/support/accuracy.hpp"

#include <malloc.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace accuracy;

namespace {

struct Settings {
  std::uint64_t stride = 1;         // every so many floats
  std::size_t pairs = 100'000'000;  // of floats
  std::size_t doubles = 1'000'000;  // arguments, and pairs
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  std::string only;  // a function
};

constexpr std::size_t chunk = 1 << 13;  // stays in the cache with its results

/// The worst over chunks 0, 1, ..., each measured on one of the threads.
template <std::size_t results, class Measure>
std::array<Worst, results> over_chunks(const Settings& settings, std::size_t chunks, const Measure& measure) {
  std::array<Worst, results> worst;
  std::mutex mutex;
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < chunks; i = next++) {
      const std::array<Worst, results> found = measure(i);
      const std::lock_guard lock(mutex);
      for (std::size_t k = 0; k < results; ++k) worst[k].join(found[k]);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < settings.threads; ++t) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return worst;
}

std::size_t chunks_of(std::size_t count) { return (count + chunk - 1) / chunk; }

/// The floats numbered [i·chunk, (i + 1)·chunk) of those that are taken.
std::vector<float> floats(const Settings& settings, std::size_t i) {
  std::vector<float> x(chunk);
  for (std::size_t k = 0; k < chunk; ++k)
    x[k] = std::bit_cast<float>(static_cast<std::uint32_t>((i * chunk + k) * settings.stride));
  return x;
}

bool failed = false;

std::string shown(const Worst& worst, bool pair) {
  failed |= !(worst.normal <= 4 && worst.denormal <= 1);
  char text[200];
  const auto place = [&](const std::array<double, 2>& at) {
    char numbers[80];
    std::snprintf(numbers, sizeof numbers, pair ? "(%.9g, %.9g)" : "%.9g", at[0], at[1]);
    return std::string(numbers);
  };
  std::snprintf(text, sizeof text, " %.2f at %s", worst.normal, place(worst.normal_at).c_str());
  std::string result = text;
  if (worst.denormal > 0) {
    std::snprintf(text, sizeof text, ", %.2f at %s", worst.denormal, place(worst.denormal_at).c_str());
    result += text;
  }
  return result + " |";
}

template <std::size_t results>
void print(const std::string& name, const char* const (&rows)[results], const std::array<Worst, results>& single,
           const std::array<Worst, results>& wide) {
  for (std::size_t k = 0; k < results; ++k)
    std::printf("| %s%s |%s%s\n", name.c_str(), rows[k], shown(single[k], results > 2).c_str(),
                shown(wide[k], results > 2).c_str());
  std::fflush(stdout);
}

/// Says so, and fails, where formulas of exact values are not far better in double than what they measure: off by more
/// than 1e-6 of a float's unit in the last place.
template <std::size_t arity, class... Formula>
void check_in_double(const std::string& name, const Arguments<float, arity>& x, const Formula&... formulas) {
  const auto in_double = exact_results<double>(x, formulas...), exact = exact_results<Real>(x, formulas...);
  std::vector<double> no_terms(x[0].size());
  for (std::size_t k = 0; k < sizeof...(Formula); ++k) {
    const auto& terms = arity == 1 && k == 1 ? exact[2] : no_terms;
    const Worst worst = worst_of(x, in_double[k], exact[k], terms);
    if (std::max(worst.normal, worst.denormal) <= 1e-6) continue;
    std::printf("%s: formula %zu is off by%s\n", name.c_str(), k, shown(worst, arity > 1).c_str());
    failed = true;
  }
}

void sweep(const Settings& settings) {
  std::printf("| function | float32 | float64 |\n|---|---|---|\n");
  const std::size_t float_chunks = chunks_of((std::size_t{1} << 32) / settings.stride);
  for_functions_of_one([&](const std::string& name, const auto& f, const auto&... exact) {
    if (!settings.only.empty() && settings.only != name) return;
    check_in_double<1>(name, {special_arguments<float>()}, exact...);
    check_in_double<1>(name, {random_arguments<float>(chunk, 0)}, exact...);
    const auto single = over_chunks<2>(settings, float_chunks, [&](std::size_t i) {
      return measure(Arguments<float, 1>{floats(settings, i)}, f, exact...);
    });
    const auto wide = over_chunks<2>(settings, 1 + chunks_of(settings.doubles), [&](std::size_t i) {
      const Arguments<double, 1> x{i == 0 ? special_arguments<double>() : random_arguments<double>(chunk, i)};
      return measure<double, Real>(x, f, exact...);
    });
    print(name, {"", ", derivative"}, single, wide);
  });
  for_functions_of_two([&](const std::string& name, const auto& f, const auto&... exact) {
    if (!settings.only.empty() && settings.only != name) return;
    check_in_double<2>(name, random_pairs<float>(chunk, 0), exact...);
    const auto single = over_chunks<3>(settings, chunks_of(settings.pairs), [&](std::size_t i) {
      return measure(random_pairs<float>(chunk, i), f, exact...);
    });
    const auto wide = over_chunks<3>(settings, chunks_of(settings.doubles), [&](std::size_t i) {
      return measure<double, Real>(random_pairs<double>(chunk, i), f, exact...);
    });
    print(name, {"", ", along x", ", along y"}, single, wide);
  });
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const auto is = [&](const char* flag) { return std::strcmp(argv[i], flag) == 0 && i + 1 < argc; };
    if (is("--stride"))
      settings.stride = std::strtoull(argv[++i], nullptr, 10);
    else if (is("--pairs"))
      settings.pairs = std::strtoull(argv[++i], nullptr, 10);
    else if (is("--doubles"))
      settings.doubles = std::strtoull(argv[++i], nullptr, 10);
    else if (is("--threads"))
      settings.threads = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
    else if (is("--only"))
      settings.only = argv[++i];
    else
      return std::fprintf(stderr,
                          "usage: xgrad_accuracy [--stride N] [--pairs N] [--doubles N] [--threads N] [--only NAME]\n"),
             2;
  }
  mallopt(M_TRIM_THRESHOLD, 1 << 28);  // or every chunk gives its memory back to the system, and asks for it again
  sweep(settings);
  return failed ? 1 : 0;
}
