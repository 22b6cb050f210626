#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>
#include <nn/saving/model_file.hpp>

#include "examples/playground/trainer.hpp"
#include "tests/examples/playground/random_address.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/with_threads.hpp"

using namespace playground;

namespace {

/// The digest after so many steps.
std::string trained(const std::string& address, int steps) {
  Trainer trainer(from_address(address));
  for (int i = 0; i < steps; ++i) trainer.step();
  return trainer.digest();
}

}  // namespace

TEST_CASE("the same controls and steps give the same weights, whatever the threads, and other seeds others") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::string address = random_address(seed);
    CAPTURE(address);
    const std::string once = trained(address, 60);
    CHECK(with_threads(1, [&] { return trained(address, 60); }) == once);
    CHECK(with_threads(4, [&] { return trained(address, 60); }) == once);
  }
  CHECK(trained("seed=1", 10) != trained("seed=2", 10));
}

TEST_CASE("changes made while training are repeated from the address, at the same steps") {
  Trainer live(from_address("data=xor&optimizer=adam"));
  for (int i = 0; i < 50; ++i) live.step();
  live.change({.what = "learning_rate", .value = 0.2});
  for (int i = 0; i < 30; ++i) live.step();
  live.change({.what = "hidden2.bias", .index = 1, .value = -0.5});
  for (int i = 0; i < 20; ++i) live.step();
  CHECK(to_address(live.settings()) == "data=xor&optimizer=adam&events=50:learning_rate:0.2,80:hidden2.bias/1:-0.5");
  CHECK(trained(to_address(live.settings()), 100) == live.digest());
  // A change drops those that were to come.
  Trainer again(live.settings());
  for (int i = 0; i < 60; ++i) again.step();
  again.change({.what = "learning_rate", .value = 0.01});
  CHECK(again.settings().events.size() == 2);
  CHECK_THROWS_AS(again.change({.what = "hidden9.bias", .value = 1}), xgrad::ValueError);
  CHECK_THROWS_AS(again.change({.what = "hidden2.bias", .index = 2, .value = 1}), xgrad::ValueError);
  // Reset goes on with the present rate.
  CHECK(to_address(again.restarted()) == "data=xor&optimizer=adam&learning_rate=0.01");
}

TEST_CASE("a training that is stopped anywhere and goes on ends with the same weights") {
  const Folder folder;
  const std::string file = folder.file("a");
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::string address = random_address(seed);
    CAPTURE(address);
    const std::string once = trained(address, 60);
    for (const std::int64_t stop : {0, 1, 30, 31, 40, 41, 59, 60}) {  // 30 and 40: changes
      CAPTURE(stop);
      Trainer first(from_address(address)), second(from_address(address));
      for (std::int64_t i = 0; i < stop; ++i) first.step();
      xgrad::nn::save_checkpoint(file, first.checkpoint_parts(), first.steps());
      const std::int64_t done = xgrad::nn::load_checkpoint(file, second.checkpoint_parts());
      CHECK(done == first.steps());  // fewer where the loss is not finite
      CHECK(second.steps() == done);
      CHECK(second.learning_rate() == first.learning_rate());
      for (std::int64_t i = stop; i < 60; ++i) second.step();
      CHECK(second.digest() == once);
    }
  }
  Trainer other(from_address("seed=2"));
  xgrad::nn::save_checkpoint(file, Trainer(from_address("seed=3")).checkpoint_parts(), 0);
  const std::string before = other.digest();
  CHECK_THROWS_WITH_AS(xgrad::nn::load_checkpoint(file, other.checkpoint_parts()),
                       doctest::Contains("it is of the training of the address 'seed=3'"), xgrad::FileError);
  CHECK(other.digest() == before);
}

TEST_CASE("the curve has the losses at the ends of epochs, and stays short") {
  Trainer trainer(from_address("batch=250"));
  CHECK(trainer.steps_of_epoch() == 1);
  for (int i = 0; i < 3000; ++i) trainer.step();
  const std::vector<CurvePoint>& curve = trainer.curve();
  CHECK(curve.size() < 400);
  CHECK(curve.size() > 100);
  CHECK(curve.front().epoch == 0);
  Trainer again(trainer.settings());
  for (const CurvePoint& point : curve) {
    while (again.steps() < point.step) again.step();
    CHECK(again.score(again.data().train).loss == point.train);
    CHECK(again.score(again.data().test).loss == point.test);
  }
}

