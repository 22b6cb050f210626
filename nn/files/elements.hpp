#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/files/input_file.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace xgrad::nn {

/// A type of numbers that files have. Tensors hold three of them; the others become the narrowest of these that holds
/// all their values: float16 and bfloat16 float32, booleans and integers int64.
enum class ElementKind : std::uint8_t {
  boolean,
  uint8,
  int8,
  uint16,
  int16,
  uint32,
  int32,
  uint64,
  int64,
  float16,
  bfloat16,
  float32,
  float64,
};

/// NumPy's name of it: `float16`.
std::string_view name_of(ElementKind kind);
/// In the file.
std::size_t element_size(ElementKind kind);
/// In a tensor.
DType dtype_in_tensor(ElementKind kind);

/// As which a tensor's numbers are written.
constexpr ElementKind kind_of(DType dtype) {
  return dtype == DType::float32   ? ElementKind::float32
         : dtype == DType::float64 ? ElementKind::float64
                                   : ElementKind::int64;
}

/// A tensor in a file, and how the file keeps it.
struct StoredTensor {
  std::string name;
  ElementKind kind;
  Shape shape;
  std::uint64_t bytes;  ///< of its values, as they are stored
};

/// The bytes that values of a shape take in a file. FileError for a rank above 8, or for extents whose product, zeros
/// left out, does not fit into 63 bits with the size of the elements. what: `tensor 'a'`.
std::uint64_t stored_bytes(const InputFile& file, const std::string& what, ElementKind kind, const Shape& shape);

enum class ByteOrder : bool { little, big };

/// The next values of a file as a tensor. FileError, before memory is taken, when the file has not so many bytes left;
/// for an unsigned 64-bit number above 2^63 - 1, and when there is no memory.
Tensor read_values(InputFile& file, const std::string& what, ElementKind kind, const Shape& shape,
                   ByteOrder order = ByteOrder::little);

/// The values of a tensor as they stand in memory: little endian, row-major.
std::string_view bytes_of(const Tensor& x);

}  // namespace xgrad::nn
