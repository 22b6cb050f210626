#include "tests/support/expect.hpp"
#include "tests/support/folder.hpp"

#include <doctest/doctest.h>
#include <nn/data/csv.hpp>
#include <nn/data/idx.hpp>
#include <nn/data/source_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace xgrad;
using expect::contains;
using expect::error_of;
using nn::SourceFile;

TEST_CASE("a file is read whole, or piece by piece") {
  const Folder folder;
  std::string text(3'000'001, 'x');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7919 >> 5);
  std::ofstream(folder / "a", std::ios::binary) << text;
  CHECK(SourceFile((folder / "a").string(), "test", "text").read_all() == text);
  SourceFile file((folder / "a").string(), "test", "text");
  std::vector<std::uint8_t> part(1'000'000);
  CHECK(file.read(part) == part.size());
  CHECK(file.read_all() == text.substr(part.size()));
  CHECK(file.read(part) == 0);
  std::ofstream(folder / "empty", std::ios::binary);
  CHECK(SourceFile((folder / "empty").string(), "test", "text").read_all().empty());
}

TEST_CASE("a FIFO with a writer is read, one without is refused at once, by every reader") {
  const Folder folder;
  const std::string path = (folder / "fifo").string();
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const std::string refused = "found a FIFO into which nobody writes; expected ";
  CHECK(error_of([&] { SourceFile(path, "test", "text"); }) == "FileError: test: " + refused + "text");
  CHECK(contains(error_of([&] { nn::read_csv(path); }), refused));
  CHECK(contains(error_of([&] { nn::read_idx(path); }), refused));
  const int keeps_it_open = open(path.c_str(), O_RDWR | O_CLOEXEC);
  std::thread writer([&] { std::ofstream(path) << "a,b\n1,2\n"; });
  SourceFile file(path, "test", "text");
  writer.join();
  close(keeps_it_open);
  CHECK(file.read_all() == "a,b\n1,2\n");
}

TEST_CASE("what cannot be opened or read is a FileError with the reason") {
  const Folder folder;
  CHECK(error_of([&] { SourceFile((folder / "none").string(), "test", "text"); }) ==
        "FileError: test: cannot be opened (No such file or directory); expected text");
  CHECK(error_of([&] { SourceFile(folder.path.string(), "test", "text"); }) ==
        "FileError: test: found a directory; expected text");
  // The memory of a process has nothing at address 0: EIO.
  CHECK(
      error_of([] { nn::read_csv("/proc/self/mem"); }).starts_with("FileError: /proc/self/mem: read_csv: cannot be "));
  CHECK(
      error_of([] { nn::read_idx("/proc/self/mem"); }).starts_with("FileError: read_idx: /proc/self/mem: cannot be "));
}

TEST_CASE("what may have no end is refused: devices at once, pipes beyond the bytes that are allowed") {
  for (const char* const device : {"/dev/zero", "/dev/urandom", "/dev/null"}) {
    CHECK(error_of([&] { nn::read_csv(device); }) ==
          std::string("FileError: ") + device + ": read_csv: found a device; expected a CSV file");
    CHECK(contains(error_of([&] { nn::read_idx(device); }), "found a device; expected an IDX file"));
  }
  const Folder folder;
  const std::string path = (folder / "fifo").string();
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const int never_ends = open(path.c_str(), O_RDWR | O_CLOEXEC);
  std::thread writer([&] { std::ofstream(path) << std::string((1 << 20) + 1000, '1'); });  // one line
  CHECK(error_of([&] { nn::read_csv(path, {.max_bytes = 1'000'000}); }) ==
        "FileError: " + path +
            ": read_csv: found more than 1000000 bytes; CsvOptions::max_bytes says how many there may be; expected "
            "a CSV file");
  writer.join();
  close(never_ends);
  // A regular file says its size.
  std::ofstream(folder / "file") << "a,b\n1,2\n";
  CHECK(nn::read_csv((folder / "file").string(), {.max_bytes = 0}).rows() == 1);
}

TEST_CASE("a file that is larger than the machine's memory is refused before it is read") {
  const Folder folder;
  const std::string path = (folder / "sparse").string();
  std::ofstream(path, std::ios::binary);
  std::error_code no_such_files;
  std::filesystem::resize_file(path, std::uintmax_t{1} << 43, no_such_files);  // a hole
  if (no_such_files) return;
  CHECK(contains(error_of([&] { nn::read_csv(path); }),
                 "found 8796093022208 bytes; expected no more than fit into memory"));
}
