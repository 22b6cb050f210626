#include <autograd/tensor/format.hpp>
#include <nn/files/whole_file.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace xgrad::nn {

namespace fs = std::filesystem;

namespace {

std::string folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

/// Whoever writes a file holds a lock on it, which ends with the process.
bool lock(const Descriptor& file) { return flock(file.number(), LOCK_EX | LOCK_NB) == 0; }

void remove_leftovers(const std::string& path) {
  const std::string start = fs::path(path).filename().string() + ".part";
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_of(path), ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(start) || name.find_first_not_of("0123456789_", start.size()) != std::string::npos) continue;
    const Descriptor file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file && lock(file)) ::unlink(entry.path().c_str());
  }
}

/// A device or pipe has no disk behind it, and some file systems bring no folder there.
bool is_unsupported(int error) { return error == EINVAL || error == ENOTSUP || error == EROFS || error == EACCES; }

}  // namespace

WholeFile::WholeFile(const std::string& path) : given_(path), path_(path) {
  std::error_code ignored;  // opening says what is the matter
  if (fs::is_symlink(path, ignored)) path_ = fs::weakly_canonical(path, ignored).string();
  written_ = path_;
  if (!fs::exists(path_, ignored) || fs::is_regular_file(path_, ignored)) {
    remove_leftovers(path_);
    open_beside();
  } else {
    file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  }
  if (!file_) throw_as<FileError>("{}: cannot be written: {}", given_, std::strerror(errno));
}

void WholeFile::open_beside() {
  for (int number = 0;; ++number) {
    written_ = fmt::format("{}.part{}_{}", path_, getpid(), number);
    file_ = Descriptor(::open(written_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file_ && errno == EEXIST) continue;
    struct stat mine = {}, before = {};
    if (!file_) return;
    // Another writer may have taken it for a leftover before it was locked.
    if (!lock(file_) || ::fstat(file_.number(), &mine) != 0 || mine.st_nlink == 0) continue;
    if (::stat(path_.c_str(), &before) == 0) ::fchmod(file_.number(), before.st_mode & 07777);
    return;
  }
}

WholeFile::~WholeFile() {
  if (written_ != path_) ::unlink(written_.c_str());
}

void WholeFile::refuse() const { throw_as<FileError>("{}: writing failed: {}", given_, std::strerror(errno)); }

void WholeFile::append(std::string_view bytes) {
  if (!file_) throw_as<FileError>("{}: was written before", given_);
  constexpr std::size_t most = std::size_t{1} << 30;  // Linux takes a little less than 2 GiB at a time
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.number(), bytes.data(), std::min(bytes.size(), most));
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = ENOSPC;
    if (count <= 0) refuse();
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void WholeFile::finish() {
  if (!file_) throw_as<FileError>("{}: was written before", given_);
  const bool beside = written_ != path_;
  if (::fsync(file_.number()) != 0 && (beside || !is_unsupported(errno))) refuse();
  if (!beside) {
    if (file_.close() != 0) refuse();
    return;
  }
  if (std::rename(written_.c_str(), path_.c_str()) != 0) refuse();
  written_ = path_;
  if (file_.close() != 0) refuse();
  const Descriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder && ::fsync(folder.number()) != 0 && !is_unsupported(errno)) refuse();
}

}  // namespace xgrad::nn
