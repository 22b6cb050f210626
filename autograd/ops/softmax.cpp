#include <autograd/kernels/reduce.hpp>
#include <autograd/kernels/softmax.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tensor/error.hpp>

#include <string>
#include <utility>

namespace xgrad {

namespace {

struct Rows {
  std::size_t count;
  std::size_t length;
  explicit Rows(const Tensor& x) : length(static_cast<std::size_t>(x.shape().back())) {
    count = length == 0 ? 0 : x.size() / length;
  }
};

/// softmax or log_softmax over the last axis.
class Softmax final : public Operation {
 public:
  explicit Softmax(bool log) : log_(log) {}
  std::string_view name() const override { return log_ ? "log_softmax" : "softmax"; }
  OperationTraits traits() const override {
    return {Which::none(), Which::all(), Contribution::exact, true,
            log_ ? OperationKind::log_probabilities : OperationKind::probabilities};
  }

  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    const Rows rows(x);
    Tensor y = Tensor::uninitialized(x.shape(), x.dtype());
    visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* const out = static_cast<T*>(y.mutable_data());
      log_ ? kernels::log_softmax<T>(rows.count, rows.length, x.data<T>(), out)
           : kernels::softmax<T>(rows.count, rows.length, x.data<T>(), out);
    });
    return y;
  }

  // dx = y·(g - Σ g·y) for softmax, g - e^y·Σ g for its logarithm.
  Tensors vjp(const Call& call) const override {
    const Tensor& y = call.output();
    const Tensor& g = call.cotangent();
    if (call.recording()) return log_ ? g - exp(y) * sum(g, {-1}, true) : y * (g - sum(g * y, {-1}, true));
    const Rows rows(y);
    Tensor dx = Tensor::uninitialized(y.shape(), y.dtype());
    visit_floating(y.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* const out = static_cast<T*>(dx.mutable_data());
      log_ ? kernels::log_softmax_vjp<T>(rows.count, rows.length, y.data<T>(), g.data<T>(), out)
           : kernels::softmax_vjp<T>(rows.count, rows.length, y.data<T>(), g.data<T>(), out);
    });
    return dx;
  }

 private:
  bool log_;
};

Tensor softmax_along(const Tensor& x, std::int64_t axis, bool log) {
  const char* const name = log ? "log_softmax" : "softmax";
  const Tensor* const inputs[] = {&x};
  common_floating_dtype(name, Inputs(inputs, 1));
  const std::size_t position = normalize_axis(name, axis, x.rank());
  if (position + 1 == x.rank()) return apply_operation(Softmax(log), x);
  const auto along = static_cast<std::int64_t>(position);
  return transpose(apply_operation(Softmax(log), transpose(x, along, -1)), along, -1);
}

/// Cross-entropy of each row of logits with class indices or soft targets, or the mean over the rows.
class SoftmaxCrossEntropy final : public Operation {
 public:
  explicit SoftmaxCrossEntropy(bool mean) : mean_(mean) {}
  std::string_view name() const override { return mean_ ? "mean_softmax_cross_entropy" : "softmax_cross_entropy"; }
  OperationTraits traits() const override {
    return {Which::all(), Which::none(), Contribution::exact, true, OperationKind::log_probabilities};
  }

