#include <autograd/tensor/tensor.hpp>
#include <autograd/xtensor.hpp>

#include <ostream>

// g++ 12 sees an overlapping copy in std::string's operator+ inside this header (GCC bug 105651).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wrestrict"
#endif
#include <xtensor/xio.hpp>

namespace xgrad {

std::ostream& operator<<(std::ostream& stream, const Tensor& x) {
  if (!x.defined()) return stream << "empty tensor";
  visit(x.dtype(), [&](auto zero) {
    if (x.rank() == 0)
      stream << x.data<decltype(zero)>()[0];
    else
      stream << as_xtensor<decltype(zero)>(x);
  });
  return stream << ' ' << name_of(x.dtype()) << ' ' << to_string(x.shape());
}

}  // namespace xgrad
