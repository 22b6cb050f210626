#include <autograd/kernels/softmax.hpp>
#include <autograd/kernels/sum.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/indexing.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/ops/softmax.hpp>
#include <autograd/tape/custom.hpp>
#include <autograd/tensor/format.hpp>

#include <utility>

namespace xgrad {

namespace {

struct Rows {
  std::size_t count;
  std::size_t length;
  explicit Rows(const Tensor& x) : length(x.extent(-1)) { count = length == 0 ? 0 : x.size() / length; }
};

/// softmax or log_softmax over the last axis.
Tensor softmax_of_rows(const char* name, const Tensor& x, bool log) {
  const auto compute = [log](const Tensor& from) {
    const Rows rows(from);
    Tensor y = Tensor::uninitialized(from.shape(), from.dtype());
    visit_floating(from.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto kernel = log ? &kernels::log_softmax<T> : &kernels::softmax<T>;
      kernel(rows.count, rows.length, from.data<T>(), y.fresh_data<T>());
    });
    return y;
  };
  const auto description = [] { return OperationDescription{.known = true}; };  // along the last axis
  // dx = y·(g - Σ g·y) for softmax, g - e^y·Σ g for its logarithm.
  const auto back = [log](const Call& call) {
    const Tensor& y = call.output();
    const Tensor& g = call.cotangent();
    if (call.recording()) return log ? g - exp(y) * sum(g, {-1}, true) : y * (g - sum(g * y, {-1}, true));
    const Rows rows(y);
    Tensor dx = Tensor::uninitialized(y.shape(), y.dtype());
    visit_floating(y.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto kernel = log ? &kernels::log_softmax_vjp<T> : &kernels::softmax_vjp<T>;
      kernel(rows.count, rows.length, y.data<T>(), g.data<T>(), dx.fresh_data<T>());
    });
    return dx;
  };
  return custom_with({Which::none(), Which::all(), Contribution::exact, true,
                      log ? OperationKind::log_probabilities : OperationKind::probabilities},
                     name, described(compute, description), back, x);
}

Tensor softmax_along(const char* name, const Tensor& x, std::int64_t axis, bool log) {
  common_floating_dtype(name, x);
  const std::size_t position = normalize_axis(name, axis, x.rank());
  if (position + 1 == x.rank()) return softmax_of_rows(name, x, log);
  const auto along = static_cast<std::int64_t>(position);
  return transpose(softmax_of_rows(name, transpose(x, along, -1), log), along, -1);
}

bool are_labels(const Tensor& targets) { return targets.dtype() == int64; }

/// Cross-entropy of each row of logits with class indices or soft targets, or the mean over the rows.
class SoftmaxCrossEntropy final : public Operation {
 public:
  SoftmaxCrossEntropy(bool mean, std::string_view asking) : mean_(mean), asking_(asking) {}
  std::string_view name() const override { return mean_ ? "mean_softmax_cross_entropy" : "softmax_cross_entropy"; }
  OperationTraits traits() const override {
    return {Which::all(), Which::none(), Contribution::exact, true, OperationKind::log_probabilities};
  }

  Tensors forward(const Inputs& inputs) override {
    const Tensor& logits = inputs[0];
    const Tensor& targets = inputs[1];
    check_cross_entropy(asking_, logits, targets);
    const Rows rows(logits);
    Tensor loss = Tensor::uninitialized({logits.shape()[0]}, logits.dtype());
    normalizers_ = Tensor::uninitialized({logits.shape()[0], 2}, loss.dtype());
    visit_floating(logits.dtype(), [&](auto zero) {
      using T = decltype(zero);
      auto* const normalizers = static_cast<kernels::LogNormalizer<T>*>(normalizers_.untyped_fresh_data());
      const auto compute = [&](auto kernel, const auto* target) {
        kernel(rows.count, rows.length, logits.data<T>(), target, loss.fresh_data<T>(), normalizers);
      };
      are_labels(targets) ? compute(&kernels::cross_entropy<T>, targets.data<std::int64_t>())
                          : compute(&kernels::cross_entropy_soft<T>, targets.data<T>());
      if (!mean_) return;
      const Tensor losses = std::exchange(loss, Tensor::uninitialized({}, logits.dtype()));
      kernels::mean(1, rows.count, 1, losses.data<T>(), loss.fresh_data<T>());
    });
    return loss;
  }

