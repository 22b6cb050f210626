#include <doctest/doctest.h>
#include <fmt/core.h>

#include "examples/playground/choices.hpp"
#include "examples/playground/settings.hpp"
#include "tests/examples/playground/random_address.hpp"

using namespace playground;

TEST_CASE("an address holds every control that is not at its default, and gives it back") {
  CHECK(to_address(Settings()).empty());
  const std::string address =
      "data=spiral&noise=12.5&features=x1,x1^2,sin(x2)&layers=8:relu,3:tanh:0.25&loss=cross_entropy&"
      "events=10:learning_rate:0.5,20:hidden1.weight/3:-0.25&show_test=true";
  CHECK(to_address(from_address(address)) == address);
  CHECK(to_address(from_address("#data%3dspiral")) == "data=spiral");
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::string text = random_address(seed);
    CHECK(to_address(from_address(text)) == to_address(from_address(to_address(from_address(text)))));
  }
}

TEST_CASE("every control takes its default, each of its choices and both ends of its range, and nothing beyond") {
  for (const Control& row : controls()) {
    CAPTURE(row.name);
    CHECK(!row.label.empty());
    CHECK(row.about.ends_with('.'));
    Settings settings;
    const std::string before = row.get(settings);
    row.set(settings, before);
    CHECK(row.get(settings) == before);
    if (row.kind == ControlKind::choice || row.kind == ControlKind::toggle) {
      for (const std::string& choice : row.choices) {
        row.set(settings, choice);
        CHECK(row.get(settings) == choice);
      }
      CHECK_THROWS_AS(row.set(settings, "no such choice"), xgrad::ValueError);
    }
    if (row.kind != ControlKind::number && row.kind != ControlKind::whole) continue;
    for (const double end : {row.minimum, row.maximum}) CHECK_NOTHROW(row.set(settings, fmt::format("{}", end)));
    for (const char* text : {"", "x", "-1", "1e300", "nan", "inf", "0x10", "1 ", "+1", "1,5"}) {
      CAPTURE(text);
      CHECK_THROWS_AS(row.set(settings, text), xgrad::ValueError);
    }
  }
}

TEST_CASE("what is wrong with an address is said in one line") {
  const auto message = [](const std::string& address) -> std::string {
    try {
      from_address(address);
    } catch (const xgrad::ValueError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message("nois=1") == "no control 'nois'; did you mean noise?");
  CHECK(message("noise") == "address: 'noise'; need name=value, joined by &");
  CHECK(message("noise=70") == "noise: '70'; need a number, 0 to 50");
  CHECK(message("batch=1.5") == "batch: '1.5'; need a whole number, 1 to 1000");
  CHECK(message("data=spirl").starts_with("data: 'spirl'; did you mean spiral?"));
  CHECK(message("features=") == "features: none; the network needs one at least");
  CHECK(message("features=x1,x1") == "features: x1 twice");
  CHECK(message("layers=4:tanh:0.5:1").starts_with("layers: "));
  CHECK(message("layers=33").starts_with("layers: '33'"));
  CHECK(message("data=own") == "own: 0 points; draw or upload four at least");
  CHECK(message("data=plane&loss=cross_entropy").starts_with("loss: cross_entropy needs two classes"));
  CHECK(message("skip=all&layers=2:prelu").find("prelu") != std::string::npos);
  CHECK(message("data=%2").starts_with("address: "));
  CHECK(message("events=5:learning_rate:1,4:learning_rate:1") == "events: steps must not fall");
}
