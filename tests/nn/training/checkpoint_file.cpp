#include "tests/support/expect.hpp"
#include "tests/support/faulty_disk.hpp"
#include "tests/support/folder.hpp"

#include <nn/nn.hpp>
#include <nn/training/checkpoint_file.hpp>

#include <doctest/doctest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

extern char** environ;  // POSIX

using namespace xgrad;

namespace {

using enum FaultyDisk::Fault;

nn::TensorFile numbered(double number) { return {{{"x", full({100}, number)}}, {}}; }
double number_in(const std::string& path) { return nn::read_checkpoint(path).tensors.at("x").item({99}); }

/// One that counts its steps in path.steps, saves every third, and writes the digest of its weights to path.done.
pid_t start_victim(const std::string& path) {
  std::string program = XGRAD_CHECKPOINT_VICTIM, argument = path;
  char* const arguments[] = {program.data(), argument.data(), nullptr};
  pid_t process = 0;
  REQUIRE(posix_spawn(&process, program.c_str(), nullptr, nullptr, arguments, environ) == 0);
  return process;
}

std::string text_of(const std::string& path) {
  std::string text;
  std::getline(std::ifstream(path), text);
  return text;
}

std::int64_t steps_in(const std::string& path) {
  const std::string state = nn::read_checkpoint(path).metadata.at("state");
  const std::size_t at = state.rfind("\"steps\":");  // of the optimizer
  return std::stoll(state.substr(at + 8));
}

}  // namespace

TEST_CASE("whatever the disk does, the last checkpoint or the one before can be read") {
  for (const FaultyDisk::Fault fault : {no_space, short_write, interrupted, write_error, sync_error, rename_error}) {
    int faults = 0;
    for (bool happened = true; happened; ++faults) {
      const Folder folder;
      const std::string path = folder.file("run");
      CAPTURE(static_cast<int>(fault));
      CAPTURE(faults);
      for (const double number : {1, 2, 3}) nn::write_checkpoint(path, numbered(number), 3);
      std::string error;
      {
        FaultyDisk disk(fault, faults);
        error = expect::error_of([&] { nn::write_checkpoint(path, numbered(4), 3); });
        happened = disk.happened();
      }
      const double newest = number_in(path);
      if (error == "no error") {
        CHECK(newest == 4);
        if (fault != rename_error) CHECK(number_in(path + ".1") == 3);
      } else {
        CHECK(error.starts_with("FileError: " + path + ": writing failed: "));
        CHECK((newest == 3 || newest == 4));
      }
      if (std::filesystem::exists(path + ".1")) CHECK(number_in(path + ".1") >= 2);
      CHECK(folder.entries() <= 3);
      nn::write_checkpoint(path, numbered(5), 3);
      CHECK(number_in(path) == 5);
      CHECK(number_in(path + ".1") == newest);
    }
    CHECK(faults >= 2);
  }
}

TEST_CASE("a training that is killed again and again loses at most the interval, and ends with the same bits") {
  const char* const asked = std::getenv("XGRAD_KILLS");
  const int kills = asked != nullptr && *asked != '\0' ? std::atoi(asked) : 50;
  const Folder folder;
  const std::string path = folder.file("run"), undisturbed = folder.file("undisturbed");
  int status = 0;
  REQUIRE(waitpid(start_victim(undisturbed), &status, 0) > 0);
  REQUIRE(status == 0);
  const std::string expected = text_of(undisturbed + ".done");
  REQUIRE(expected.size() == 16);
  std::mt19937_64 random(17);
  for (int kill_number = 0, done = 0; kill_number < kills || done == 0;) {
    CAPTURE(kill_number);
    const pid_t victim = start_victim(path);
    if (kill_number < kills) usleep(static_cast<useconds_t>(random() % 60'000));
    if (kill_number < kills) kill(victim, SIGKILL);
    REQUIRE(waitpid(victim, &status, 0) == victim);
    if (WIFSIGNALED(status)) ++kill_number;
    if (!WIFSIGNALED(status)) REQUIRE(status == 0);  // it could go on from what there was
    const std::string reached = text_of(path + ".steps");
    if (std::filesystem::exists(path)) {
      CHECK(steps_in(path) + 3 >= std::stoll(reached.empty() ? "0" : reached));
      if (std::filesystem::exists(path + ".1")) CHECK(steps_in(path + ".1") <= steps_in(path));
    } else {
      CHECK(std::stoll(reached.empty() ? "0" : reached) <= 3);
    }
    if (!std::filesystem::exists(path + ".done")) continue;
    CHECK(text_of(path + ".done") == expected);
    ++done;
    for (const char* const ending : {"", ".1", ".done", ".steps"}) std::filesystem::remove(path + ending);
  }
  // One more, undisturbed, whose writes take away what the last killed one may have left.
  REQUIRE(waitpid(start_victim(path), &status, 0) > 0);
  REQUIRE(status == 0);
  CHECK(folder.entries() == 8);
}
