#include <autograd/tensor/format.hpp>
#include <autograd/tensor/tensors.hpp>

#include <algorithm>
#include <new>

namespace xgrad {

void throw_position(std::size_t i, std::size_t size) {
  throw_as<ValueError>("tensors: position {} of {}; need one below", i, size);
}

Tensor* Tensors::make_many(std::size_t count) try {
  constexpr std::size_t most = (std::size_t{1} << 40) / sizeof(Tensor);  // for which no machine has memory
  if (count > most) throw std::bad_alloc();
  return new Tensor[count];
} catch (const std::bad_alloc&) {  // too many for an array, too
  throw MemoryError("tensors", fmt::format("no memory for {} handles", count));
}

Tensors::Tensors(std::initializer_list<Tensor> list) : Tensors(list.size()) {
  std::copy(list.begin(), list.end(), begin());
}

Tensors::Tensors(Tensors&& other) noexcept
    : few_(std::move(other.few_)), many_(std::exchange(other.many_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Tensors::Tensors(const Tensors& other) : Tensors(other.size_) { std::copy(other.begin(), other.end(), begin()); }

Tensors& Tensors::operator=(Tensors&& other) noexcept {
  std::swap(few_, other.few_);
  std::swap(many_, other.many_);
  std::swap(size_, other.size_);
  return *this;
}

DType common_floating_dtype(std::string_view operation, const Inputs& inputs) {
  if (!inputs[0].defined()) throw_undefined(operation, "input 0");
  const DType dtype = inputs[0].dtype();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) throw_undefined(operation, fmt::format("input {}", i));
    const DType other = inputs[i].dtype();
    if (!is_floating(other))
      throw_as<TypeError>("{}: input {} is int64; need float32 or float64, convert with to(...)", operation, i);
    if (other != dtype)
      throw_as<TypeError>(
          "{}: input 0 is {}, input {} is {}; dtypes do not mix, convert one with to(...) (a tensor captured by a "
          "function under a float64 check: pass it as an argument)",
          operation, dtype, i, other);
  }
  return dtype;
}

}  // namespace xgrad
