#include "tests/support/folder.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <cmath>
#include <examples/command_line.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#ifndef XGRAD_THREADS_BACKEND_STD
#include <oneapi/tbb/parallel_for.h>

#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#endif

namespace {

using examples::CommandLine;

/// Takes over a standard stream for a scope.
class Captured {
 public:
  explicit Captured(std::ostream& stream) : stream_(stream), previous_(stream.rdbuf(text_.rdbuf())) {}
  ~Captured() { stream_.rdbuf(previous_); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::ostream& stream_;
  std::streambuf* previous_;
};

struct Outcome {
  int code;
  bool started;
  std::string output;
  std::string errors;
  std::string first_line() const { return errors.substr(0, errors.find('\n')); }
};

Outcome run(
    CommandLine& line, std::vector<const char*> arguments, const std::function<void()>& program = [] {}) {
  arguments.insert(arguments.begin(), "prog");
  const Captured output(std::cout), errors(std::cerr);
  bool started = false;
  const int code = line.run(static_cast<int>(arguments.size()), arguments.data(), [&] {
    started = true;
    program();
  });
  return {code, started, output.text(), errors.text()};
}

/// A program with one flag of each kind.
struct Program {
  std::uint64_t seed = 1;
  std::int64_t batch = 128;
  double learning_rate = 0.1, dropout = 0.2;
  bool verbose = false;
  std::string optimizer = "sgd";
  CommandLine line{"prog", "a program"};

