#pragma once

#include <nn/files/descriptor.hpp>

#include <string>
#include <string_view>

namespace xgrad::nn {

/// A file that appears whole or not at all, whatever happens to the program or the machine meanwhile: written without a
/// name, so that a signal leaves nothing behind (O_TMPFILE), or beside its place where the file system wants one,
/// brought to the disk, named, and then its folder is brought to the disk too. The mode of a file that was there before
/// stays. A device is written directly, a symbolic link is followed, also to a file that is not there yet. Of several
/// writers at once each succeeds, and one's file stays. What writers of the same file that were killed have left beside
/// it is removed.
class WholeFile {
 public:
  /// FileError when it cannot be written there: known before the work whose result it is for.
  explicit WholeFile(const std::string& path);
  /// Removes what was not finished; an older file stays as it was.
  ~WholeFile();
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  /// More of its bytes. FileError if the system refuses (a full disk).
  void append(std::string_view bytes);
  /// That was all: the file appears. FileError if the system refuses.
  void finish();
  /// All of the file, once.
  void write(std::string_view bytes) {
    append(bytes);
    finish();
  }

 private:
  bool open_nameless();
  void open_beside();
  void name_it();
  std::string unfinished_name(int number) const;
  [[noreturn]] void refuse() const;

  std::string given_;           // for messages
  std::string path_, written_;  // where it is to be, and its name so far, if it has one
  Descriptor file_;
};

}  // namespace xgrad::nn
