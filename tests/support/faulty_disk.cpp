#include "tests/support/faulty_disk.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace {

thread_local FaultyDisk* disk = nullptr;

int fail(int error) {
  errno = error;
  return -1;
}

}  // namespace

FaultyDisk::FaultyDisk(Fault fault, int n) : fault_(fault), n_(n) { disk = this; }
FaultyDisk::~FaultyDisk() { disk = nullptr; }
FaultyDisk* FaultyDisk::current() { return disk; }

extern "C" {

ssize_t write(int file, const void* data, size_t count) {
  using enum FaultyDisk::Fault;
  if (disk != nullptr && file > STDERR_FILENO) {
    if (disk->full()) return fail(ENOSPC);
    const FaultyDisk::Fault fault = disk->fault();
    const bool befalls = fault == no_space || fault == short_write || fault == interrupted || fault == write_error;
    if (disk->happens(befalls)) {
      if (fault == interrupted) return fail(EINTR);
      if (fault == write_error) return fail(EIO);
      if (count == 1 && fault == no_space) return fail(ENOSPC);
      count = count > 1 ? count / 2 : count;
    }
  }
  return syscall(SYS_write, file, data, count);
}

int fsync(int file) {
  if (disk != nullptr && disk->happens(disk->fault() == FaultyDisk::Fault::sync_error)) return fail(EIO);
  return static_cast<int>(syscall(SYS_fsync, file));
}

int rename(const char* from, const char* to) noexcept {
  if (disk != nullptr && disk->happens(disk->fault() == FaultyDisk::Fault::rename_error)) return fail(EIO);
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
}