  Tensors forward(const Inputs& inputs) override {
    const Tensor& logits = inputs[0];
    const Tensor& targets = inputs[1];
    common_floating_dtype(name(), indexed(targets) ? inputs.first(1) : inputs);
    check_shapes(logits, targets);
    const Rows rows(logits);
    if (indexed(targets)) check_labels(targets, logits.shape()[1]);
    Tensor loss = Tensor::uninitialized({logits.shape()[0]}, logits.dtype());
    normalizers_ = Tensor::uninitialized({logits.shape()[0], 2}, loss.dtype());
    visit_floating(logits.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* const out = static_cast<T*>(loss.mutable_data());
      auto* const normalizers = static_cast<kernels::LogNormalizer<T>*>(normalizers_.mutable_data());
      indexed(targets) ? kernels::cross_entropy<T>(rows.count, rows.length, logits.data<T>(),
                                                   targets.data<std::int64_t>(), out, normalizers)
                       : kernels::cross_entropy_soft<T>(rows.count, rows.length, logits.data<T>(), targets.data<T>(),
                                                        out, normalizers);
      if (!mean_) return;
      const Tensor losses = std::exchange(loss, Tensor::uninitialized({}, logits.dtype()));
      kernels::sum<T>(1, rows.count, 1, losses.data<T>(), static_cast<T*>(loss.mutable_data()));
      *static_cast<T*>(loss.mutable_data()) /= static_cast<T>(rows.count);
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
  static bool indexed(const Tensor& targets) { return targets.dtype() == DType::int64; }

  void check_shapes(const Tensor& logits, const Tensor& targets) const {
    const bool fits =
        logits.rank() == 2 && logits.shape()[1] > 0 &&
        (indexed(targets) ? targets.shape() == Shape{logits.shape()[0]} : targets.shape() == logits.shape());
    if (!fits)
      throw ShapeError(std::string(name()) + ": logits are " + to_string(logits.shape()) + ", targets are " +
                       std::string(name_of(targets.dtype())) + " " + to_string(targets.shape()) +
                       "; need logits (n, c) with c > 0 and targets int64 (n,) or floating (n, c)");
  }

  void check_labels(const Tensor& labels, std::int64_t classes) const {
    const auto values = labels.values<std::int64_t>();
    for (std::size_t row = 0; row < values.size(); ++row)
      if (values[row] < 0 || values[row] >= classes)
        throw ValueError(std::string(name()) + ": the label of row " + std::to_string(row) + " is " +
                         std::to_string(values[row]) + "; need 0 <= label < " + std::to_string(classes));
  }

  /// (n, 1), or (1, 1) for all rows.
  Tensor cotangent_of_rows(const Call& call, const Tensor& logits) const {
    if (!mean_) return unsqueeze(call.cotangent(), 1);
    return reshape(call.cotangent() / static_cast<double>(logits.shape()[0]), {1, 1});
  }

  Tensor recorded(const Call& call, const Tensor& logits, const Tensor& targets) const {
    const Tensor g = cotangent_of_rows(call, logits);
    if (indexed(targets)) return g * (softmax(logits) - one_hot(targets, logits.shape()[1], logits.dtype()));
    return g * (softmax(logits) * sum(targets, {1}, true) - targets);
  }

  Tensor fused(const Call& call, const Tensor& logits, const Tensor& targets) const {
    const Tensor& g = call.unbroadcast_cotangent();
    const std::size_t step = g.size() == 1 ? 0 : 1;
    const Rows rows(logits);
    Tensor dx = Tensor::uninitialized(logits.shape(), logits.dtype());
    visit_floating(logits.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* const out = static_cast<T*>(dx.mutable_data());
      const auto* const normalizers = static_cast<const kernels::LogNormalizer<T>*>(normalizers_.mutable_data());
      const T share = mean_ ? *g.data<T>() / static_cast<T>(rows.count) : T(0);
      const T* const cotangents = mean_ ? &share : g.data<T>();
      indexed(targets) ? kernels::cross_entropy_vjp<T>(rows.count, rows.length, logits.data<T>(),
                                                       targets.data<std::int64_t>(), normalizers, cotangents, step, out)
                       : kernels::cross_entropy_soft_vjp<T>(rows.count, rows.length, logits.data<T>(),
                                                            targets.data<T>(), normalizers, cotangents, step, out);
    });
    return dx;
  }

  bool mean_;
  Tensor normalizers_;  // (n, 2): a kernels::LogNormalizer for each row
};

}  // namespace

Tensor softmax(const Tensor& x, std::int64_t axis) { return softmax_along(x, axis, false); }
Tensor log_softmax(const Tensor& x, std::int64_t axis) { return softmax_along(x, axis, true); }

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& targets) {
  return apply_operation(SoftmaxCrossEntropy(false), logits, targets);
}

Tensor mean_softmax_cross_entropy(const Tensor& logits, const Tensor& targets) {
  return apply_operation(SoftmaxCrossEntropy(true), logits, targets);
}

}  // namespace xgrad
