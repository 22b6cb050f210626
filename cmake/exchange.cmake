# What needs protobuf: ONNX by Debian's messages of it, TensorBoard's events by our own.
find_package(Protobuf REQUIRED)
find_path(ONNX_INCLUDE_DIR onnx/onnx_pb.h REQUIRED)
find_library(ONNX_PROTO_LIBRARY onnx_proto REQUIRED)

file(GLOB exchange_sources CONFIGURE_DEPENDS nn/exchange/*.cpp)
protobuf_generate_cpp(event_sources event_headers nn/exchange/event.proto)
set_source_files_properties(${event_sources} PROPERTIES COMPILE_OPTIONS -w)

xgrad_library(exchange ${exchange_sources} ${event_sources})
target_include_directories(xgrad_exchange SYSTEM PRIVATE ${CMAKE_CURRENT_BINARY_DIR} ${ONNX_INCLUDE_DIR})
target_link_libraries(xgrad_exchange
  PUBLIC xgrad_nn PRIVATE fmt::fmt ZLIB::ZLIB protobuf::libprotobuf ${ONNX_PROTO_LIBRARY})
