#include <autograd/kernels/layout.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tensor/format.hpp>

namespace xgrad {

namespace {

constexpr OperationTraits moves_values{Which::none(), Which::none(), Contribution::unbroadcast, true,
                                       OperationKind::arrangement};

}  // namespace

Tensor Tensor::clone() const {
  const auto copy = [](const Tensor& x) { return kernels::copy(x); };
  const auto back = [](const Call& call) { return call.unbroadcast_cotangent(); };
  return custom_with(moves_values, "clone", copy, back, *this);
}

Tensor Tensor::to(DType wanted) const {
  if (wanted == dtype()) return clone();
  const auto cast = [wanted](const Tensor& x) {
    if (const std::size_t count = is_floating(wanted) ? 0 : kernels::count_nonfinite(x); count > 0)
      throw_as<ValueError>("to: {} of the values of shape {} are infinite or NaN; int64 has neither", count, x.shape());
    return kernels::cast(x, wanted);
  };
  const auto back = [from = dtype()](const Call& call) { return call.unbroadcast_cotangent().to(from); };
  return custom_with(moves_values, "to", cast, back, *this);
}

}  // namespace xgrad
