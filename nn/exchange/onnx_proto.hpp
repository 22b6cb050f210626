#pragma once

// ONNX's messages, of Debian's libonnx-dev: for the sources of this room.

#define ONNX_NAMESPACE onnx
#define ONNX_ML 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <onnx/onnx_pb.h>
#pragma GCC diagnostic pop

namespace xgrad::nn {

/// The metadata that names initializers which are not learned, one a line.
inline constexpr const char* onnx_buffers_key = "xgrad.buffers";

}  // namespace xgrad::nn
