#pragma once

#include <autograd/tensor/tensor.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace xgrad {

// Lists of tensors on the way into an operation and out of it, without memory of their own while they are short.

/// i; ValueError unless it is below the size of a list.
[[noreturn]] void throw_position(std::size_t i, std::size_t size);
inline std::size_t checked_position(std::size_t i, std::size_t size) {
  if (i >= size) [[unlikely]]
    throw_position(i, size);
  return i;
}

/// A few tensors by value, three of them in place.
class Tensors {
 public:
  Tensors() = default;
  Tensors(Tensor only) : size_(1) { few_[0] = std::move(only); }
  Tensors(std::initializer_list<Tensor> list);
  /// Empty handles, to be assigned.
  explicit Tensors(std::size_t count) : many_(count > in_place ? make_many(count) : nullptr), size_(count) {}
  Tensors(Tensors&& other) noexcept;
  Tensors& operator=(Tensors&& other) noexcept;
  Tensors(const Tensors& other);
  Tensors& operator=(const Tensors& other) { return *this = Tensors(other); }
  ~Tensors() {
    if (many_ != nullptr) [[unlikely]]
      delete[] many_;
  }

  std::size_t size() const { return size_; }
  // ValueError for a position that there is not.
  const Tensor& operator[](std::size_t i) const& { return begin()[checked_position(i, size_)]; }
  Tensor& operator[](std::size_t i) & { return begin()[checked_position(i, size_)]; }
  Tensor operator[](std::size_t i) && { return std::move((*this)[i]); }
  const Tensor* begin() const { return many_ != nullptr ? many_ : few_.data(); }
  const Tensor* end() const { return begin() + size_; }
  Tensor* begin() { return many_ != nullptr ? many_ : few_.data(); }
  Tensor* end() { return begin() + size_; }

 private:
  static Tensor* make_many(std::size_t count);

  static constexpr std::size_t in_place = 3;
  std::array<Tensor, in_place> few_;
  Tensor* many_ = nullptr;
  std::size_t size_ = 0;
};

/// The inputs of a call, by reference.
class Inputs {
 public:
  Inputs(const Tensor* const* tensors, std::size_t count) : tensors_(tensors), size_(count) {}
  std::size_t size() const { return size_; }
  /// ValueError for one that there is not.
  const Tensor& operator[](std::size_t i) const { return *tensors_[checked_position(i, size_)]; }
  Inputs first(std::size_t count) const { return {tensors_, count < size_ ? count : size_}; }

 private:
  const Tensor* const* tensors_;
  std::size_t size_;
};

/// float32 or float64 if all inputs agree on it; TypeError that names the operation and both dtypes otherwise.
DType common_floating_dtype(std::string_view operation, const Inputs& inputs);
template <std::convertible_to<const Tensor&>... In>
DType common_floating_dtype(std::string_view operation, const In&... inputs) {
  const Tensor* const list[] = {&inputs...};
  return common_floating_dtype(operation, Inputs(list, sizeof...(In)));
}

}  // namespace xgrad
