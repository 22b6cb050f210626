#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <nn/files/whole_file.hpp>

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

using namespace xgrad;

TEST_CASE("a file appears when all of it is written") {
  const Folder folder;
  const std::string bytes("a\0\n\xFF", 4);
  {
    nn::WholeFile file(folder.file("a"));
    CHECK_FALSE(std::filesystem::exists(folder.file("a")));
    file.write(bytes);
    CHECK(content_of(folder.file("a")) == bytes);
    CHECK(expect::contains(expect::error_of([&] { file.write(bytes); }), "FileError: "));
  }
  CHECK(content_of(folder.file("a")) == bytes);
  CHECK(folder.entries() == 1);
}

TEST_CASE("a file that is not finished leaves nothing behind, and an older one as it was") {
  const Folder folder;
  nn::WholeFile(folder.file("a")).write("old");
  { const nn::WholeFile file(folder.file("a")); }
  { const nn::WholeFile file(folder.file("b")); }
  CHECK(content_of(folder.file("a")) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a symbolic link to a file is followed and stays") {
  const Folder folder;
  nn::WholeFile(folder.file("target")).write("old");
  std::filesystem::create_symlink(folder / "target", folder / "link");
  nn::WholeFile(folder.file("link")).write("text");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(content_of(folder.file("target")) == "text");
  CHECK(folder.entries() == 2);
}

TEST_CASE("a link to a file that is not there yet is followed and stays, also a relative one and a chain") {
  const Folder folder;
  std::filesystem::create_directory(folder / "there");
  std::filesystem::create_symlink("there/target", folder / "link");
  std::filesystem::create_symlink(folder / "link", folder / "chain");
  nn::WholeFile(folder.file("chain")).write("text");
  CHECK(content_of(folder.file("there/target")) == "text");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(std::filesystem::is_symlink(folder / "chain"));
  std::filesystem::create_symlink("round", folder / "round");
  CHECK(expect::error_of([&] { nn::WholeFile(folder.file("round")); }).starts_with("FileError: "));
}

TEST_CASE("the mode of a file stays, while it is written too, and a new one has the usual") {
  const Folder folder;
  const auto mode = [&](const char* name) {
    struct stat about = {};
    CHECK(stat(folder.file(name).c_str(), &about) == 0);
    return about.st_mode & 07777;
  };
  const mode_t mask = umask(022);
  nn::WholeFile(folder.file("a")).write("1");
  CHECK(mode("a") == 0644);
  for (const mode_t wanted : {0600u, 0640u, 0444u, 0755u}) {
    chmod(folder.file("a").c_str(), wanted);
    nn::WholeFile(folder.file("a")).write("2");
    CHECK(mode("a") == wanted);
  }
  umask(mask);
}

TEST_CASE("a name may be as long as the system allows") {
  const Folder folder;
  const std::string name(255, 'x');
  for (const char* const text : {"one", "two"}) {
    nn::WholeFile(folder.file(name)).write(text);
    CHECK(content_of(folder.file(name)) == text);
  }
  CHECK(folder.entries() == 1);
  CHECK(expect::error_of([&] { nn::WholeFile(folder.file(name + "x")).write("a"); }).starts_with("FileError: "));
}

TEST_CASE("several threads write one path: all succeed, and one's file stays") {
  const Folder folder;
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> failed = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        const std::string text(1000, static_cast<char>('a' + i));
        if (expect::error_of([&] { nn::WholeFile(folder.file("a")).write(text); }) != "no error") ++failed;
      });
    for (std::thread& thread : threads) thread.join();
    CHECK(failed == 0);
    const std::string text = content_of(folder.file("a"));
    CHECK(text == std::string(1000, text[0]));
    CHECK(folder.entries() == 1);
  }
}

TEST_CASE("a program that is killed while it writes leaves nothing behind") {
  const Folder folder;
  for (const int signal : {SIGTERM, SIGPIPE, SIGINT, SIGKILL}) {
    const pid_t child = fork();
    if (child == 0) {
      ::signal(signal, SIG_DFL);
      nn::WholeFile file(folder.file("a"));
      file.append("half");
      raise(signal);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WTERMSIG(status) == signal);
    CHECK(folder.entries() == 0);
  }
}

TEST_CASE("no file takes the place of a standard stream that is closed") {
  const Folder folder;
  const pid_t child = fork();
  if (child == 0) {
    close(STDOUT_FILENO);
    nn::WholeFile file(folder.file("a"));
    file.append("text");
    const bool refused = write(STDOUT_FILENO, "noise", 5) < 0;
    file.finish();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(content_of(folder.file("a")) == "text");
}

TEST_CASE("a pipe that nobody reads is refused at once") {
  const Folder folder;
  REQUIRE(mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  CHECK(expect::contains(expect::error_of([&] { nn::WholeFile(folder.file("fifo")); }), "cannot be written: "));
}

TEST_CASE("a file that cannot be written is known before the work") {
  const Folder folder;
  CHECK(expect::error_of([&] { nn::WholeFile(folder.file("missing/a")); }) ==
        "FileError: " + folder.file("missing/a") + ": cannot be written: No such file or directory");
  CHECK(expect::error_of([&] { nn::WholeFile(folder.path.string()); }) ==
        "FileError: " + folder.path.string() + ": cannot be written: Is a directory");
  CHECK(folder.entries() == 0);
}

TEST_CASE("a full device is an error, and the device stays") {
  if (!std::filesystem::exists("/dev/full")) return;
  CHECK(expect::error_of([] { nn::WholeFile("/dev/full").write("text"); }) ==
        "FileError: /dev/full: writing failed: No space left on device");
  CHECK(std::filesystem::is_character_file("/dev/full"));
}
