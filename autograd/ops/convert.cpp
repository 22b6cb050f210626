#include <autograd/kernels/layout.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/tape/custom.hpp>
#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/format.hpp>

namespace xgrad {

namespace {

constexpr OperationTraits copies_values{Which::none(), Which::none(), Contribution::unbroadcast, true,
                                        OperationKind::arrangement};

/// ValueError unless int64 has all of them, less their fractions.
void check_has_integers(const Tensor& x) {
  visit_floating(x.dtype(), [&](auto zero) {
    for (const auto value : x.values<decltype(zero)>()) number_as<std::int64_t>(static_cast<double>(value), "to");
  });
}

}  // namespace

Tensor Tensor::clone() const {
  const auto copy = [](const Tensor& x) { return kernels::copy(x); };
  const auto back = [](const Call& call) { return call.unbroadcast_cotangent(); };
  check_defined("clone", "the tensor", *this);
  return custom_with(copies_values, "clone", copy, back, *this);
}

Tensor Tensor::to(DType wanted) const {
  check_defined("to", "the tensor", *this);
  if (wanted == dtype()) return clone();
  const auto cast = [wanted](const Tensor& x) {
    if (!is_floating(wanted)) check_has_integers(x);
    return kernels::cast(x, wanted);
  };
  const auto back = [from = dtype()](const Call& call) { return call.unbroadcast_cotangent().to(from); };
  return custom_with(copies_values, "to", cast, back, *this);
}

}  // namespace xgrad
