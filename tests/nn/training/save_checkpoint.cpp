#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/with_threads.hpp"

#include <nn/nn.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace xgrad;

namespace {

struct Kept : nn::Module {
  nn::Linear hidden = add("hidden", nn::Linear(2, 6));
  nn::BatchNorm norm = add("norm", nn::BatchNorm(6));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.2));
  nn::Linear output = add("output", nn::Linear(6, 2));
  Tensor operator()(const Tensor& x) const { return output(dropout(tanh(norm(hidden(x))))); }
};

/// Two networks by turns, as in a generative adversarial network: all that a loop of one's own may change.
struct Loop {
  Kept first, second;
  nn::Adam first_step{first.parameters()};
  nn::SGD second_step{second.parameters(), {.learning_rate = 0.05, .momentum = 0.9}};
  Tensor average = zeros({4, 2});
  double last = NAN, best = std::numeric_limits<double>::infinity();
  std::vector<double> losses;
  nn::ReduceOnPlateau plateau{0.05, {.patience = 1}};
  std::vector<nn::CheckpointPart> parts = {{"first", first},
                                           {"second", second},
                                           {"first step", first_step},
                                           {"second step", second_step},
                                           {"average", average},
                                           {"last", last},
                                           {"best", best},
                                           {"losses", losses},
                                           {"plateau", nn::saved_state(plateau)}};

  Loop() = default;
  Loop(const Loop&) = delete;

  void step() {
    const Tensor noise = normal({4, 2}), fake = detach(first(noise));
    {
      Tape tape;
      second_step.step(tape.backward(nn::mse(second(fake), noise)));
    }
    Tape tape;
    const Tensor loss = nn::mse(second(first(noise)), noise);
    first_step.step(tape.backward(loss, {.only = first.parameters()}));
    average.assign(0.9 * average + 0.1 * fake);
    last = loss.item();
    best = std::min(best, last);
    losses.push_back(last);
    second_step.learning_rate(plateau.observe(last));
  }
  std::vector<Tensor> tensors() const {
    std::vector<Tensor> list = {average};
    for (const Kept* net : {&first, &second}) {
      for (const auto& [path, tensor] : net->named_parameters()) list.push_back(tensor);
      for (const auto& [path, tensor] : net->named_buffers()) list.push_back(tensor);
    }
    return list;
  }
};

constexpr std::int64_t all_steps = 12;

void check_same(const Loop& x, const Loop& y) {
  CHECK(nn::digest(x.tensors()) == nn::digest(y.tensors()));
  CHECK(x.losses == y.losses);
  CHECK(x.last == y.last);
  CHECK(x.best == y.best);
  CHECK(x.second_step.learning_rate() == y.second_step.learning_rate());
}

}  // namespace

TEST_CASE("a loop of one's own that is stopped anywhere and goes on ends with the bits of one that was left alone") {
  seed(3);
  Loop alone;
  for (std::int64_t step = 0; step < all_steps; ++step) alone.step();
  const Generator::State after = default_generator().state();

  for (std::int64_t stop = 0; stop <= all_steps; ++stop) {
    const Folder folder;
    const std::string path = folder.file("run");
    {
      seed(3);
      Loop stopped;
      for (std::int64_t step = 0; step < stop; ++step) stopped.step();
      nn::save_checkpoint(path, stopped.parts, stop);
    }
    seed(99);
    with_threads(stop % 2 == 0 ? 1 : 4, [&] {
      Loop resumed;
      std::int64_t step = nn::load_checkpoint(path, resumed.parts);
      CHECK(step == stop);
      for (; step < all_steps; ++step) resumed.step();
      check_same(resumed, alone);
    });
    CHECK(default_generator().state().position == after.position);
    CHECK(default_generator().state().seed == after.seed);
  }
}

TEST_CASE("an optimizer saves the parameters that no model has") {
  const Folder folder;
  Tensor x = tensor({1.0, 2.0});
  x.requires_gradient();
  nn::SGD optimizer(std::vector<Tensor>{x}, {.learning_rate = 0.5});
  nn::save_checkpoint(folder.file("run"), {{"optimizer", optimizer}}, 7);
  x.assign(tensor({5.0, 6.0}));
  CHECK(nn::load_checkpoint(folder.file("run"), {{"optimizer", optimizer}}) == 7);
  CHECK(expect::values(x) == std::vector<double>{1, 2});
}

TEST_CASE("numbers come back to the bit, those that are not finite too") {
  const Folder folder;
  const double inf = std::numeric_limits<double>::infinity();
  std::vector<double> values = {0.1, -0.0, inf, -inf, 5e-324, std::numeric_limits<double>::max()};
  double lone = std::nan("");
  const std::vector<double> before = values;
  nn::save_checkpoint(folder.file("run"), {{"values", values}, {"lone", lone}}, 0);
  values = {1};
  lone = 2;
  nn::load_checkpoint(folder.file("run"), {{"values", values}, {"lone", lone}});
  CHECK(values == before);
  CHECK(std::signbit(values[1]));
  CHECK(std::isnan(lone));
}

