// A training on ranks that tests kill, or that fails: victim PATH [WHAT]. It goes on from the checkpoint at PATH, if
// there is one, leaves the process of rank R in PATH.pid.R, and at the end the digest of its weights in PATH.done.

#include <nn/distributed/world.hpp>
#include <nn/files/whole_file.hpp>
#include <nn/nn.hpp>

#include <mpi.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>

using namespace xgrad;

int main(int count, char** arguments) {
  const std::string path = arguments[1], what = count > 2 ? arguments[2] : "";
  try {
    if (what == "single") MPI_Init(nullptr, nullptr);
    const auto world = nn::distributed::world();
    nn::WholeFile(path + ".pid." + std::to_string(world->rank())).write(std::to_string(getpid()));
    nn::Sequential net(nn::Linear(4, 16), nn::BatchNorm(16), nn::Dropout(0.2), nn::Tanh(), nn::Linear(16, 1));
    nn::Adam optimizer(net.parameters());
    const nn::Dataset data(uniform({64, 4}), uniform({64, 1}));
    nn::FitOptions options{.epochs = 100,
                           .batches = {.size = 16, .shuffle = true},
                           .parts = 4,
                           .checkpoint = {path, 3},
                           .ranks = world,
                           .bucket_bytes = 128};
    if (std::filesystem::exists(path)) options.resume = path;
    const bool last = world->rank() == world->size() - 1;
    if (what == "throw")
      options.transform = [last](const nn::Batch& batch) -> nn::Batch {
        if (last) throw ValueError("the last rank fails");
        return batch;
      };
    if (what == "exit" && last) _exit(3);
    nn::fit(net, nn::mse, optimizer, data, options);
    if (world->rank() == 0) nn::WholeFile(path + ".done").write(nn::digest(net.parameters()));
    return 0;
  } catch (const Error& error) {
    std::cerr << std::string(error.what()) + "\n";
    return 1;
  }
}
