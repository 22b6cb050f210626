#include <autograd/tensor/format.hpp>
#include <nn/report/whole_file.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace xgrad::nn {

WholeFile::WholeFile(const std::string& path) : given_(path), path_(path) {
  namespace fs = std::filesystem;
  std::error_code ignored;  // opening says what is the matter
  if (fs::is_symlink(path, ignored)) path_ = fs::weakly_canonical(path, ignored).string();
  written_ = path_;
  if (!fs::exists(path_, ignored) || fs::is_regular_file(path_, ignored)) written_ += fmt::format(".part{}", getpid());
  stream_ = std::fopen(written_.c_str(), "wb");
  if (stream_ == nullptr) throw_as<FileError>("{}: cannot be written: {}", given_, std::strerror(errno));
}

WholeFile::~WholeFile() {
  if (stream_ != nullptr) std::fclose(stream_);
  if (written_ != path_) std::remove(written_.c_str());
}

void WholeFile::write(std::string_view bytes) {
  if (stream_ == nullptr) throw_as<FileError>("{}: was written before", given_);
  const auto refuse = [this] { throw_as<FileError>("{}: writing failed: {}", given_, std::strerror(errno)); };
  if (std::fwrite(bytes.data(), 1, bytes.size(), stream_) != bytes.size()) refuse();
  if (std::fclose(std::exchange(stream_, nullptr)) != 0) refuse();
  if (written_ == path_) return;
  if (std::rename(written_.c_str(), path_.c_str()) != 0) refuse();
  written_ = path_;
}

}  // namespace xgrad::nn
