#include <autograd/tensor/format.hpp>
#include <nn/data/source_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace xgrad::nn {

namespace {

/// read(2), also after a signal.
ssize_t read_some(int descriptor, void* target, std::size_t count) {
  ssize_t got = 0;
  do got = ::read(descriptor, target, count);
  while (got < 0 && errno == EINTR);
  return got;
}

std::uint64_t memory_of_machine() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

SourceFile::SourceFile(const std::string& path, std::string who, std::string expected)
    : who_(std::move(who)),
      expected_(std::move(expected)),
      file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat about = {};
  if (!file_ || fstat(file_.number(), &about) != 0) refuse(fmt::format("cannot be opened ({})", std::strerror(errno)));
  if (S_ISDIR(about.st_mode)) refuse("found a directory");
  if (S_ISBLK(about.st_mode) || (S_ISCHR(about.st_mode) && isatty(file_.number()) == 0)) refuse("found a device");
  if (S_ISFIFO(about.st_mode)) await_writer();
  fcntl(file_.number(), F_SETFL, fcntl(file_.number(), F_GETFL) & ~O_NONBLOCK);
}

void SourceFile::refuse(const std::string& found) const {
  throw_as<FileError>("{}: {}; expected {}", who_, found, expected_);
}

void SourceFile::refuse_size(std::uint64_t bytes) const {
  throw_as<FileError>("{}: found {} bytes; expected no more than fit into memory, {} here", who_, bytes,
                      memory_of_machine());
}

/// A FIFO without a writer is at its end at once; one that waits for its writer would block.
void SourceFile::await_writer() {
  char byte = 0;
  const ssize_t got = read_some(file_.number(), &byte, 1);
  if (got == 0) refuse("found a FIFO into which nobody writes");
  if (got > 0) first_.assign(1, byte);
}

std::uint64_t SourceFile::size() const {
  struct stat about = {};
  return fstat(file_.number(), &about) == 0 && S_ISREG(about.st_mode) ? static_cast<std::uint64_t>(about.st_size) : 0;
}

std::size_t SourceFile::read(std::span<std::uint8_t> target) {
  std::size_t done = std::min(first_.size(), target.size());
  std::copy_n(first_.begin(), done, target.begin());
  first_.erase(0, done);
  while (done < target.size()) {
    const ssize_t got = read_some(file_.number(), target.data() + done, target.size() - done);
    if (got < 0) throw_as<FileError>("{}: cannot be read ({})", who_, std::strerror(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::string SourceFile::read_all(std::uint64_t most, const std::string& advice) {
  constexpr std::uint64_t step = 1 << 20;
  const std::uint64_t known = size();
  if (known > memory_of_machine()) refuse_size(known);
  std::string text;
  try {
    for (std::size_t got = 0, wanted = known + 1;; wanted = step) {  // one more finds the end at once
      const std::size_t done = text.size();
      text.resize(done + wanted);
      got = read({reinterpret_cast<std::uint8_t*>(text.data()) + done, wanted});
      text.resize(done + got);
      if (text.size() > std::max(known, most)) refuse(fmt::format("found more than {} bytes{}", most, advice));
      if (got < wanted) return text;
    }
  } catch (const std::bad_alloc&) {
    refuse_size(std::max<std::uint64_t>(known, text.size()));
  }
}

}  // namespace xgrad::nn
