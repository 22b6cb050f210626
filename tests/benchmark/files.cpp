// nn::save and nn::load of weights against `dd bs=4M conv=fsync` of as many zeros, and one plain read of the file into
// fresh memory, with cold caches: xgrad_files_benchmark [FOLDER [MEBIBYTES [ROUNDS]]], by default 1024 and 5. The ways
// take turns; medians count.

#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/error.hpp>
#include <nn/nn.hpp>
#include <nn/saving/model_file.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "measure.hpp"

using namespace xgrad;

namespace {

/// As many matrices of 16 MiB as asked for.
struct Weights : nn::Module {
  explicit Weights(std::int64_t mebibytes) {
    for (std::int64_t i = 0; i < mebibytes / 16; ++i) parameter(std::to_string(i), full({4096, 1024}, 1e-3));
  }
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::exit(1);
}

/// Nothing of the file is left in the page cache.
void forget(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(file >= 0 && fsync(file) == 0 && posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0, path.c_str());
  close(file);
}

void plain_read(const std::string& path) {
  const auto size = static_cast<std::size_t>(std::filesystem::file_size(path));
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(memory != MAP_FAILED && file >= 0, path.c_str());
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = read(file, static_cast<char*>(memory) + done, size - done);
    require(got > 0, path.c_str());
    done += static_cast<std::size_t>(got);
  }
  close(file);
  munmap(memory, size);
}

double seconds(const std::function<void()>& work) {
  const double start = benchmark::seconds_now();
  work();
  return benchmark::seconds_now() - start;
}

double median(const std::vector<double>& values) { return benchmark::figures(values).median; }

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  const std::int64_t mebibytes = argc > 2 ? std::atoll(argv[2]) : 1024;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 5;
  const std::string model_path = folder + "/weights.safetensors", dd_path = folder + "/zeros";
  const std::string dd =
      "dd if=/dev/zero of='" + dd_path + "' bs=4M count=" + std::to_string(mebibytes / 4) + " conv=fsync 2>/dev/null";
  Weights model(mebibytes);
  std::vector<double> saving, by_dd, loading, reading;
  try {
    const auto save = [&] { saving.push_back(seconds([&] { nn::save(model, model_path); })); };
    const auto write_zeros = [&] {
      by_dd.push_back(seconds([&] { require(std::system(dd.c_str()) == 0, dd.c_str()); }));
    };
    const auto load = [&] {
      forget(model_path);
      loading.push_back(seconds([&] { nn::load(model, model_path); }));
    };
    const auto read_all = [&] {
      forget(model_path);
      reading.push_back(seconds([&] { plain_read(model_path); }));
    };
    for (int round = 0; round < rounds; ++round) {
      // Files are new for both, and each way comes first as often as the other.
      std::filesystem::remove(model_path);
      std::filesystem::remove(dd_path);
      round % 2 == 0 ? (save(), write_zeros()) : (write_zeros(), save());
      round % 2 == 0 ? (load(), read_all()) : (read_all(), load());
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::filesystem::remove(model_path);
  std::filesystem::remove(dd_path);
  const double size = static_cast<double>(mebibytes);
  const auto line = [&](const char* name, const std::vector<double>& ours, const char* other,
                        const std::vector<double>& theirs) {
    std::printf("%s %.0f MiB/s, %s %.0f MiB/s: %.0f %%\n", name, size / median(ours), other, size / median(theirs),
                100 * median(theirs) / median(ours));
  };
  line("save", saving, "dd bs=4M conv=fsync", by_dd);
  line("load", loading, "a plain read", reading);
}
