// Readers of files under libFuzzer: XGRAD_FUZZ names one of them. They throw an xgrad::Error or read on; anything else,
// and what AddressSanitizer and UndefinedBehaviorSanitizer see, is a fault.
//
//     XGRAD_FUZZ=npy build/asan-ubsan/xgrad_fuzz tests/fuzz/corpus/npy -max_total_time=10

#include <autograd/tensor/error.hpp>
#include <nn/data/csv.hpp>
#include <nn/data/idx.hpp>
#include <nn/files/npy.hpp>
#include <nn/files/npz.hpp>
#include <nn/files/safetensors.hpp>
#include <nn/saving/model_file.hpp>
#include <nn/training/checkpoint_file.hpp>
#ifdef XGRAD_EXCHANGE
#include <nn/exchange/onnx.hpp>
#endif

#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <string>

using namespace xgrad;

namespace {

using Reader = void (*)(const std::string& bytes);

/// As it is, and with a checksum that is right, so that what is behind it is reached.
void read_checkpoint(const std::string& bytes) {
  constexpr std::size_t head = 24;
  if (bytes.size() >= head) {
    std::string right = bytes;
    const std::uint64_t length = bytes.size() - head;
    std::memcpy(&right[16], &length, sizeof length);
    const auto* const text = reinterpret_cast<const Bytef*>(right.data());
    uLong crc = crc32_z(crc32_z(0, nullptr, 0), text + 8, 4);
    crc = crc32_z(crc, text + 16, bytes.size() - 16);
    const auto checksum = static_cast<std::uint32_t>(crc);
    std::memcpy(&right[12], &checksum, sizeof checksum);
    try {
      nn::parse_checkpoint(right, "x");
    } catch (const Error&) {
    }
  }
  nn::parse_checkpoint(bytes, "x");
}

void read_model(const std::string& bytes) {
  const nn::TensorFile content = nn::parse_safetensors(bytes, "x");
  nn::preparation_of(content.metadata, "x");
  const nn::GraphModel model(nn::saved_graph(content, "x"));
}

void read_idx(const std::string& bytes) {
  const int file = memfd_create("x", 0);
  if (write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) {
    try {
      nn::read_idx("/proc/self/fd/" + std::to_string(file));
    } catch (...) {
      close(file);
      throw;
    }
  }
  close(file);
}

void read_csv(const std::string& bytes) {
  const nn::CsvTable table = nn::parse_csv(bytes, "x", {.header = nn::CsvHeader::detect});
  for (const std::string& column : table.columns()) table.text(column);
  table.numbers(table.columns());
}

const std::map<std::string, Reader> readers = {
    {"safetensors", [](const std::string& bytes) { nn::parse_safetensors(bytes, "x"); }},
    {"npy", [](const std::string& bytes) { nn::parse_npy(bytes, "x"); }},
    {"npz", [](const std::string& bytes) { nn::parse_npz(bytes, "x", {.max_bytes = 1 << 24}); }},
    {"checkpoint", read_checkpoint},
    {"model", read_model},
    {"idx", read_idx},
    {"csv", read_csv},
#ifdef XGRAD_EXCHANGE
    {"onnx", [](const std::string& bytes) { nn::parse_onnx(bytes, "x"); }},
#endif
};

Reader chosen() {
  const char* const name = std::getenv("XGRAD_FUZZ");
  const auto found = readers.find(name == nullptr ? "" : name);
  if (found != readers.end()) return found->second;
  std::cerr << "XGRAD_FUZZ names no reader; known:";
  for (const auto& [known, reader] : readers) std::cerr << ' ' << known;
  std::cerr << std::endl;
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Reader read = chosen();
  try {
    read(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const Error&) {
  }
  return 0;
}
