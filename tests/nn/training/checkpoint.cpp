#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/with_threads.hpp"

#include <nn/files/whole_file.hpp>
#include <nn/nn.hpp>
#include <nn/saving/model_file.hpp>
#include <nn/training/checkpoint_file.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

struct Net : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(3, 8));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(8));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.3));
  nn::Linear output = add("output", nn::Linear(8, 1));
  Tensor operator()(const Tensor& x) const { return output(dropout(tanh(norm(hidden(x))))); }
};

nn::Dataset data(std::int64_t rows, std::uint64_t seed_of_values) {
  return {expect::random_tensor({rows, 3}, seed_of_values, float32), expect::random_tensor({rows, 1}, 77, float32)};
}

/// A training that is drawn, and can be run in pieces.
struct Plan {
  int optimizer = 0;
  int schedule = 0;
  std::int64_t batch = 5, accumulate = 1, epochs = 4;
  bool shuffle = true, drop_last = false, prefetch = false, noise = false, clip = false;
  std::optional<std::int64_t> parts = {};
  bool patience = false, restore_best = false, weight_change = false;
};

Plan drawn(std::mt19937_64& random) {
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  Plan plan;
  plan.optimizer = static_cast<int>(below(4));
  plan.schedule = static_cast<int>(below(8));
  plan.batch = 5 + below(4);
  plan.accumulate = 1 + below(3);
  plan.epochs = 3 + below(3);
  plan.shuffle = below(4) != 0;
  plan.drop_last = below(2) != 0;
  plan.prefetch = below(2) != 0;
  plan.noise = below(2) != 0;
  plan.clip = below(2) != 0;
  if (below(2) != 0) plan.parts = 1 + below(2);  // of two rows at least, which batch norm needs
  plan.patience = below(4) == 0;
  plan.restore_best = below(2) != 0;
  plan.weight_change = below(4) == 0;
  return plan;
}

nn::Schedule schedule_of(int which) {
  switch (which) {
    case 1:
      return nn::constant_rate(0.02);
    case 2:
      return nn::step_decay(0.05, 4, 0.5);
    case 3:
      return nn::exponential_decay(0.05, 0.9);
    case 4:
      return nn::inverse_time_decay(0.05, 0.1);
    case 5:
      return nn::cosine_decay(0.05, 20, 0.001);
    case 6:
      return nn::warm_up(5, nn::cosine_decay(0.05, 20));
    default:
      return {};  // 7: a rule on a plateau, in a callback
  }
}

struct Stopped {};  // as if the process had died

struct Pieces {
  std::string checkpoint = {}, resume = {};
  std::int64_t every = 1000;
  std::optional<std::int64_t> stop_at = {}, die_at = {};  // after so many steps of all
  std::uint64_t seed = 1;                                 // of what the model begins with
};

/// All that a training leaves: parameters, buffers, places of random streams, steps and losses.
std::string run(const Plan& plan, const Pieces& pieces) {
  seed(pieces.seed);
  Net net;
  std::unique_ptr<nn::Optimizer> optimizer;
  const auto parameters = net.parameters();
  if (plan.optimizer == 0) optimizer = std::make_unique<nn::SGD>(parameters, nn::SGDOptions{.learning_rate = 0.05});
  if (plan.optimizer == 1)
    optimizer = std::make_unique<nn::SGD>(parameters, nn::SGDOptions{.learning_rate = 0.02, .momentum = 0.9});
  if (plan.optimizer == 2) optimizer = std::make_unique<nn::Adam>(parameters, nn::AdamOptions{.learning_rate = 0.01});
  if (plan.optimizer == 3) optimizer = std::make_unique<nn::AdamW>(parameters, nn::AdamWOptions{.learning_rate = 0.01});
  nn::ReduceOnPlateau plateau(0.05, {.factor = 0.5, .patience = 0, .threshold = 0.05});
  nn::FitOptions options{.epochs = plan.epochs,
                         .batches = {.size = plan.batch,
                                     .shuffle = plan.shuffle,
                                     .seed = 3,
                                     .drop_last = plan.drop_last,
                                     .prefetch = plan.prefetch},
                         .validation = data(11, 5),
                         .schedule = schedule_of(plan.schedule),
                         .accumulate = plan.accumulate,
                         .parts = plan.parts,
                         .checkpoint = {pieces.checkpoint, pieces.every},
                         .resume = pieces.resume};
  if (plan.noise)
    options.transform = [](const nn::Batch& batch) {
      return nn::Batch{batch.inputs + normal(batch.inputs.shape(), 0, 0.1), batch.targets};
    };
  if (plan.clip) options.clip_norm = 0.5;
  if (plan.patience) options.stopping.patience = 2;
  options.stopping.restore_best = plan.restore_best;
  if (plan.weight_change) options.stopping.weight_change = 1e-3;
  options.checkpoint.also["plateau"] = nn::saved_state(plateau);
  options.on_step = [&](const nn::StepRecord& step) {
    if (pieces.die_at && step.step + 1 == *pieces.die_at) throw Stopped();
    return pieces.stop_at && step.step + 1 == *pieces.stop_at ? nn::Next::stop : nn::Next::go_on;
  };
  options.on_epoch = [&](const nn::EpochRecord& epoch) {
    if (plan.schedule == 7 && epoch.validation_loss) optimizer->learning_rate(plateau.observe(*epoch.validation_loss));
    return nn::Next::go_on;
  };
  const nn::History history = nn::fit(net, nn::mse, *optimizer, data(40, 4), options);

  std::string result;
  const auto add = [&result](const auto& value) { result.append(reinterpret_cast<const char*>(&value), sizeof value); };
  for (const auto& [name, tensor] : nn::tensors_of(net).tensors) result.append(nn::bytes_of(tensor));
  add(net.dropout.stream.calls());
  add(net.dropout.stream.state().start.seed);
  add(default_generator().state().position);
  add(optimizer->learning_rate());
  add(optimizer->steps());
  add(history.steps);
  add(history.best_epoch.value_or(99));
  for (const nn::EpochRecord& epoch : history.epochs) {
    add(epoch.loss);
    add(epoch.validation_loss.value_or(-1));
    add(epoch.steps);
    add(epoch.learning_rate);
  }
  return result;
}

