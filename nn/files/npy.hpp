#pragma once

#include <autograd/tensor/tensor.hpp>
#include <nn/files/elements.hpp>

#include <string>
#include <string_view>

namespace xgrad::nn {

/// An array of NumPy's .npy format (numpy.lib.format, versions 1.0, 2.0 and 3.0): in either byte order, row-major or
/// column-major ("Fortran"). float32, float64 and int64 come as they are, float16 as float32, booleans and the other
/// integers as int64.
///
/// FileError with path, found and expected for a file that is missing, truncated or longer than its header says; for
/// another magic string or version; a header that is no dictionary of exactly descr, fortran_order and shape; a dtype
/// that is structured, complex, text or object; a rank above 8; a shape that no memory holds; an unsigned number above
/// 2^63 - 1. No memory is taken for values that a header claims and the file does not have.
Tensor read_npy(const std::string& path);
/// The same of its bytes; `file` stands in messages.
Tensor parse_npy(std::string_view bytes, const std::string& file);
/// From where the file is now to its end.
Tensor read_npy(InputFile& file);

/// Dtype and shape; the values are not read.
StoredTensor list_npy(InputFile& file);

/// What numpy.save writes, to the byte: version 1.0, little endian, row-major. FileError when the system refuses.
void write_npy(const std::string& path, const Tensor& x);
/// What stands before the values.
std::string npy_header(const Tensor& x);

}  // namespace xgrad::nn