  Program() {
    line.seed(seed);
    line.batch(batch);
    line.learning_rate(learning_rate);
    line.flag("dropout", dropout, "probability of a zero", {0, 0.9});
    line.flag("verbose", verbose, "say more");
    line.flag("optimizer", optimizer, "how to step", {"sgd", "adam"});
  }
};

Outcome run_with(std::vector<const char*> arguments) {
  Program program;
  return run(program.line, std::move(arguments));
}

nlohmann::json read(const std::string& path) { return nlohmann::json::parse(content_of(path)); }

}  // namespace

TEST_CASE("flags reach their variables and the others keep their defaults") {
  Program program;
  const Outcome outcome =
      run(program.line, {"--seed", "18446744073709551615", "--learning-rate=1e-3", "--verbose", "--optimizer", "adam"});
  CHECK(outcome.code == 0);
  CHECK(outcome.started);
  CHECK(program.seed == 18446744073709551615u);
  CHECK(program.learning_rate == 1e-3);
  CHECK(program.verbose);
  CHECK(program.optimizer == "adam");
  CHECK(program.batch == 128);
  CHECK(program.dropout == 0.2);
}

TEST_CASE("an unknown flag ends with 2, the nearest known flag and the usage, before the program starts") {
  const Outcome outcome = run_with({"--sed", "3"});
  CHECK(outcome.code == 2);
  CHECK_FALSE(outcome.started);
  CHECK(outcome.first_line() == "prog: unknown flag --sed; did you mean --seed?");
  CHECK(outcome.errors.find("--learning-rate") != std::string::npos);
  CHECK(run_with({"--learningrate=3"}).first_line() ==
        "prog: unknown flag --learningrate; did you mean --learning-rate?");
  CHECK(run_with({"--batches", "3"}).first_line() == "prog: unknown flag --batches; did you mean --batch?");
  CHECK(run_with({"--zzz"}).first_line() == "prog: unknown flag --zzz");
  CHECK(run_with({"seed", "3"}).first_line() == "prog: unexpected argument seed; every value has a flag");
}

TEST_CASE("a value that is out of range or no number ends with 2 and names the flag and the rule") {
  const Outcome outcome = run_with({"--batch", "0"});
  CHECK(outcome.code == 2);
  CHECK_FALSE(outcome.started);
  CHECK(outcome.first_line() == "prog: --batch: 0 is out of range; need a number, 1 to 1000000");
  for (const std::vector<const char*>& arguments :
       std::vector<std::vector<const char*>>{{"--batch", "-1"},
                                             {"--batch", "1.5"},
                                             {"--batch", "12x"},
                                             {"--batch", "99999999999999999999"},
                                             {"--batch"},
                                             {"--dropout", "0.95"},
                                             {"--dropout", "nan"},
                                             {"--dropout", "inf"},
                                             {"--seed", "-1"},
                                             {"--seed", "18446744073709551616"},
                                             {"--seed", "1e3"},
                                             {"--json", ""},
                                             {"--optimizer", ""},
                                             {"--threads", "257"},
                                             {"--threads", "-1"},
                                             {"--optimizer", "adm"},
                                             {"--learning-rate", "0"},
                                             {"--seed", "1", "--seed", "2"}}) {
    const Outcome refused = run_with(arguments);
    CAPTURE(refused.errors);
    CHECK(refused.code == 2);
    CHECK_FALSE(refused.started);
    CHECK(refused.first_line().find(arguments[0]) != std::string::npos);
  }
}

TEST_CASE("help goes to standard output and ends with 0 without running") {
  const Outcome outcome = run_with({"--help"});
  CHECK(outcome.code == 0);
  CHECK_FALSE(outcome.started);
  CHECK(outcome.errors.empty());
  for (const char* part :
       {"a program", "--threads", "--quiet", "--json", "--dropout", "0 to 0.9", "probability of a zero"})
    CHECK(outcome.output.find(part) != std::string::npos);
}

TEST_CASE("a failed run ends with 1 and one line, refused flags with 2 and the usage") {
  Program program;
  const Outcome failed = run(program.line, {}, [] { throw std::runtime_error("linear: no"); });
  CHECK(failed.code == 1);
  CHECK(failed.errors == "prog: linear: no\n");
  const Outcome refused = run(program.line, {}, [] { throw examples::UsageError("--a needs --b"); });
  CHECK(refused.code == 2);
  CHECK(refused.first_line() == "prog: --a needs --b");
  CHECK(refused.errors.find("--dropout") != std::string::npos);
}

TEST_CASE("the JSON file has every flag and every result") {
  const Folder folder;
  Program program;
  const Outcome outcome =
      run(program.line, {"--json", folder.file("a.json").c_str(), "--threads", "3", "--seed", "7"}, [&] {
        program.line.result("test_accuracy", 0.75);
        program.line.result("train_loss", std::vector<double>{1.5, 0.5});
        program.line.result("parameters_digest", "00ff");
        program.line.result("rows", std::int64_t{-1});
        program.line.result("works", true);
        CHECK_FALSE(std::filesystem::exists(folder.file("a.json")));
      });
  CHECK(outcome.code == 0);
  CHECK(folder.entries() == 1);
  const nlohmann::json json = read(folder.file("a.json"));
  CHECK(json["program"] == "prog");
  CHECK(json["threads"] == 3);
  CHECK(json["seed"] == 7);
  CHECK(json["test_accuracy"] == 0.75);
  CHECK(json["train_loss"] == std::vector<double>{1.5, 0.5});
  CHECK(json["parameters_digest"] == "00ff");
  CHECK(json["rows"] == -1);
  CHECK(json["works"] == true);
  CHECK(json["interrupted"] == false);
  const nlohmann::json expected = {
      {"threads", 3},     {"quick", false},    {"quiet", false},       {"json", folder.file("a.json")},
      {"seed", 7},        {"batch", 128},      {"learning_rate", 0.1}, {"dropout", 0.2},
      {"verbose", false}, {"optimizer", "sgd"}};
  CHECK(json["flags"] == expected);
}

TEST_CASE("a program knows its flags with their values, but for empty ones") {
  Program program;
  std::vector<std::pair<std::string, std::string>> values;
  run(program.line, {"--seed", "7", "--verbose", "--dropout", "0.25"}, [&] { values = program.line.configuration(); });
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"threads", "0"},         {"quick", "false"},  {"quiet", "false"},  {"seed", "7"},       {"batch", "128"},
      {"learning-rate", "0.1"}, {"dropout", "0.25"}, {"verbose", "true"}, {"optimizer", "sgd"}};
  CHECK(values == expected);
}

