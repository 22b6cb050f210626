#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "examples/playground/view.hpp"
#include "tests/examples/playground/random_address.hpp"

using namespace playground;

TEST_CASE("state and frame have a number for each link and unit, a map for each hidden unit") {
  for (const char* skip : {"none", "features", "all"}) {
    CAPTURE(skip);
    Trainer trainer(from_address(std::string("layers=4:tanh,3:relu&skip=") + skip));
    trainer.step();
    const Json state = state_json(trainer), frame = frame_json(trainer, 3);
    const std::size_t links = std::string(skip) == "none"  ? 2 * 4 + 4 * 3 + 3
                              : std::string(skip) == "all" ? 2 * 4 + 6 * 3 + 9
                                                           : 2 * 4 + 6 * 3 + 5;
    CHECK(state["links"].size() == links);
    CHECK(frame["weights"].size() == links);
    CHECK(state["units"].size() == 2 + 4 + 3 + 1);
    CHECK(frame["biases"].size() == 8);
    CHECK(frame["maps"].size() == 7);
    CHECK(frame["marks"].get<std::string>().size() == 7);
    CHECK(frame["map"].get<std::string>().size() == 10000);
    CHECK(frame["watched_map"].get<std::string>().size() == 10000);
    CHECK(state["points"].size() == 500);
    CHECK(frame["test"]["confusion"][0].size() == 2);
  }
}

TEST_CASE("a map's letters rise with the feature, from the left for x1 and from below for x2") {
  Trainer trainer(from_address(""));
  const Json state = state_json(trainer);
  const std::string x1 = state["features"][0]["map"], x2 = state["features"][1]["map"];
  CHECK(x1.size() == 400);
  CHECK(x1.front() == 'A');  // -1 or less
  CHECK(x1[19] == '_');      // 1 or more
  CHECK(x2.front() == '_');
  CHECK(x2.back() == 'A');
}

TEST_CASE("units that are at their bound for all points are marked dead, those at an end of their range saturated") {
  Trainer trainer(from_address("layers=2:relu,2:tanh"));
  trainer.change({.what = "hidden1.bias", .index = 1, .value = -1000});
  trainer.change({.what = "hidden2.bias", .index = 0, .value = 1000});
  CHECK(frame_json(trainer, {})["marks"] == "-ds-");
}

TEST_CASE("gradients are right for every loss, activation and way to connect") {
  for (const LossChoice& loss : losses()) {
    Trainer trainer(from_address("loss=" + loss.name));
    const Json report = gradient_check_json(trainer);
    CAPTURE(report.dump());
    CHECK(report["ok"] == true);
    CHECK(report["rows"].size() == 7);  // six parameters and the input
  }
  for (const ActivationChoice& activation : activations())
    for (const char* skip : {"none", "all"}) {
      if (activation.name == prelu && skip != std::string("none")) continue;
      Trainer trainer(from_address("layers=3:" + activation.name + ",2:" + activation.name + "&skip=" + skip));
      const Json report = gradient_check_json(trainer);
      CAPTURE(report.dump());
      CHECK(report["ok"] == true);
    }
}

TEST_CASE("the tape's list has the operations of the network and its loss, in order, with times") {
  Trainer trainer(from_address(""));
  const std::string before = trainer.digest();
  const Json tape = tape_json(trainer);
  std::vector<std::string> operations;
  for (const Json& row : tape["rows"]) {
    operations.push_back(row["operation"]);
    CHECK(row["nanoseconds"].get<double>() > 0);
    CHECK(row["bytes"].get<std::int64_t>() > 0);
  }
  CHECK(operations == std::vector<std::string>{"linear", "tanh", "linear", "tanh", "linear", "tanh", "mse", "mean"});
  CHECK(tape["rows"][0]["layer"] == "hidden1");
  CHECK(tape["rows"][0]["inputs"] == "(10, 2), (2, 4), (4,)");
  CHECK(trainer.digest() == before);
}

TEST_CASE("the doctor names a learning rate that is too large") {
  const Json report = doctor_json(from_address("data=plane&layers=8:relu&learning_rate=30"));
  CHECK(report["ok"] == false);
  const Json sound = doctor_json(from_address("data=gauss&learning_rate=0.03"));
  CAPTURE(sound.dump());
  CHECK(sound["ok"] == true);
}