TEST_CASE("the checkpoints before stay, as many as are kept") {
  const Folder folder;
  double value = 0;
  for (; value < 5; ++value) nn::save_checkpoint(folder.file("run"), {{"value", value}}, 1, 3);
  nn::load_checkpoint(folder.file("run.2"), {{"value", value}});
  CHECK(value == 2);
  CHECK(folder.entries() == 3);
  nn::save_checkpoint(folder.file("run"), {{"value", value}}, 1, std::numeric_limits<std::int64_t>::max());
  CHECK(folder.entries() == 4);
}

TEST_CASE("a checkpoint that does not fit is an error that says why, and changes nothing") {
  const Folder folder;
  const std::string path = folder.file("run");
  seed(1);
  Loop saved;
  for (int step = 0; step < 3; ++step) saved.step();
  nn::save_checkpoint(path, saved.parts, 3);

  Loop other;
  other.step();
  Loop same;
  const std::string digest = nn::digest(other.tensors());
  const auto refused = [&](const std::vector<nn::CheckpointPart>& parts) {
    const Generator::State generator = default_generator().state();
    const double rate = other.second_step.learning_rate();
    const std::string text = expect::error_of([&] { nn::load_checkpoint(path, parts); });
    CHECK(text.find("FileError") == 0);
    CHECK(nn::digest(other.tensors()) == digest);
    CHECK(other.losses.size() == 1);
    CHECK(other.second_step.learning_rate() == rate);
    CHECK(default_generator().state().position == generator.position);
    return text;
  };
  auto with = [&](std::size_t at, const nn::CheckpointPart& part) {
    std::vector<nn::CheckpointPart> parts = other.parts;
    parts[at] = part;
    return parts;
  };
  std::vector<nn::CheckpointPart> fewer = other.parts, more = other.parts;
  fewer.pop_back();
  double extra = 0;
  more.push_back({"extra", extra});
  CHECK(refused(fewer).find("need the parts that were saved") != std::string::npos);
  CHECK(refused(more).find("need the parts that were saved") != std::string::npos);
  CHECK(refused(with(5, {"lst", other.last})).find("has no lst") != std::string::npos);
  CHECK(refused(with(4, {"averag", other.average})).find("average") != std::string::npos);
  CHECK(refused(with(4, {"average", zeros({4, 3})})).find("(4, 3)") != std::string::npos);
  CHECK(refused(with(4, {"average", zeros({4, 2}, float64)})).find("float64") != std::string::npos);
  nn::Adam adam(other.second.parameters());
  CHECK(refused(with(3, {"second step", adam})).find("second step was an optimizer of another kind") !=
        std::string::npos);
  const nn::SavedState thrower{[] { return std::string(); },
                               [](const std::string& text) {
                                 if (!text.empty()) throw ValueError("not mine");
                               }};
  CHECK(refused(with(8, {"plateau", thrower})).find("not mine") != std::string::npos);

  nn::fit(saved.first, nn::mse, saved.first_step, {zeros({4, 2}), zeros({4, 2})}, {.epochs = 1, .checkpoint = {path}});
  CHECK(refused(other.parts).find("option resume") != std::string::npos);
  std::filesystem::remove(path);
  CHECK(refused(other.parts).find("cannot be opened") != std::string::npos);
}

TEST_CASE("what cannot be saved is an error") {
  const Folder folder;
  double x = 0, y = 0;
  const auto error = [&](const std::vector<nn::CheckpointPart>& parts, std::int64_t step, std::int64_t keep) {
    return expect::error_of([&] { nn::save_checkpoint(folder.file("run"), parts, step, keep); });
  };
  CHECK(error({{"x", x}, {"x", y}}, 0, 2).find("ValueError: save_checkpoint: two parts have the name 'x'") == 0);
  CHECK(error({{"x", x}}, -1, 2).find("ValueError: save_checkpoint: step -1") == 0);
  CHECK(error({{"x", x}}, 0, 0).find("ValueError: save_checkpoint: step 0 and keep 0") == 0);
  CHECK(error({{"\xff", x}}, 0, 2).find("ValueError: save_checkpoint: the name of a part") == 0);
  const Tensor a = zeros({1}), none;
  nn::Linear layer(1, 1);
  CHECK(error({{"layer", layer}, {"layer.weight", a}}, 0, 2).find("two tensors have the name 'layer.weight'") !=
        std::string::npos);
  CHECK(error({{"none", none}}, 0, 2).find("ValueError: save_checkpoint: 'none' has no value") == 0);
  nn::CheckpointPart raw("raw", nn::SavedState{[] { return std::string("\xff"); }, [](const std::string&) {}});
  CHECK(error({raw}, 0, 2).find("ValueError: save_checkpoint: what a part saves is not UTF-8") == 0);
  CHECK(folder.entries() == 0);
}
