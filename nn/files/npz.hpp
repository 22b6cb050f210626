#pragma once

#include <nn/files/elements.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace xgrad::nn {

struct NpzReadOptions {
  /// What the arrays may take when they are inflated, all together: a file of a few bytes can claim anything.
  std::uint64_t max_bytes = std::uint64_t{16} << 30;
};

/// The arrays of NumPy's .npz format by name: a ZIP archive of .npy files, stored or deflated, as numpy.savez and
/// numpy.savez_compressed write them.
///
/// FileError with path and array for a file that is missing, is no ZIP archive or a damaged one (each array's CRC-32 is
/// checked), for an encrypted member, one that is no .npy file, two of one name, more than max_bytes, or more than
/// DEFLATE can pack into the file; for what read_npy refuses.
std::map<std::string, Tensor> read_npz(const std::string& path, const NpzReadOptions& options = {});
/// The same of its bytes; `file` stands in messages.
std::map<std::string, Tensor> parse_npz(std::string_view bytes, const std::string& file,
                                        const NpzReadOptions& options = {});
/// Names, dtypes and shapes.
std::vector<StoredTensor> list_npz(const std::string& path);

struct NpzWriteOptions {
  bool compress = false;
};

/// Writes arrays so that numpy.load reads them, by name in their order. The same arrays give the same bytes: no time of
/// day is noted. ValueError for a name that is empty or has a NUL or a slash in front, and for an array without value;
/// FileError when the system refuses.
void write_npz(const std::string& path, const std::map<std::string, Tensor>& arrays,
               const NpzWriteOptions& options = {});

}  // namespace xgrad::nn
