#include <autograd/tensor/format.hpp>
#include <nn/files/input_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace xgrad::nn {

static_assert(std::endian::native == std::endian::little, "the formats that are read have little-endian numbers");

InputFile::InputFile(const char* reader, const std::string& path)
    : reader_(reader), name_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat status = {};
  if (!file_ || ::fstat(file_.number(), &status) != 0) fail(fmt::format("cannot be opened: {}", std::strerror(errno)));
  if (!S_ISREG(status.st_mode)) fail(S_ISDIR(status.st_mode) ? "is a folder; need a file" : "is no regular file");
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::InputFile(const char* reader, std::string_view bytes, std::string name)
    : reader_(reader), name_(std::move(name)), bytes_(bytes), size_(bytes.size()) {}

void InputFile::fail(const std::string& what) const { throw_as<FileError>("{}: {}: {}", reader_, name_, what); }

void InputFile::read(void* target, std::size_t count) {
  if (count > left()) fail(fmt::format("found {} bytes where {} are expected; the file is truncated", left(), count));
  if (!file_) {
    if (count > 0) std::memcpy(target, bytes_.data() + position_, count);
    position_ += count;
    return;
  }
  auto* next = static_cast<char*>(target);
  constexpr std::size_t most = std::size_t{1} << 30;
  while (count > 0) {
    const ssize_t got = ::pread(file_.number(), next, std::min(count, most), static_cast<off_t>(position_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(fmt::format("cannot be read: {}", std::strerror(errno)));
    if (got == 0) fail(fmt::format("became shorter than {} bytes while it was read", size_));
    next += got;
    position_ += static_cast<std::uint64_t>(got);
    count -= static_cast<std::size_t>(got);
  }
}

std::string InputFile::read_text(std::size_t count) {
  if (count > left()) fail(fmt::format("found {} bytes where {} are expected; the file is truncated", left(), count));
  std::string text(count, '\0');
  read(text.data(), count);
  return text;
}

}  // namespace xgrad::nn
