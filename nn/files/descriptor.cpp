#include <nn/files/descriptor.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace xgrad::nn {

Descriptor::Descriptor(int number) : number_(number) {
  if (number < 0 || number > STDERR_FILENO) return;
  number_ = ::fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  ::close(number);
}

int Descriptor::close() { return number_ >= 0 ? ::close(std::exchange(number_, -1)) : 0; }

}  // namespace xgrad::nn
