#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/files/elements.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad::nn {

// safetensors, the format of Hugging Face (github.com/huggingface/safetensors, "Format"): a length (64 bits, little
// endian), a header of so many bytes, the values.
//
//     {"__metadata__": {"key": "text"}, "hidden.weight": {"dtype": "F32", "shape": [784, 256], "data_offsets": [0,
//     802816]}}
//
// Offsets count from the end of the header; together they cover the rest of the file without hole or overlap.

/// Tensors by name, and texts by key: all that a safetensors file holds.
struct TensorFile {
  std::map<std::string, Tensor> tensors = {};
  std::map<std::string, std::string> metadata = {};
};

/// A file, whose tensors have the dtypes F64, F32 and I64; F16 and BF16 are read as float32, BOOL and the other
/// integers (I8 to I32, U8 to U64) as int64. Memory: that of the header and the tensors.
///
/// FileError with path, found and expected for a file that is missing or breaks the format: one that is shorter than
/// its length says; a header above 100,000,000 bytes, that does not begin with {, is no JSON or no UTF-8, has a key
/// twice, more than 1,000,000 keys, or anything else than the members above; an unknown dtype; a rank above 8; a shape
/// whose size overflows or is not that of its bytes; offsets that are no pair, leave a hole, overlap, or end before or
/// behind the file; an unsigned number above 2^63 - 1.
TensorFile read_safetensors(const std::string& path);
/// The same of its bytes; `file` stands in messages.
TensorFile parse_safetensors(std::string_view bytes, const std::string& file);
/// From where the file is now to its end.
TensorFile read_safetensors(InputFile& file);

/// What is in it, in the order of its values, and its metadata; the values are not read.
struct SafetensorsListing {
  std::vector<StoredTensor> tensors;
  std::map<std::string, std::string> metadata;
};
SafetensorsListing list_safetensors(const std::string& path);

/// How F32 calls itself; "" for a kind that the format has no name for.
std::string_view safetensors_name(ElementKind kind);

/// Writes a file as the format's own library does: values of 8 bytes first, then by name, each so aligned; the header
/// padded with spaces to a multiple of 8 bytes. The same content gives the same bytes.
///
/// ValueError for a tensor without value or called `__metadata__`, for text that is not UTF-8, and for a header above
/// 100,000,000 bytes; FileError when the system refuses.
void write_safetensors(const std::string& path, const TensorFile& content);
/// The same bytes, in pieces, one after another.
void write_safetensors(const TensorFile& content, const std::function<void(std::string_view)>& write);

}  // namespace xgrad::nn
