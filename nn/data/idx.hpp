#pragma once

#include <nn/data/data.hpp>

#include <string>

namespace xgrad::nn {

/// Reads an IDX file, plain or gzip: the format of the MNIST files (Y. LeCun, "The MNIST database"). All in big endian:
/// two zero bytes, a type, the rank, the extents (32 bits each), the values.
///
/// | type | 0x08 | 0x09 | 0x0B | 0x0C | 0x0D | 0x0E |
/// |---|---|---|---|---|---|---|
/// | values | uint8 | int8 | int16 | int32 | float32 | float64 |
/// | rows | bytes | int64 | int64 | int64 | float32 | float64 |
///
/// FileError with path, found and expected for a file that is missing, truncated, longer than its header says, or of
/// another magic number. No memory is taken for values that a header claims and the file does not have.
Rows read_idx(const std::string& path);

}  // namespace xgrad::nn