std::int64_t steps_of(const Plan& plan) {
  const std::int64_t batches = plan.drop_last ? 40 / plan.batch : (40 + plan.batch - 1) / plan.batch;
  return plan.epochs * ((batches + plan.accumulate - 1) / plan.accumulate);
}

std::string small_checkpoint(const Folder& folder) {
  Plan plan;
  plan.epochs = 1;
  run(plan, {.checkpoint = folder.file("small")});
  nn::InputFile file("test", folder.file("small"));
  return file.read_text(static_cast<std::size_t>(file.size()));
}

}  // namespace

TEST_CASE("a training that is stopped anywhere and resumed ends with the bits of one that was not") {
  const Folder folder;
  std::mt19937_64 random(2026);
  int stops = 0;
  for (int i = 0; i < 140; ++i) {
    const Plan plan = drawn(random);
    const auto threads = [&] { return 1 + static_cast<int>(random() % 4); };
    const std::string expected = with_threads(threads(), [&] { return run(plan, {}); });
    const std::string path = folder.file("run" + std::to_string(i));
    std::int64_t first = 1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(steps_of(plan)));
    Pieces pieces{.checkpoint = path};
    if (i % 3 == 0) {
      pieces.every = 1 + static_cast<std::int64_t>(random() % 4);
      first = std::max(first, pieces.every + 1);  // by then there is a checkpoint
      pieces.die_at = first;
    } else {
      pieces.stop_at = first;
    }
    CAPTURE(i);
    CAPTURE(first);
    try {
      with_threads(threads(), [&] { return run(plan, pieces); });
    } catch (const Stopped&) {
    }
    ++stops;
    // Of a model that began elsewhere: all that matters comes from the file. Every other time it is stopped again.
    pieces = {.checkpoint = path, .resume = path, .seed = 1000 + static_cast<std::uint64_t>(i)};
    if (i % 2 == 0) {
      pieces.stop_at = first + 1 + static_cast<std::int64_t>(random() % 5);
      with_threads(threads(), [&] { return run(plan, pieces); });
      pieces.stop_at.reset();
      pieces.seed += 1;
      ++stops;
    }
    CHECK(with_threads(threads(), [&] { return run(plan, pieces); }) == expected);
  }
  CHECK(stops >= 200);
}

TEST_CASE("a training that was done is resumed to more epochs, or stays as it is") {
  const Folder folder;
  Plan plan;
  plan.restore_best = true;
  const std::string path = folder.file("run");
  Plan longer = plan;
  longer.epochs = 7;
  const std::string short_run = run(plan, {.checkpoint = path});
  CHECK(run(plan, {.resume = path, .seed = 9}) == short_run);
  CHECK(run(longer, {.resume = path, .seed = 9}) == run(longer, {}));
}

TEST_CASE("the last checkpoints are kept, the newest at the path") {
  const Folder folder;
  const std::string path = folder.file("run");
  nn::Linear model(1, 1);
  nn::SGD optimizer(model.parameters());
  const nn::Dataset rows(zeros({8, 1}), zeros({8, 1}));
  const nn::FitOptions options{.epochs = 1, .batches = {.size = 1}, .checkpoint = {path, 2, 3}};
  nn::fit(model, nn::mse, optimizer, rows, options);
  CHECK(folder.entries() == 3);
  const auto steps = [](const std::string& file) {
    const std::string state = nn::read_checkpoint(file).metadata.at("state");
    return state.substr(state.find("\"batches_done\":"), 16);
  };
  CHECK(steps(path + ".2") == "\"batches_done\":6");
  CHECK(steps(path + ".1") == "\"batches_done\":8");
  CHECK(steps(path) == "\"batches_done\":0");  // at the end of the epoch, judged
}