TEST_CASE("--quick changes the flags that have a quick form, unless they are given") {
  const auto epochs_of = [](std::vector<const char*> arguments) {
    std::int64_t epochs = 100, batch = 8;
    CommandLine line("prog", "a program");
    line.epochs(epochs, 2);
    line.batch(batch);
    CHECK(run(line, std::move(arguments)).code == 0);
    CHECK(batch == 8);
    return std::pair(epochs, line.quick());
  };
  CHECK(epochs_of({}) == std::pair(std::int64_t{100}, false));
  CHECK(epochs_of({"--quick"}) == std::pair(std::int64_t{2}, true));
  CHECK(epochs_of({"--quick", "--epochs", "7"}) == std::pair(std::int64_t{7}, true));
  CHECK(epochs_of({"--epochs", "7"}) == std::pair(std::int64_t{7}, false));
}

TEST_CASE("a claim is printed with what was found; one that does not hold ends the run with 1 and one line") {
  const Folder folder;
  Program program;
  const Outcome outcome = run(program.line, {"--json", folder.file("a.json").c_str()}, [&] {
    program.line.claim("error", 1e-9, {.maximum = 1e-6});
    program.line.claim("accuracy", 0.5, {.minimum = 0.9, .maximum = 1});
    program.line.claim("loss", std::nan(""), {.maximum = 1});
  });
  CHECK(outcome.code == 1);
  CHECK(outcome.output.find("holds: error 1e-09; need 1e-06 or less\n") != std::string::npos);
  CHECK(outcome.errors ==
        "prog: does not hold: accuracy 0.5; need 0.9 to 1\nprog: does not hold: loss nan; need 1 or less\n");
  const nlohmann::json claims = read(folder.file("a.json"))["claims"];
  REQUIRE(claims.size() == 3);
  CHECK(claims[0]["holds"] == true);
  CHECK(claims[1]["claim"] == "accuracy");
  CHECK(claims[1]["found"] == 0.5);
  CHECK(claims[1]["need"] == "0.9 to 1");
  CHECK(claims[1]["holds"] == false);
  Program stopped;
  CHECK(run(stopped.line, {}, [&] {
          raise(SIGINT);
          stopped.line.claim("accuracy", 0.5, {.minimum = 0.9});
        }).code == 130);
  Program good;
  CHECK(run(good.line, {}, [&] { good.line.claim("zero", 0, {.minimum = 0, .maximum = 0}); }).code == 0);
}

TEST_CASE("pictures go to --out, which is made before the program starts, or refused") {
  const Folder folder;
  const xgrad::nn::LinePlot plot = {.x_label = "epoch", .y_label = "loss", .x = {1, 2}, .series = {{"loss", {2, 1}}}};
  const auto drawn = [&](const std::string& out) {
    CommandLine line("prog", "a program");
    line.draws();
    return run(line, {"--out", out.c_str()}, [&] { line.draw("loss", plot); });
  };
  const std::string deep = folder.file("a/b");
  const Outcome outcome = drawn(deep);
  CHECK(outcome.code == 0);
  CHECK(outcome.output == "picture " + deep + "/loss.svg\n");
  CHECK(std::filesystem::is_regular_file(deep + "/loss.svg"));
  CHECK(folder.entries() == 1);
  std::ofstream(folder / "file") << "x";
  const Outcome refused = drawn(folder.file("file/below"));
  CHECK(refused.code == 2);
  CHECK_FALSE(refused.started);
  CHECK(refused.first_line().find("prog: --out " + folder.file("file/below")) == 0);
  CHECK(refused.first_line().find("cannot be written") != std::string::npos);
}

TEST_CASE("a failed run leaves its error in the JSON file") {
  const Folder folder;
  Program program;
  const Outcome outcome =
      run(program.line, {"--json", folder.file("a.json").c_str()}, [] { throw std::runtime_error("step 3: NaN"); });
  CHECK(outcome.code == 1);
  CHECK(read(folder.file("a.json"))["error"] == "step 3: NaN");
}

