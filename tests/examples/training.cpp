#include "examples/training.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <nn/nn.hpp>

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

/// A training program; with a signal, it is sent in the middle. The digest of its weights.
std::string run(std::vector<const char*> arguments, std::optional<int> signal = {}, int expected_code = 0) {
  examples::CommandLine line("program", "trains");
  examples::Training training(line, "A training");
  arguments.insert(arguments.begin(), "program");
  arguments.push_back("--quiet");
  std::string digest;
  const int code = line.run(static_cast<int>(arguments.size()), arguments.data(), [&] {
    seed(5);
    nn::Sequential net(nn::Linear(3, 4), nn::Dropout(0.2), nn::Tanh(), nn::Linear(4, 1));
    nn::Adam optimizer(net.parameters());
    const nn::Dataset data(expect::random_tensor({30, 3}, 1, float32), expect::random_tensor({30, 1}, 2, float32));
    int batches = 0;
    nn::FitOptions options{.epochs = 4, .batches = {.size = 4, .shuffle = true}};
    options.transform = [&](const nn::Batch& batch) {
      if (signal && ++batches == 13) raise(*signal);
      return batch;
    };
    training.fit(net, nn::mse, optimizer, data, options);
    digest = nn::digest(net.parameters());
  });
  CHECK(code == expected_code);
  return digest;
}

}  // namespace

TEST_CASE("Ctrl-C and SIGTERM save the training, and --resume ends with the bits of one that was left alone") {
  const std::string expected = run({});
  for (const int signal : {SIGINT, SIGTERM}) {
    const Folder folder;
    const std::string path = folder.file("run");
    CHECK(run({"--checkpoint", path.c_str()}, signal, 128 + signal) != expected);
    CHECK(run({"--checkpoint", path.c_str(), "--resume", path.c_str()}) == expected);
  }
}

TEST_CASE("--save keeps the model, which is loaded without its C++") {
  const Folder folder;
  const std::string path = folder.file("net.safetensors");
  run({"--save", path.c_str()});
  const nn::SavedModel saved = nn::load_model(path);
  CHECK(saved.model.parameter_count() == 3 * 4 + 4 + 4 + 1);
  CHECK(saved.model(ones({5, 3})).shape() == Shape{5, 1});
}

#ifdef XGRAD_EXCHANGE
TEST_CASE("--log writes events, and the training has the same bits") {
  const Folder folder;
  CHECK(run({"--log", folder.path.c_str()}) == run({}));
  CHECK(folder.entries() == 1);
}
#endif

TEST_CASE("--checkpoint-every saves during the training, and a checkpoint that is missing is an error") {
  const Folder folder;
  const std::string path = folder.file("run"), none = folder.file("none");
  run({"--checkpoint", path.c_str(), "--checkpoint-every", "3"});
  CHECK(std::filesystem::exists(path + ".1"));
  run({"--resume", none.c_str()}, {}, 1);
}
