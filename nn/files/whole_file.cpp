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

/// What the names of unfinished files begin with: the name of the file, but no longer than leaves room for the rest.
std::string start_of_unfinished(const std::string& path) {
  constexpr std::size_t longest = 200;  // of the 255 bytes that a name may have
  return fs::path(path).filename().string().substr(0, longest) + ".part";
}

/// The file that a path leads to by symbolic links, whether it is there or not.
std::string followed(const std::string& path) {
  constexpr int most_links = 40;  // as Linux has it
  fs::path target = path;
  std::error_code ignored;
  for (int i = 0; i < most_links && fs::is_symlink(target, ignored); ++i)
    target = target.parent_path() / fs::read_symlink(target, ignored);
  return target.string();
}

/// The mode of the file that is there, or that of a new one.
mode_t mode_for(const std::string& path) {
  struct stat before = {};
  return ::stat(path.c_str(), &before) == 0 ? before.st_mode & 07777 : 0;
}

std::string place_of(const Descriptor& file) { return fmt::format("/proc/self/fd/{}", file.number()); }

void remove_leftovers(const std::string& path) {
  const std::string start = start_of_unfinished(path);
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

WholeFile::WholeFile(const std::string& path) : given_(path), path_(followed(path)), written_(path_) {
  std::error_code ignored;  // opening says what is the matter
  if (fs::is_symlink(path_, ignored)) {
    errno = ELOOP;
  } else if (!fs::exists(path_, ignored) || fs::is_regular_file(path_, ignored)) {
    remove_leftovers(path_);
    if (!open_nameless()) open_beside();
  } else {
    // A pipe without a reader is an error rather than to be waited for.
    file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK));
    if (file_) ::fcntl(file_.number(), F_SETFL, ::fcntl(file_.number(), F_GETFL) & ~O_NONBLOCK);
  }
  if (!file_) throw_as<FileError>("{}: cannot be written: {}", given_, std::strerror(errno));
}

bool WholeFile::open_nameless() {
  file_ = Descriptor(::open(folder_of(path_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  if (!file_ || !lock(file_) || ::access(place_of(file_).c_str(), F_OK) != 0) return false;
  if (const mode_t mode = mode_for(path_); mode != 0) ::fchmod(file_.number(), mode);
  written_.clear();
  return true;
}

std::string WholeFile::unfinished_name(int number) const {
  return fmt::format("{}/{}{}_{}", folder_of(path_), start_of_unfinished(path_), getpid(), number);
}

void WholeFile::open_beside() {
  for (int number = 0;; ++number) {
    written_ = unfinished_name(number);
    file_ = Descriptor(::open(written_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file_ && errno == EEXIST) continue;
    struct stat mine = {};
    if (!file_) return;
    // Another writer may have taken it for a leftover before it was locked.
    if (!lock(file_) || ::fstat(file_.number(), &mine) != 0 || mine.st_nlink == 0) continue;
    if (const mode_t mode = mode_for(path_); mode != 0) ::fchmod(file_.number(), mode);
    return;
  }
}

/// A link cannot take the place of a file; what has a name can.
void WholeFile::name_it() {
  const auto link_to = [this](const std::string& name) {
    return ::linkat(AT_FDCWD, place_of(file_).c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
  };
  written_ = path_;
  for (int number = 0; !link_to(written_); ++number) {
    if (errno != EEXIST) {
      written_.clear();
      refuse();
    }
    written_ = unfinished_name(number);
  }
}

WholeFile::~WholeFile() {
  if (!written_.empty() && written_ != path_) ::unlink(written_.c_str());
}

void WholeFile::refuse() const { throw_as<FileError>("{}: writing failed: {}", given_, std::strerror(errno)); }

void WholeFile::append(std::string_view bytes) {
  if (!file_) throw_as<FileError>("{}: was written before", given_);
  constexpr std::size_t most = std::size_t{1} << 24;
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.number(), bytes.data(), std::min(bytes.size(), most));
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = ENOSPC;
    if (count <= 0) refuse();
    bytes.remove_prefix(static_cast<std::size_t>(count));
    // The disk begins with a large file before all of it is there; that is no more than a hint.
    if (!bytes.empty()) ::sync_file_range(file_.number(), 0, 0, SYNC_FILE_RANGE_WRITE);
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
  if (written_.empty()) name_it();
  if (written_ != path_ && std::rename(written_.c_str(), path_.c_str()) != 0) refuse();
  written_ = path_;
  if (file_.close() != 0) refuse();
  const Descriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder && ::fsync(folder.number()) != 0 && !is_unsupported(errno)) refuse();
}

}  // namespace xgrad::nn