TEST_CASE("a JSON file that cannot be written is refused before the program starts, and nothing is left behind") {
  const Folder folder;
  for (const std::string& path : {folder.file("missing/a.json"), folder.path.string()}) {
    Program program;
    const Outcome outcome = run(program.line, {"--json", path.c_str()});
    CHECK(outcome.code == 2);
    CHECK_FALSE(outcome.started);
    CHECK(outcome.first_line().find("--json " + path + ": cannot be written") != std::string::npos);
  }
  CHECK(folder.entries() == 0);
}

TEST_CASE("two flags may not name one file, not even by a link") {
  const Folder folder;
  const auto refused = [&](const std::string& json, const std::string& report) {
    std::string path;
    CommandLine line("prog", "a program");
    line.output_flag("report", path, "a page");
    return run(line, {"--json", json.c_str(), "--report", report.c_str()});
  };
  const std::string a = folder.file("a.json");
  std::filesystem::create_symlink("a.json", folder.file("link"));
  for (const std::string& other :
       {a, folder.file("../" + folder.path.filename().string() + "/a.json"), folder.file("link")}) {
    const Outcome outcome = refused(a, other);
    CHECK(outcome.code == 2);
    CHECK_FALSE(outcome.started);
    CHECK(outcome.first_line().find("--json and --report are both ") != std::string::npos);
  }
  CHECK(refused(a, folder.file("b.html")).code == 0);
  CHECK(refused("/dev/null", "/dev/null").code == 0);
}

TEST_CASE("output that nobody gets ends with 1") {
  Program program;
  struct Full : std::streambuf {
  } full;
  std::streambuf* const before = std::cout.rdbuf(&full);
  const Captured errors(std::cerr);
  const char* const arguments[] = {"prog"};
  const int code = program.line.run(1, arguments, [&] { program.line.out() << "epoch 1\n"; });
  std::cout.rdbuf(before);
  std::cout.clear();
  CHECK(code == 1);
  CHECK(errors.text() == "prog: standard output cannot be written\n");
}

TEST_CASE("a device takes the JSON without being replaced") {
  Program program;
  CHECK(run(program.line, {"--json", "/dev/null"}).code == 0);
  CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("the first Ctrl-C or SIGTERM is a request, the second would kill, and the results are kept") {
  for (const int signal : {SIGINT, SIGTERM}) {
    CAPTURE(signal);
    const Folder folder;
    Program program;
    struct sigaction before = {}, during = {}, after = {};
    sigaction(signal, nullptr, &before);
    const Outcome outcome = run(program.line, {"--json", folder.file("a.json").c_str()}, [&] {
      CHECK_FALSE(examples::interrupted());
      raise(signal);
      CHECK(examples::interrupted());
      sigaction(signal, nullptr, &during);
      program.line.result("epochs_done", std::int64_t{2});
    });
    sigaction(signal, nullptr, &after);
    CHECK(outcome.code == 128 + signal);
    CHECK((during.sa_handler == SIG_DFL));
    CHECK((after.sa_handler == before.sa_handler));
    CHECK(read(folder.file("a.json"))["interrupted"] == true);
    CHECK(read(folder.file("a.json"))["epochs_done"] == 2);
    CHECK(run(program.line, {}, [] { CHECK_FALSE(examples::interrupted()); }).code == 0);
  }
}

// ThreadSanitizer cannot see into TBB.
#ifndef XGRAD_THREADS_BACKEND_STD
TEST_CASE("--threads gives a program that many threads, also more than there are cores") {
  Program program;
  std::mutex mutex;
  std::set<std::thread::id> threads;
  const auto arrived = [&] {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    return threads.size();
  };
  run(program.line, {"--threads", "8"}, [&] {
    // Every block waits until eight threads are there, so that no thread can take two.
    tbb::parallel_for(
        0, 8, 1,
        [&](int) {
          const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
          while (arrived() < 8 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
        },
        tbb::simple_partitioner());
  });
  CHECK(threads.size() == 8);
  threads.clear();
  run(program.line, {"--threads", "1"}, [&] { tbb::parallel_for(0, 100, [&](int) { arrived(); }); });
  CHECK(threads.size() == 1);
}
#endif
