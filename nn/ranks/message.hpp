#pragma once

#include <autograd/tensor/tensor.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace xgrad::nn {

// What ranks of one build tell each other, as bytes.

/// Appends numbers, texts, tensors and lists of them.
class MessageWriter {
 public:
  template <class Number>
  requires(std::is_arithmetic_v<Number>) MessageWriter& operator<<(Number number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
    return *this;
  }
  MessageWriter& operator<<(std::string_view text);
  MessageWriter& operator<<(const Tensor& x);
  template <class T>
  MessageWriter& operator<<(const std::vector<T>& list) {
    *this << std::uint64_t{list.size()};
    for (const T& entry : list) *this << entry;
    return *this;
  }
  const std::string& bytes() const& { return bytes_; }
  std::string bytes() const&& { return bytes_; }

 private:
  std::string bytes_;
};

/// Takes them out again, in the same order; it refers to the bytes. RankError for bytes that end too early.
class MessageReader {
 public:
  explicit MessageReader(std::string_view bytes) : left_(bytes) {}

  template <class Number>
  requires(std::is_arithmetic_v<Number>) MessageReader& operator>>(Number& number) {
    take(sizeof number).copy(reinterpret_cast<char*>(&number), sizeof number);
    return *this;
  }
  MessageReader& operator>>(std::string& text);
  MessageReader& operator>>(Tensor& x);
  template <class T>
  MessageReader& operator>>(std::vector<T>& list) {
    list.clear();
    for (auto left = read<std::uint64_t>(); left > 0; --left) list.push_back(read<T>());
    return *this;
  }
  template <class T>
  T read() {
    T value{};
    *this >> value;
    return value;
  }

 private:
  std::string_view take(std::size_t count);

  std::string_view left_;
};

}  // namespace xgrad::nn
