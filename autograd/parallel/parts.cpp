#include <autograd/parallel/parts.hpp>
#include <autograd/tensor/dtype.hpp>
#include <autograd/tensor/scopes.hpp>

#include <optional>
#include <string_view>

namespace xgrad {

void parallel_parts(std::size_t count, kernels::BlockFunction part) {
  const DType dtype = default_dtype();
  const std::string_view path = PathScope::current();
  const bool enough_parts = count >= kernels::thread_count();
  kernels::parallel_blocks(count, [&](std::size_t i) {
    const DefaultDType dtype_of_caller(dtype);
    const PathScope path_of_caller(path);
    std::optional<kernels::SerialScope> serial;
    if (enough_parts) serial.emplace();
    part(i);
  });
}

}  // namespace xgrad
