#include "tests/exchange/python.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <nn/exchange/tensorboard.hpp>
#include <nn/nn.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

std::string events_of(const std::string& path) { return python("show_events.py", path); }

}  // namespace

TEST_CASE("CRC-32C has the values of its standard") {
  // RFC 3720, appendix B.4.
  CHECK(nn::crc32c(std::string(32, '\0')) == 0x8A9136AA);
  CHECK(nn::crc32c(std::string(32, '\xFF')) == 0x62A8AB43);
  CHECK(nn::crc32c("123456789") == 0xE3069283);
}

TEST_CASE("an independent reader finds every value and step") {
  if (!python_has("google.protobuf")) return;
  const Folder folder;
  double clock = 1000;
  nn::EventFile file(folder.file("log/run"), [&clock] { return clock += 0.5; });
  CHECK(expect::contains(file.path(), "events.out.tfevents.0000001000"));
  file.scalar("loss", 7, 0.25);
  file.hyperparameters({{"rate", 0.1}, {"shuffle", true}, {"optimizer", std::string("SGD")}});
  file.histogram("w", 3, tensor({1, 1, -2, 0}));
  file.image("digit", 9, tensor({{0, 1}, {0.5, 1}, {1, 0}}));
  CHECK(events_of(file.path()) ==
        "0 version brain.Event:2\n"
        "7 loss 0.25\n"
        "0 _hparams_/session_start_info hparams optimizer=SGD rate=0.1 shuffle=True\n"
        "3 w min -2 max 1 num 4 sum 0 squares 6 counts 4 -2:1 0:1 1:2\n"
        "9 digit image 3x2x1 0,255,128,255,255,0\n");
}

TEST_CASE("a training is written down, and has the bits of one that is not") {
  if (!python_has("google.protobuf")) return;
  const Folder folder;
  const nn::Dataset data(expect::random_tensor({20, 2}, 1, float32), expect::random_tensor({20, 1}, 2, float32));
  const auto run = [&](bool watched) {
    seed(3);
    nn::Sequential net(nn::Linear(2, 3), nn::Dropout(0.3), nn::BatchNorm(3), nn::Tanh(), nn::Linear(3, 1));
    nn::SGD optimizer(net.parameters(), {.learning_rate = 0.1});
    nn::FitOptions options{
        .epochs = 2, .batches = {.size = 5}, .validation = data, .metrics = {{"error", nn::mean_absolute_error}}};
    if (!watched) {
      nn::fit(net, nn::mse, optimizer, data, options);
    } else {
      nn::TensorBoard board(folder.file("log"), net, nn::mse,
                            {.hyperparameters = {{"rate", 0.1}}, .scalars_every = 2, .probe = data.all()});
      // Every value and step, as show_events.py writes them; TensorBoard keeps scalars in float32.
      std::vector<std::string> expected = {"0 _hparams_/session_start_info hparams rate=0.1"};
      const auto scalar = [&](std::int64_t step, const char* tag, double value) {
        std::array<char, 100> line;
        std::snprintf(line.data(), line.size(), "%lld %s %.6g", static_cast<long long>(step), tag,
                      static_cast<double>(static_cast<float>(value)));
        expected.emplace_back(line.data());
      };
      options.on_step = [&](const nn::StepRecord& step) {
        if (step.step % 2 == 0) scalar(step.step, "step/loss", step.loss);
        if (step.step % 2 == 0) scalar(step.step, "step/learning_rate", step.learning_rate);
        return nn::Next::go_on;
      };
      const nn::History history = nn::fit(net, nn::mse, optimizer, data, board.watch(options));
      for (const nn::EpochRecord& epoch : history.epochs) {
        scalar(epoch.epoch, "epoch/loss", epoch.loss);
        scalar(epoch.epoch, "epoch/validation_loss", epoch.validation_loss.value());
        scalar(epoch.epoch, "epoch/error", epoch.metrics.at(0));
      }
      const std::string events = '\n' + events_of(board.file().path());
      for (const std::string& line : expected) CHECK_MESSAGE(expect::contains(events, '\n' + line + '\n'), line);
      for (const char* const start :
           {"\n0 weights/0.weight min ", "\n1 weights/4.bias min ", "\n1 gradients/4.bias min "})
        CHECK_MESSAGE(expect::contains(events, start), start);
      CHECK_FALSE(expect::contains(events, "3 step/loss"));
      CHECK_FALSE(expect::contains(events, "bad"));
    }
    return nn::digest(net.parameters());
  };
  CHECK(run(true) == run(false));
}
