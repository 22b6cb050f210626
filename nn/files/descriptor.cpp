#include <nn/files/descriptor.hpp>

#include <unistd.h>

namespace xgrad::nn {

int Descriptor::close() { return number_ >= 0 ? ::close(std::exchange(number_, -1)) : 0; }

}  // namespace xgrad::nn
