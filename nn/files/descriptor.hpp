#pragma once

#include <utility>

namespace xgrad::nn {

/// An open file of the system, closed with its scope; -1 for none. It never takes the place of a standard stream that
/// is closed, to which others may write.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number);
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }

  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  /// What close(2) returns; 0 if there is nothing to close.
  int close();

 private:
  int number_ = -1;
};

}  // namespace xgrad::nn
