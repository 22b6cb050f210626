#include "examples/training.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <autograd/autograd.hpp>
#include <nn/nn.hpp>

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
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

namespace {

/// A program of two trainings in loops of its own; with a signal, it is sent in the first or second. Both digests.
std::string run_loops(std::vector<const char*> arguments, std::optional<int> signal = {}, std::int64_t at = 0,
                      int expected_code = 0) {
  examples::CommandLine line("program", "trains twice");
  examples::Checkpoints checkpoints(line);
  arguments.insert(arguments.begin(), "program");
  arguments.push_back("--quiet");
  std::string digests;
  const int code = line.run(static_cast<int>(arguments.size()), arguments.data(), [&] {
    seed(6);
    std::int64_t steps = 0;
    for (const char* name : {"a", "b"}) {
      nn::Linear layer(2, 1);
      nn::Adam optimizer(layer.parameters());
      const auto step = [&](std::int64_t) {
        Tape tape;
        optimizer.step(tape.backward(mean(square(layer(normal({3, 2}))))));
        if (signal && ++steps == at) raise(*signal);
      };
      checkpoints.repeat(10, {{"layer", layer}, {"optimizer", optimizer}}, step, name);
      digests += nn::digest(layer.parameters());
    }
  });
  CHECK(code == expected_code);
  return digests;
}

}  // namespace

TEST_CASE("several loops of a program are saved each by its name, and go on where they were") {
  const std::string expected = run_loops({});
  for (const std::int64_t at : {1, 5, 10, 11, 19, 20}) {
    const Folder folder;
    const std::string path = folder.file("run");
    run_loops({"--checkpoint", path.c_str(), "--checkpoint-every", "4"}, SIGTERM, at, 128 + SIGTERM);
    CHECK(std::filesystem::exists(path + "-a"));
    CHECK(std::filesystem::exists(path + "-b") == (at > 10));
    CHECK(run_loops({"--checkpoint", path.c_str(), "--resume", path.c_str()}) == expected);
  }
}

TEST_CASE("a file that an older run left is not taken for one of the run that goes on") {
  const Folder folder;
  const std::string path = folder.file("run");
  const std::string expected = run_loops({"--checkpoint", path.c_str()});
  run_loops({"--checkpoint", path.c_str()}, SIGINT, 5, 128 + SIGINT);
  run_loops({"--resume", path.c_str()}, {}, 0, 1);
  std::filesystem::remove(path + "-b");
  CHECK(run_loops({"--resume", path.c_str()}) == expected);
}

namespace {

/// What --json has, and the page if there is one, of a program that tests a model on rows.
template <class Loss>
std::pair<nlohmann::json, std::string> tested(const nn::Linear& model, const Loss& loss, const nn::Dataset& rows,
                                              const nn::Preparation& preparation) {
  const Folder folder;
  const std::string json = folder.file("a.json"), page = folder.file("a.html");
  examples::CommandLine line("program", "tests");
  examples::Training training(line, "A test");
  training.preparation = preparation;
  const std::vector<const char*> arguments = {"program", "--quiet", "--json", json.c_str(), "--report", page.c_str()};
  CHECK(line.run(static_cast<int>(arguments.size()), arguments.data(), [&] {
    CHECK(training.test(model, loss, rows, "held-out").predictions.shape(0) == rows.size());
  }) == 0);
  return {nlohmann::json::parse(content_of(json)), content_of(page)};
}

}  // namespace

TEST_CASE("a classifier is tested by its accuracy, a regression by R² and the error in the targets' units") {
  nn::Linear identity(2, 2);
  identity.weight.assign(tensor({{1, 0}, {0, 1}}));
  nn::init::zero(identity.bias);
  const Tensor x = tensor({{1, 0}, {0, 1}, {3, 1}, {2, 0}});
  const auto [classes, page] = tested(identity, nn::cross_entropy, {x, tensor({0, 1, 1, 0}, int64)}, {});
  CHECK(classes["held_out_accuracy"] == 0.75);
  CHECK(page.find("held-out accuracy") != std::string::npos);
  CHECK(page.find("0.7500") != std::string::npos);
  CHECK(page.find("recall") != std::string::npos);
  nn::Linear first(2, 1);
  first.weight.assign(tensor({{1}, {0}}));
  nn::init::zero(first.bias);
  // Predictions 1, 0, 3, 2 of 2, 0, 3, 1: the mean of the targets is 1.5, R² 1 - 2/5, the error ½, in units of 10.
  const auto [numbers, other] =
      tested(first, nn::mse, {x, tensor({{2}, {0}, {3}, {1}})}, {.scalers = {{"targets", nn::Scaler({7}, {10})}}});
  CHECK(numbers["held_out_r2"] == doctest::Approx(0.6));
  CHECK(numbers["mean_absolute_error"] == doctest::Approx(5));
  CHECK(other.find("held-out R²") != std::string::npos);
}