  // dx = g·(softmax(x)·Σ t - t), dt = g·(log Σ e^x - x), with g/n in place of g for the mean
  Tensors vjp(const Call& call) const override {
    const Tensor& logits = call.input(0);
    const Tensor& targets = call.input(1);
    Tensors gradients(2);
    if (call.needs(0)) gradients[0] = call.recording() ? recorded(call, logits, targets) : fused(call, logits, targets);
    if (call.needs(1)) gradients[1] = cotangent_of_rows(call, logits) * neg(log_softmax(logits));
    return gradients;
  }

 private:
  /// (n, 1), or (1, 1) for all rows.
  Tensor cotangent_of_rows(const Call& call, const Tensor& logits) const {
    if (!mean_) return unsqueeze(call.cotangent(), 1);
    return reshape(call.cotangent() / static_cast<double>(logits.shape()[0]), {1, 1});
  }

  Tensor recorded(const Call& call, const Tensor& logits, const Tensor& targets) const {
    const Tensor g = cotangent_of_rows(call, logits);
    if (are_labels(targets)) return g * (softmax(logits) - one_hot(targets, logits.shape()[1], logits.dtype()));
    return g * (softmax(logits) * sum(targets, {1}, true) - targets);
  }

  Tensor fused(const Call& call, const Tensor& logits, const Tensor& targets) const {
    const Tensor& g = call.unbroadcast_cotangent();
    const std::size_t step = g.size() == 1 ? 0 : 1;
    const Rows rows(logits);
    Tensor dx = Tensor::uninitialized(logits.shape(), logits.dtype());
    visit_floating(logits.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto* const normalizers = static_cast<const kernels::LogNormalizer<T>*>(normalizers_.untyped_data());
      const T share = mean_ ? *g.data<T>() / static_cast<T>(rows.count) : T(0);
      const T* const cotangents = mean_ ? &share : g.data<T>();
      const auto compute = [&](auto kernel, const auto* target) {
        kernel(rows.count, rows.length, logits.data<T>(), target, normalizers, cotangents, step, dx.fresh_data<T>());
      };
      are_labels(targets) ? compute(&kernels::cross_entropy_vjp<T>, targets.data<std::int64_t>())
                          : compute(&kernels::cross_entropy_soft_vjp<T>, targets.data<T>());
    });
    return dx;
  }

  bool mean_;
  std::string_view asking_;
  Tensor normalizers_;  // (n, 2): a kernels::LogNormalizer for each row
};

}  // namespace

Tensor softmax(const Tensor& x, std::int64_t axis) { return softmax_along("softmax", x, axis, false); }
Tensor log_softmax(const Tensor& x, std::int64_t axis) { return softmax_along("log_softmax", x, axis, true); }

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& targets, std::string_view operation) {
  return apply_operation(SoftmaxCrossEntropy(false, operation), logits, targets);
}

Tensor mean_softmax_cross_entropy(const Tensor& logits, const Tensor& targets, std::string_view operation) {
  return apply_operation(SoftmaxCrossEntropy(true, operation), logits, targets);
}

void check_cross_entropy(std::string_view operation, const Tensor& logits, const Tensor& targets) {
  if (!targets.defined()) throw_undefined(operation, "the tensor of targets");
  are_labels(targets) ? common_floating_dtype(operation, logits) : common_floating_dtype(operation, logits, targets);
  const Shape& shape = logits.shape();
  const bool fits =
      shape.rank() == 2 && shape[1] > 0 && targets.shape() == (are_labels(targets) ? Shape{shape[0]} : shape);
  if (!fits)
    throw_as<ShapeError>(
        "{}: logits are {}, targets are {} {}; need logits (n, c) with c > 0 and targets int64 (n,) or floating (n, c)",
        operation, shape, targets.dtype(), targets.shape());
  if (are_labels(targets)) check_indices(operation, "label", targets, shape[1]);
}

}  // namespace xgrad
