#include <autograd/tensor/format.hpp>
#include <nn/training/digest.hpp>

#include <cstdint>
#include <span>

namespace xgrad::nn {

std::string digest(const std::vector<Tensor>& tensors) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const Tensor& tensor : tensors) {
    check_defined("digest", "a tensor", tensor);
    visit(tensor.dtype(), [&](auto zero) {
      for (const std::byte byte : std::as_bytes(tensor.values<decltype(zero)>()))
        hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3u;
    });
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace xgrad::nn
