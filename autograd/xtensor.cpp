#include <autograd/tensor/format.hpp>
#include <autograd/tensor/tensor.hpp>
#include <autograd/xtensor.hpp>

#include <ostream>
#include <string>
#include <type_traits>

// g++ 12 sees an overlapping copy in std::string's operator+ inside this header (GCC bug 105651).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wrestrict"
#endif
#include <xtensor/xio.hpp>
#include <xtensor/xvectorize.hpp>

namespace xgrad {

std::ostream& operator<<(std::ostream& stream, const Tensor& x) {
  if (!x.defined()) return stream << "empty tensor";
  visit(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    // As texts: xtensor prints numbers with the global locale's decimal point.
    const auto number = [](const T& value) -> std::string {
      if constexpr (std::is_floating_point_v<T>)
        return fmt::format("{:.6g}", value);
      else
        return fmt::format("{}", value);
    };
    if (x.rank() == 0)
      stream << number(x.data<T>()[0]);
    else
      stream << xt::vectorize(number)(as_xtensor<T>(x));
  });
  return stream << ' ' << x.dtype() << ' ' << x.shape();
}

std::ostream& operator<<(std::ostream& stream, const Extents& extents) { return stream << to_string(extents); }

std::ostream& operator<<(std::ostream& stream, DType dtype) { return stream << name_of(dtype); }

}  // namespace xgrad