TEST_CASE("every truncation and every flipped bit of a checkpoint is an error") {
  const Folder folder;
  const std::string bytes = small_checkpoint(folder);
  const auto refused = [](const std::string& damage) {
    try {
      nn::parse_checkpoint(damage, "x");
      return false;
    } catch (const FileError&) {
      return true;
    }
  };
  REQUIRE_FALSE(refused(bytes));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    CHECK(refused(bytes.substr(0, length)));
  }
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damage = bytes;
    damage[bit / 8] = static_cast<char>(damage[bit / 8] ^ (1 << (bit % 8)));
    CAPTURE(bit);
    CHECK(refused(damage));
  }
  CHECK(refused(bytes + "x"));
}

TEST_CASE("an error says what is wrong with a checkpoint, and where the one before is") {
  const Folder folder;
  const std::string bytes = small_checkpoint(folder);
  const auto error_of = [&](const std::string& damage) {
    nn::WholeFile(folder.file("bad")).write(damage);
    return expect::error_of([&] { nn::read_checkpoint(folder.file("bad")); });
  };
  const std::string start = "FileError: read_checkpoint: " + folder.file("bad") + ": ";
  CHECK(error_of("") == start + "found 0 bytes; a checkpoint has at least 24");
  CHECK(error_of(std::string(30, 'x')) == start + "is no checkpoint: it does not begin with \"xgradck\"");
  std::string damage = bytes;
  damage[8] = 2;
  CHECK(error_of(damage) == start + "is of version 2; this xgrad reads version 1");
  CHECK(expect::contains(error_of(bytes.substr(0, bytes.size() - 1)), "it is truncated"));
  CHECK(expect::contains(error_of(bytes + "x"), "something follows"));
  damage = bytes;
  damage.back() = static_cast<char>(damage.back() ^ 1);
  CHECK(expect::contains(error_of(damage), "is damaged: its checksum is"));
  nn::WholeFile(folder.file("bad.1")).write(bytes);
  CHECK(expect::contains(error_of(damage), "; the checkpoint before it is " + folder.file("bad.1")));
  CHECK(expect::error_of([&] { run({}, {.resume = folder.file("none")}); }) ==
        "FileError: read_checkpoint: " + folder.file("none") + ": cannot be opened: No such file or directory");
}

TEST_CASE("a checkpoint of another model, optimizer or, within an epoch, of other batches is refused") {
  const Folder folder;
  const std::string path = folder.file("run");
  Plan plan;
  run(plan, {.checkpoint = path, .stop_at = 3});
  const auto resumed = [&](const auto& model, const nn::FitOptions& options) {
    auto copy = nn::clone(model);
    nn::SGD optimizer(copy.parameters());
    const std::string before(nn::bytes_of(copy.parameters()[0]));
    const std::string error = expect::error_of([&] { nn::fit(copy, nn::mse, optimizer, data(40, 4), options); });
    CHECK(before == nn::bytes_of(copy.parameters()[0]));
    return error;
  };
  const nn::FitOptions same{.batches = {.size = 5, .shuffle = true, .seed = 3}, .resume = path};
  struct Wider : nn::Module {
    nn::Linear hidden = add("hidden", nn::Linear(3, 9));
    nn::Linear output = add("output", nn::Linear(9, 1));
    Tensor operator()(const Tensor& x) const { return output(hidden(x)); }
  };
  CHECK(resumed(Wider(), same) == "FileError: fit: " + path +
                                      ": has model.hidden.weight as float32 (3, 8), the model as float32 (3, 9); need "
                                      "the model that was saved");
  struct Fewer : nn::Module {
    nn::Linear hidden = add("hidden", nn::Linear(3, 8));
    Tensor operator()(const Tensor& x) const { return hidden(x); }
  };
  CHECK(resumed(Fewer(), same) == "FileError: fit: " + path + ": has model.norm.bias, which the model has not");
  struct Renamed : Net {
    nn::Linear more = add("more", nn::Linear(1, 1));
  };
  CHECK(expect::contains(resumed(Renamed(), same), path + ": has no model.more.weight"));
  nn::FitOptions other = same;
  other.batches.size = 6;
  CHECK(expect::contains(resumed(Net(), other), "need the same until the epoch ends"));
  other = same;
  other.checkpoint.also["rule"] = {[] { return std::string(); }, [](const std::string&) {}};
  CHECK(expect::contains(resumed(Net(), other), "has no state of rule, which checkpoint.also asks for"));
  plan.optimizer = 2;
  run(plan, {.checkpoint = path, .stop_at = 3});
  CHECK(expect::contains(resumed(Net(), same), "does not fit the optimizer: SGD: the state has"));
}

TEST_CASE("options of checkpoints that make no sense are refused") {
  nn::Linear model(1, 1);
  nn::SGD optimizer(model.parameters());
  const auto fitted = [&](const nn::CheckpointOptions& checkpoint) {
    return expect::error_of([&] {
      nn::fit(model, nn::mse, optimizer, nn::Dataset(zeros({8, 1}), zeros({8, 1})), {.checkpoint = checkpoint});
    });
  };
  CHECK(fitted({"x", 0}) == "ValueError: fit: checkpoint.every 0; need at least 1");
  CHECK(fitted({"x", 1, 0}) == "ValueError: fit: checkpoint.keep 0; need at least 1");
  CHECK(expect::contains(fitted({"/none/x", 1}), "FileError: /none/x: cannot be written"));
}
