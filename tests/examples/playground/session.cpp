#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "examples/playground/session.hpp"
#include "tests/examples/playground/random_address.hpp"

using namespace playground;
using namespace std::chrono_literals;

namespace {

/// Lets a session train so many steps, and gives the frame that shows the last.
Json after_steps(Session& session, std::int64_t steps) {
  session.command({{"command", "step"}, {"steps", steps}});
  std::uint64_t seen = 0;
  for (int i = 0; i < 600; ++i)
    if (const auto frame = session.next_frame(seen, 100ms)) {
      seen = frame->number;
      Json json = Json::parse(frame->json);
      if (json["playing"] == false && json["step"] == steps) return json;
    }
  return {};
}

}  // namespace

TEST_CASE("a session trains to the bits of a run without one") {
  const std::string address = "data=spiral&layers=6:tanh,4:relu:0.2&optimizer=adam&features=x1,x2,sin(x1)";
  Session session(from_address(address));
  const Json frame = after_steps(session, 777);
  REQUIRE(frame.is_object());
  Trainer alone(from_address(address));
  for (int i = 0; i < 777; ++i) alone.step();
  CHECK(session.command({{"command", "state"}})["digest"] == alone.digest());
}

TEST_CASE("a refused request says why in one line and changes nothing") {
  Session session(from_address("data=xor"));
  const Json before = session.command({{"command", "state"}});
  const auto message = [&](const Json& request) -> std::string {
    try {
      session.command(request);
    } catch (const xgrad::Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message(Json::array()) == "request: need an object with a command");
  CHECK(message(Json::object()) == "request: no member command");
  CHECK(message({{"command", 5}}) == "request: command is no text");
  CHECK(message({{"command", "pley"}}) == "request: no command 'pley'; did you mean play?");
  CHECK(message({{"command", "set"}, {"values", {{"noise", "99"}}}}).starts_with("noise: '99'"));
  CHECK(message({{"command", "set"}, {"values", {{"noise", "10"}, {"loss", "x"}}}}).starts_with("loss: 'x'"));
  CHECK(message({{"command", "set"}, {"values", 3}}) == "request: values is no object");
  CHECK(message({{"command", "step"}, {"steps", 0}}).starts_with("request: steps"));
  CHECK(message({{"command", "step"}, {"steps", 1.5}}).starts_with("request: steps"));
  CHECK(message({{"command", "step"}, {"steps", 18446744073709551615ull}}).starts_with("request: steps"));
  CHECK(message({{"command", "edit"}, {"link", 18}, {"value", 1}}) == "edit: there is no number 18");
  CHECK(message({{"command", "edit"}, {"link", 0}, {"value", "x"}}).starts_with("request: value"));
  CHECK(message({{"command", "watch"}, {"unit", 9}}).starts_with("request: unit"));
  CHECK(message({{"command", "restore"}, {"address", "data=nothing"}}).starts_with("data: 'nothing'"));
  CHECK(message({{"command", "csv"}, {"text", "1,2,3\n4,x,6\n"}}).find("data.csv:2:3") != std::string::npos);
  CHECK(session.command({{"command", "state"}}) == before);
}

TEST_CASE("controls that restart do, the learning rate and the view do not") {
  Session session(from_address(""));
  REQUIRE(after_steps(session, 30).is_object());
  const auto set = [&](const char* name, const char* value) {
    return session.command({{"command", "set"}, {"values", {{name, value}}}});
  };
  CHECK(set("show_test", "true")["version"] == 0);
  CHECK(set("learning_rate", "0.1")["address"] == "events=30:learning_rate:0.1&show_test=true");
  CHECK(set("batch", "20")["version"] == 1);
  CHECK(session.command({{"command", "state"}})["address"] == "batch=20&learning_rate=0.1&show_test=true");
}

TEST_CASE("edits of weights and biases, by the numbers of links and units, are in the address") {
  Session session(from_address(""));
  session.command({{"command", "edit"}, {"link", 8}, {"value", 2.5}});  // the first of hidden2: 2·4 before
  const Json state = session.command({{"command", "edit"}, {"bias", 6}, {"value", -1}});
  CHECK(state["address"] == "events=0:hidden2.weight/0:2.5,0:output.bias/0:-1");
  const Json frame = after_steps(session, 1);
  REQUIRE(frame.is_object());
  CHECK(frame["weights"][8].get<double>() == doctest::Approx(2.5).epsilon(0.1));
}

TEST_CASE("points from CSV: classes by name, numbers, columns brought into the plane") {
  Session session(from_address("loss=cross_entropy"));
  const auto csv = [&](const std::string& text) { return session.command({{"command", "csv"}, {"text", text}}); };
  const Json classes = csv("x,y,kind\n0,0,cat\n1,1,dog\n2,0,cat\n3,3,dog\n");
  CHECK(classes["regression"] == false);
  CHECK(classes["note"] == "4 points. -1 stands for cat, 1 for dog.");
  CHECK(classes["settings"]["own"] == "0:0:-1,1:1:1,2:0:-1,3:3:1");
  CHECK(classes["settings"]["loss"] == "cross_entropy");
  const Json numbers = csv("0,0,10\n50,1,20\n100,0,30\n25,3,15\n");
  CHECK(numbers["regression"] == true);
  CHECK(numbers["settings"]["loss"] == "mse");
  CHECK(numbers["settings"]["own"] == "-5:0:-1,0:1:0,5:0:1,-2.5:3:-0.5");
  CHECK_THROWS_AS(csv("1,2\n3,4\n"), xgrad::Error);
  CHECK_THROWS_AS(csv("a,b,c\n1,2,u\n1,2,v\n1,3,w\n2,2,u\n"), xgrad::Error);
}

TEST_CASE("a reader gets frames, at most 30 a second, while a session trains at full speed") {
  Session session(from_address(""));
  session.command({{"command", "play"}});
  std::uint64_t seen = 0;
  const auto begin = Session::Clock::now();
  int frames = 0;
  for (; frames < 12; ++frames) {
    const auto frame = session.next_frame(seen, 10s);
    REQUIRE(frame);
    CHECK(frame->number == seen + 1);
    seen = frame->number;
  }
  CHECK(Session::Clock::now() - begin >= 11 * 33ms);
  session.close();
  CHECK(session.next_frame(seen, 10s) == nullptr);
  CHECK_THROWS_AS(session.command({{"command", "state"}}), xgrad::Error);
}

TEST_CASE("a network that is torn apart is said to be, and can be reset") {
  Session session(from_address("data=plane&layers=8:relu&learning_rate=10"));
  session.command({{"command", "play"}});
  std::string message;
  std::uint64_t seen = 0;
  for (int i = 0; i < 100 && message.empty(); ++i)
    if (const auto frame = session.next_frame(seen, 1s)) {
      seen = frame->number;
      message = Json::parse(frame->json)["message"];
    }
  CAPTURE(message);
  CHECK(message.starts_with("The loss is not finite. First at step "));
  CHECK(message.find("layer ") != std::string::npos);
  const Json state = session.command({{"command", "reset"}});
  CHECK(state["playing"] == false);
  CHECK(Json::parse(session.next_frame(seen, 10s)->json)["message"] == "");
}
