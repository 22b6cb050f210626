#pragma once

#include <nn/files/descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace xgrad::nn {

/// The bytes of a file, or of memory, from the beginning to the end: what readers of untrusted files read from. Its
/// size is known before anything is read, so that what a header claims can be held against it.
class InputFile {
 public:
  /// FileError for a file that is missing, cannot be read, or is not a regular one. reader, `read_npy`, stands in
  /// messages before the file's name.
  InputFile(const char* reader, const std::string& path);
  /// Bytes, which must outlive it; `name` stands for the file in messages.
  InputFile(const char* reader, std::string_view bytes, std::string name);

  std::uint64_t size() const { return size_; }
  /// Bytes that are still to be read.
  std::uint64_t left() const { return size_ - position_; }
  /// The next count bytes. FileError when there are fewer, or the system cannot read them.
  void read(void* target, std::size_t count);
  std::string read_text(std::size_t count);
  /// A number of the next bytes, in little endian.
  template <class Number>
  Number read_number() {
    Number number;
    read(&number, sizeof number);
    return number;
  }
  /// Goes to a place in it, at most its end.
  void seek(std::uint64_t position) { position_ = position; }

  /// FileError `reader: name: what`.
  [[noreturn]] void fail(const std::string& what) const;
  const std::string& name() const& { return name_; }
  std::string name() const&& { return name_; }

 private:
  const char* reader_;
  std::string name_;
  Descriptor file_;
  std::string_view bytes_;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;
};

}  // namespace xgrad::nn
