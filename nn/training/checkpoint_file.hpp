#pragma once

#include <nn/files/safetensors.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace xgrad::nn {

// A checkpoint on the disk:
//
//     8 bytes  "xgradck\n"
//     4 bytes  version of the format, 1
//     4 bytes  CRC-32 of all that follows and of the version
//     8 bytes  length of what follows
//     a safetensors file
//
// Numbers are little endian. Any single burst of up to 32 bits that turned is found (ISO 3309's CRC, as zlib computes
// it), and so is a file that was cut.

/// Writes a checkpoint, whole or not at all. One that was there moves to path.1, that one to path.2, until `keep` are
/// there; at every moment one stands at the path. FileError when the system refuses: the one before stays.
void write_checkpoint(const std::string& path, const TensorFile& content, std::int64_t keep);

/// FileError for a file that is missing, is no checkpoint, of another version, or damaged in whatever way. The text
/// names the one before it, if there is one.
TensorFile read_checkpoint(const std::string& path);
/// The same of its bytes; `file` stands in messages.
TensorFile parse_checkpoint(std::string_view bytes, const std::string& file);

}  // namespace xgrad::nn
