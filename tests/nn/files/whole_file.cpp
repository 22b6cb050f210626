#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <nn/files/whole_file.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace xgrad;

namespace {

std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a file appears when all of it is written") {
  const Folder folder;
  const std::string bytes("a\0\n\xFF", 4);
  {
    nn::WholeFile file(folder.file("a"));
    CHECK_FALSE(std::filesystem::exists(folder.file("a")));
    file.write(bytes);
    CHECK(content(folder.file("a")) == bytes);
    CHECK(expect::contains(expect::error_of([&] { file.write(bytes); }), "FileError: "));
  }
  CHECK(content(folder.file("a")) == bytes);
  CHECK(folder.entries() == 1);
}

TEST_CASE("a file that is not finished leaves nothing behind, and an older one as it was") {
  const Folder folder;
  nn::WholeFile(folder.file("a")).write("old");
  { const nn::WholeFile file(folder.file("a")); }
  { const nn::WholeFile file(folder.file("b")); }
  CHECK(content(folder.file("a")) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a symbolic link to a file is followed and stays") {
  const Folder folder;
  nn::WholeFile(folder.file("target")).write("old");
  std::filesystem::create_symlink(folder / "target", folder / "link");
  nn::WholeFile(folder.file("link")).write("text");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(content(folder.file("target")) == "text");
  CHECK(folder.entries() == 2);
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
