#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace xgrad {

/// Memory given out in order and taken back at once.
class Arena {
 public:
  Arena() = default;
  /// Begins in memory of somebody else's, aligned to 16 bytes.
  Arena(void* memory, std::size_t bytes) : next_(static_cast<char*>(memory)), left_(bytes) {}
  ~Arena() { clear(); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Aligned to 16 bytes.
  void* take(std::size_t bytes) {
    bytes = (bytes + 15) / 16 * 16;
    if (bytes > left_) grow(bytes);
    left_ -= bytes;
    return std::exchange(next_, next_ + bytes);
  }
  /// Elements that nobody destroys.
  template <class T>
  T* take_array(std::size_t count) {
    T* array = static_cast<T*>(take(count * sizeof(T)));
    for (std::size_t i = 0; i < count; ++i) new (array + i) T();
    return array;
  }
  void clear() noexcept;

 private:
  struct Block {
    Block* previous;
    std::size_t bytes;
  };
  void grow(std::size_t bytes);
  char* next_ = nullptr;
  std::size_t left_ = 0;
  Block* last_ = nullptr;
};

}  // namespace xgrad