TEST_CASE("a frame's measurements leave the training alone, with dropout too") {
  const std::string address = "layers=6:relu:0.3,4:prelu&colour=gradients";
  Trainer watched(from_address(address));
  for (int i = 0; i < 40; ++i) {
    watched.step();
    watched.score(watched.data().test);
    watched.link_gradients();
  }
  CHECK(watched.digest() == trained(address, 40));
}

TEST_CASE("two classes are learned with every loss, and scored alike") {
  for (const LossChoice& loss : losses()) {
    CAPTURE(loss.name);
    const bool sums = loss.reduction == xgrad::nn::Reduction::sum;
    Trainer trainer(from_address("data=gauss&loss=" + loss.name + "&learning_rate=" + (sums ? "0.01" : "0.1")));
    for (int i = 0; i < 1500; ++i) REQUIRE(trainer.step());
    const Score score = trainer.score(trainer.data().test);
    REQUIRE(score.accuracy);
    CHECK(*score.accuracy > 0.97);  // the clouds do not touch
    CHECK(score.confusion->total() == trainer.data().test.size());
  }
}

TEST_CASE("a number is learned, and scored by R²") {
  Trainer trainer(from_address("data=plane&learning_rate=0.01&layers="));  // linear, as the plane is
  for (int i = 0; i < 10000; ++i) REQUIRE(trainer.step());
  const Score score = trainer.score(trainer.data().test);
  REQUIRE(score.r2);
  CHECK(*score.r2 > 0.999999);
  CHECK(!score.accuracy);
}

TEST_CASE("a loss that is not finite stops the training and is traced to its layer, operation and step") {
  Trainer trainer(from_address("data=plane&layers=8:relu&learning_rate=10"));
  int steps = 0;
  while (steps < 1000 && trainer.step()) ++steps;
  REQUIRE(steps < 1000);
  CHECK(trainer.steps() == steps);
  CHECK_FALSE(trainer.step());
  const std::string text = trainer.explanation();
  CAPTURE(text);
  CHECK(text.find("layer ") != std::string::npos);
  CHECK(text.starts_with("step "));
}

TEST_CASE("a loss that is not finite after many steps is explained by the last of them, drawn and moved as they were") {
  const std::string address = "data=plane&layers=8:relu:0.2,6:relu&optimizer=momentum&learning_rate=0.0001&events=";
  for (const int change : {0, 1, 1998, 1999, 2000, 2001, 4500}) {  // states are kept every 2000 steps
    CAPTURE(change);
    Trainer trainer(from_address(fmt::format("{}{}:learning_rate:100", address, change)));
    while (trainer.steps() < change + 1000 && trainer.step()) {
    }
    const std::string text = trainer.explanation();
    CAPTURE(text);
    const bool at_the_last = text.starts_with(fmt::format("step {}, layer ", trainer.steps()));
    CHECK((at_the_last || text.starts_with(fmt::format("step {}, layer ", trainer.steps() - 1))));
  }
  Trainer trainer(from_address(address + "2000:learning_rate:100"));
  Trainer other(from_address("data=plane&layers=8:relu:0.2,6:relu&seed=2"));
  for (int i = 0; i < 1000; ++i) trainer.step();
  trainer.load(xgrad::nn::tensors_of(other.network()), "a file");
  while (trainer.steps() < 3000 && trainer.step()) {
  }
  CHECK(trainer.explanation().starts_with("step 200"));
}

TEST_CASE("own points are divided in a random order that the seed repeats") {
  std::string points;
  for (int i = 0; i < 40; ++i)
    points += fmt::format("{}{}:{}:{}", i > 0 ? "," : "", 0.1 * i, -0.1 * i, i < 20 ? 1 : -1);
  const Data data = data_of(from_address("data=own&own=" + points));
  CHECK(data.train_rows == 20);
  CHECK(!data.regression);
  double classes = 0;
  for (std::int64_t row = 0; row < 20; ++row) classes += data.labels.item({row, 0});
  CHECK(std::abs(classes) < 20);
  CHECK(data_of(from_address("data=own&own=0:0:0.5,1:1:1,2:2:-1,3:3:0")).regression);
}
