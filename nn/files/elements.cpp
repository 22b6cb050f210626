#include <autograd/tensor/format.hpp>
#include <nn/files/elements.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>

namespace xgrad::nn {

namespace {

/// IEEE 754 binary16: sign, 5 bits of exponent with bias 15, 10 of fraction.
struct Half {
  std::uint16_t bits;
  explicit operator float() const {
    const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1Fu, fraction = bits & 0x3FFu;
    if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
    if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
};

/// The upper half of a float32.
struct BrainFloat {
  std::uint16_t bits;
  explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

struct Boolean {
  std::uint8_t byte;
  explicit operator std::int64_t() const { return byte != 0 ? 1 : 0; }
};

/// What a tensor holds it as.
template <class Stored>
using InTensor = std::conditional_t<std::is_same_v<Stored, double>, double,
                                    std::conditional_t<std::is_same_v<Stored, float> || std::is_same_v<Stored, Half> ||
                                                           std::is_same_v<Stored, BrainFloat>,
                                                       float, std::int64_t>>;

template <class F>
decltype(auto) visit_kind(ElementKind kind, F&& f) {
  switch (kind) {
    case ElementKind::boolean:
      return f(Boolean{});
    case ElementKind::uint8:
      return f(std::uint8_t{});
    case ElementKind::int8:
      return f(std::int8_t{});
    case ElementKind::uint16:
      return f(std::uint16_t{});
    case ElementKind::int16:
      return f(std::int16_t{});
    case ElementKind::uint32:
      return f(std::uint32_t{});
    case ElementKind::int32:
      return f(std::int32_t{});
    case ElementKind::uint64:
      return f(std::uint64_t{});
    case ElementKind::int64:
      return f(std::int64_t{});
    case ElementKind::float16:
      return f(Half{});
    case ElementKind::bfloat16:
      return f(BrainFloat{});
    case ElementKind::float32:
      return f(float{});
    case ElementKind::float64:
      break;
  }
  return f(double{});
}

template <class Stored>
Stored number_of(const char* bytes, ByteOrder order) {
  std::array<char, sizeof(Stored)> copy;
  std::copy_n(bytes, copy.size(), copy.begin());
  if (order == ByteOrder::big) std::reverse(copy.begin(), copy.end());
  return std::bit_cast<Stored>(copy);
}

/// Values of another type than the tensor's, piece by piece.
template <class Stored, class T>
void read_converted(InputFile& file, const std::string& what, ByteOrder order, std::span<T> values) {
  constexpr std::size_t piece = 4096;
  std::array<char, piece * sizeof(Stored)> buffer;
  for (std::size_t done = 0; done < values.size();) {
    const std::size_t count = std::min(piece, values.size() - done);
    file.read(buffer.data(), count * sizeof(Stored));
    for (std::size_t i = 0; i < count; ++i) {
      const auto number = number_of<Stored>(&buffer[i * sizeof(Stored)], order);
      if constexpr (std::is_same_v<Stored, std::uint64_t>)
        if (number > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
          file.fail(fmt::format("{} has the number {}; need at most 2^63 - 1, as int64 holds", what, number));
      values[done + i] = static_cast<T>(number);
    }
    done += count;
  }
}

}  // namespace

std::string_view name_of(ElementKind kind) {
  constexpr std::array<std::string_view, 13> names = {"bool",     "uint8",   "int8",   "uint16", "int16",
                                                      "uint32",   "int32",   "uint64", "int64",  "float16",
                                                      "bfloat16", "float32", "float64"};
  return names[static_cast<std::size_t>(kind)];
}

std::size_t element_size(ElementKind kind) {
  return visit_kind(kind, [](auto zero) { return sizeof zero; });
}

DType dtype_in_tensor(ElementKind kind) {
  return visit_kind(kind, [](auto zero) { return xgrad::dtype_of<InTensor<decltype(zero)>>; });
}

std::uint64_t stored_bytes(const InputFile& file, const std::string& what, ElementKind kind, const Shape& shape) {
  std::uint64_t product = element_size(kind);
  bool empty = false;
  for (const std::int64_t extent : shape) {
    empty = empty || extent == 0;
    if (extent == 0) continue;
    if (product > std::uint64_t{std::numeric_limits<std::int64_t>::max()} / static_cast<std::uint64_t>(extent))
      file.fail(fmt::format("{} claims the shape {}, more than any memory holds", what, shape));
    product *= static_cast<std::uint64_t>(extent);
  }
  return empty ? 0 : product;
}

Tensor read_values(InputFile& file, const std::string& what, ElementKind kind, const Shape& shape, ByteOrder order) {
  const std::uint64_t bytes = stored_bytes(file, what, kind, shape);
  if (bytes > file.left())
    file.fail(fmt::format("{} of shape {} takes {} bytes, {} are left; the file is truncated", what, shape, bytes,
                          file.left()));
  Tensor result;
  try {
    result = Tensor::uninitialized(shape, dtype_in_tensor(kind));
  } catch (const ValueError&) {
    file.fail(fmt::format("no memory for {} of shape {}", what, shape));
  }
  visit_kind(kind, [&](auto stored) {
    using Stored = decltype(stored);
    using T = InTensor<Stored>;
    if constexpr (std::is_same_v<Stored, T>)
      if (order == ByteOrder::little) return file.read(result.fresh_data<T>(), result.bytes());
    read_converted<Stored>(file, what, order, std::span<T>(result.fresh_data<T>(), result.size()));
  });
  return result;
}

std::string_view bytes_of(const Tensor& x) {
  check_defined("bytes_of", "x", x);
  return {static_cast<const char*>(x.untyped_data()), x.bytes()};
}

}  // namespace xgrad::nn
