#include <autograd/kernels/layout.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tensor/format.hpp>

namespace xgrad {

namespace {

class Clone final : public Operation {
 public:
  std::string_view name() const override { return "clone"; }
  OperationTraits traits() const override {
    return {Which::none(), Which::none(), Contribution::unbroadcast, true, OperationKind::arrangement};
  }
  Tensors forward(const Inputs& inputs) override { return kernels::copy(inputs[0]); }
  Tensors vjp(const Call& call) const override { return call.unbroadcast_cotangent(); }
};

class Convert final : public Operation {
 public:
  Convert(DType from, DType to) : from_(from), to_(to) {}
  std::string_view name() const override { return "to"; }
  OperationTraits traits() const override {
    return {Which::none(), Which::none(), Contribution::unbroadcast, true, OperationKind::arrangement};
  }
  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    if (!is_floating(to_) && kernels::count_nonfinite(x) > 0)
      throw_as<ValueError>("to: {} of the values of shape {} are infinite or NaN; int64 has neither",
                           kernels::count_nonfinite(x), x.shape());
    return kernels::cast(x, to_);
  }
  Tensors vjp(const Call& call) const override {
    if (!is_floating(to_)) return Tensors(1);
    return call.unbroadcast_cotangent().to(from_);
  }

 private:
  DType from_;
  DType to_;
};

}  // namespace

Tensor Tensor::clone() const { return apply_operation(Clone(), *this); }

Tensor Tensor::to(DType wanted) const {
  return wanted == dtype() ? clone() : apply_operation(Convert(dtype(), wanted), *this);
}

}  // namespace xgrad
