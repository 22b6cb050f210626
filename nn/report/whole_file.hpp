#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace xgrad::nn {

/// A file that appears whole or not at all: written beside its place and renamed. A device is written directly, a
/// symbolic link to a file is followed.
class WholeFile {
 public:
  /// FileError when it cannot be written there: known before the work whose result it is for.
  explicit WholeFile(const std::string& path);
  /// Removes what was not finished; an older file stays as it was.
  ~WholeFile();
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  /// All of the file, once. FileError if the system refuses (a full disk).
  void write(std::string_view bytes);

 private:
  std::string given_;  // for messages
  std::string path_, written_;
  std::FILE* stream_;
};

}  // namespace xgrad::nn
