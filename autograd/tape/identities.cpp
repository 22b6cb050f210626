#include <autograd/kernels/layout.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/tape/broadcasting.hpp>
#include <autograd/tape/identities.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tape/recorder.hpp>

namespace xgrad {

namespace {

class Argument final : public Operation {
 public:
  std::string_view name() const override { return "argument"; }
  OperationTraits traits() const override {
    return {Which::none(), Which::none(), Contribution::exact, true, OperationKind::arrangement};
  }
  Tensors forward(const Inputs& inputs) override { return kernels::separate(inputs[0], inputs[0].shape()); }
  Tensors vjp(const Call& call) const override { return call.cotangent(); }
};

class ConstantGradient final : public Operation {
 public:
  std::string_view name() const override { return "constant_gradient"; }
  OperationTraits traits() const override { return {Which::none(), Which::none(), Contribution::exact, true}; }
  Tensors forward(const Inputs& inputs) override { return kernels::separate(inputs[0], inputs[0].shape()); }
  Tensors vjp(const Call&) const override { return Tensors(2); }
};

}  // namespace

Tensor argument(Recorder& recorder, const Tensor& x) {
  const Tensor* const list[] = {&x};
  const Inputs inputs(list, 1);
  Argument identity;
  Recorder::of_call(identity, inputs);
  Tensors outputs = identity.forward(inputs);
  recorder.record(new (recorder.place(sizeof(Argument))) Argument, inputs, {outputs.begin(), 1});
  return std::move(outputs[0]);
}

Tensor own_gradient(const Tensor& x, Tensor gradient, bool differentiable) {
  if (!differentiable && gradient.size() == 1 && gradient.shape() != x.shape())
    return kernels::gather(gradient, x.shape(), 0, repeated(x.rank(), 0));
  if (gradient.shape() != x.shape()) gradient = broadcast_to(gradient, x.shape());
  if (!differentiable) {
    if (!gradient.unique()) gradient = gradient.clone();
    return gradient;
  }
  return is_recorded(gradient) ? gradient : apply_operation(ConstantGradient(), gradient, x);
}

}  // namespace xgrad
