// The largest errors of elementwise functions and their derivatives in units in the last place: of every float against
// double, of pairs of floats, and of random doubles against MPFR. Prints the table of docs/numerics.md.

#include "tests/accuracy/real.hpp"
#include "tests/support/accuracy.hpp"

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

constexpr std::size_t chunk = 1 << 16;

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

void sweep(const Settings& settings) {
  std::printf("| function | float32 | float64 |\n|---|---|---|\n");
  const std::size_t float_chunks = chunks_of((std::size_t{1} << 32) / settings.stride);
  for_functions_of_one([&](const std::string& name, const auto&... how) {
    if (!settings.only.empty() && settings.only != name) return;
    const auto single =
        over_chunks<2>(settings, float_chunks, [&](std::size_t i) { return measure(floats(settings, i), how...); });
    const auto wide = over_chunks<2>(settings, 1 + chunks_of(settings.doubles), [&](std::size_t i) {
      return measure<double, Real>(i == 0 ? special_arguments<double>() : random_arguments<double>(chunk, i), how...);
    });
    print(name, {"", ", derivative"}, single, wide);
  });
  for_functions_of_two([&](const std::string& name, const auto&... how) {
    if (!settings.only.empty() && settings.only != name) return;
    const auto single = over_chunks<3>(settings, chunks_of(settings.pairs), [&](std::size_t i) {
      const auto [x, y] = random_pairs<float>(chunk, i);
      return measure(x, y, how...);
    });
    const auto wide = over_chunks<3>(settings, chunks_of(settings.doubles), [&](std::size_t i) {
      const auto [x, y] = random_pairs<double>(chunk, i);
      return measure<double, Real>(x, y, how...);
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
  sweep(settings);
  return failed ? 1 : 0;
}
