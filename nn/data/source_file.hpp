#pragma once

#include <nn/files/descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace xgrad::nn {

/// A file that is read from its beginning to its end. All that goes wrong is a FileError that begins with `who`, the
/// reader and the path, and says what was expected: `read_idx: a.gz: found a directory; expected an IDX file`.
class SourceFile {
 public:
  /// A pipe (as in `program <(zcat file)`) is a file, too, if somebody writes to it. FileError for what is missing, may
  /// not be read, is a directory, a device other than a terminal, or a FIFO without a writer, for whom one would wait
  /// for ever.
  SourceFile(const std::string& path, std::string who, std::string expected);

  /// Bytes of a regular file, 0 of others.
  std::uint64_t size() const;
  /// Fills the target as far as the file goes; how many bytes there were. FileError if the system fails to read.
  std::size_t read(std::span<std::uint8_t> target);
  /// All that is left. FileError if a regular file does not fit into the memory of this machine, and for more than
  /// `most` bytes of another one, which may have no end; advice stands in the message.
  std::string read_all(std::uint64_t most = std::uint64_t{1} << 30, const std::string& advice = {});

 private:
  void await_writer();
  [[noreturn]] void refuse(const std::string& found) const;
  [[noreturn]] void refuse_size(std::uint64_t bytes) const;

  std::string who_;
  std::string expected_;
  Descriptor file_;
  std::string first_;  // what was read while looking for a writer
};

}  // namespace xgrad::nn
