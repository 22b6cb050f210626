#include <autograd/kernels/gemm/blas.hpp>
#include <autograd/kernels/gemm/gemm.hpp>
#include <autograd/kernels/sum.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/linear_algebra.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/tape/broadcasting.hpp>
#include <autograd/tape/operation.hpp>
#include <autograd/tape/tape.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/tensor/memory.hpp>

#include <vector>

namespace xgrad {

namespace {

using kernels::Transpose;

Transpose flag(bool transposed) { return transposed ? Transpose::yes : Transpose::no; }

using Offsets = std::vector<std::size_t, CachedAllocator<std::size_t>>;

/// Where each matrix of the broadcast batch starts in x, in elements.
Offsets batch_offsets(const Shape& own, const Shape& batch, std::size_t matrix) {
  Offsets offsets(batch.elements());
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    std::size_t rest = i;
    std::size_t stride = matrix;
    for (std::size_t a = 1; a <= batch.rank(); ++a) {
      const std::size_t extent = batch.extent(batch.rank() - a);
      const std::size_t own_extent = a <= own.rank() ? own.extent(own.rank() - a) : 1;
      if (own_extent != 1) offsets[i] += rest % extent * stride;
      rest /= extent;
      stride *= own_extent;
    }
  }
  return offsets;
}

Shape batch_shape(const Shape& shape) { return Shape(std::span(shape.begin(), shape.rank() - 2)); }

class Matmul final : public Operation {
 public:
  Matmul(bool transpose_x, bool transpose_y) : transpose_x_(transpose_x), transpose_y_(transpose_y) {}
  std::string_view name() const override { return "matmul"; }
  OperationTraits traits() const override {
    return {Which::all(), Which::none(), Contribution::exact, true, OperationKind::matrix_product};
  }
  OperationDescription describe() const override {
    return {.attributes = {{"transpose", {transpose_x_ ? 1 : 0, transpose_y_ ? 1 : 0}}}, .known = true};
  }

  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    const Tensor& y = inputs[1];
    const DType dtype = common_floating_dtype(name(), inputs);
    if (x.rank() < 2 || y.rank() < 2 || inner(x, transpose_x_, 1) != inner(y, transpose_y_, 0)) throw_shapes(x, y);
    const std::size_t m = inner(x, transpose_x_, 0);
    const std::size_t k = inner(x, transpose_x_, 1);
    const std::size_t n = inner(y, transpose_y_, 1);
    const Shape batch = broadcast(name(), batch_shape(x.shape()), batch_shape(y.shape()));
    Shape shape = batch;
    shape.push_back(static_cast<std::int64_t>(m));
    shape.push_back(static_cast<std::int64_t>(n));
    Tensor result = Tensor::uninitialized(shape, dtype);
    if (result.size() == 0) return result;
    visit_floating(dtype, [&](auto zero) {
      using T = decltype(zero);
      T* const out = result.fresh_data<T>();
      if (batch.elements() == 1)
        return kernels::gemm(flag(transpose_x_), flag(transpose_y_), m, n, k, x.data<T>(), y.data<T>(), out);
      const auto x_offsets = batch_offsets(batch_shape(x.shape()), batch, m * k);
      const auto y_offsets = batch_offsets(batch_shape(y.shape()), batch, k * n);
      kernels::batched_gemm(flag(transpose_x_), flag(transpose_y_), batch.elements(), m, n, k, x.data<T>(),
                            x_offsets.data(), y.data<T>(), y_offsets.data(), out);
    });
    return result;
  }

  // With C = X Y: dX = G Yᵀ and dY = Xᵀ G; where a factor enters transposed, its gradient is the transpose of that.
  Tensors vjp(const Call& call) const override {
    const Tensor& g = call.cotangent();
    const Tensor& x = call.input(0);
    const Tensor& y = call.input(1);
    Tensors gradients(2);
    if (call.needs(0))
      gradients[0] = back(transpose_x_ ? matmul(y, g, transpose_y_, true) : matmul(g, y, false, !transpose_y_), x);
    if (call.needs(1))
      gradients[1] = back(transpose_y_ ? matmul(g, x, true, transpose_x_) : matmul(x, g, !transpose_x_, false), y);
    return gradients;
  }

 private:
  static std::size_t inner(const Tensor& x, bool transposed, std::int64_t which) {
    return x.extent(transposed ? -1 - which : which - 2);
  }
  static Tensor back(const Tensor& gradient, const Tensor& x) {
    return gradient.shape() == x.shape() ? gradient : sum_back(gradient, gradient.shape(), x.shape());
  }
  [[noreturn]] void throw_shapes(const Tensor& x, const Tensor& y) const {
    throw_as<ShapeError>("matmul: a is {}{}, b is {}{}; need two matrices with a.shape[-1] == b.shape[-2]", x.shape(),
                         transpose_x_ ? " transposed" : "", y.shape(), transpose_y_ ? " transposed" : "");
  }

  bool transpose_x_;
  bool transpose_y_;
};

class Linear final : public Operation {
 public:
  std::string_view name() const override { return "linear"; }
  OperationTraits traits() const override {
    return {Which{0b11}, Which::none(), Contribution::exact, true,
            OperationKind::matrix_product};  // x and W, not the bias
  }
  OperationDescription describe() const override { return {.known = true}; }

  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    const Tensor& weight = inputs[1];
    const DType dtype = common_floating_dtype(name(), inputs);
    if (weight.rank() != 2) throw_as<ShapeError>("linear: weight is {}; need weight (in, out)", weight.shape());
    check_last_extent(name(), x.shape(), weight.shape()[0]);
    if (inputs.size() == 3 && inputs[2].shape() != Shape{weight.shape()[1]})
      throw_as<ShapeError>("linear: weight is {}, bias is {}; need weight (in, out) and bias (out,)", weight.shape(),
                           inputs[2].shape());
    Shape shape = x.shape();
    shape.back() = weight.shape()[1];
    Tensor result = Tensor::uninitialized(shape, dtype);
    const std::size_t k = weight.extent(0), n = weight.extent(1);
    visit_floating(dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* const bias = inputs.size() == 3 ? inputs[2].data<T>() : nullptr;
      if (result.size() > 0)
        kernels::linear(result.size() / n, n, k, x.data<T>(), weight.data<T>(), bias, result.fresh_data<T>());
    });
    return result;
  }

  // dx (batch, in) = g (batch, out) · Wᵀ (out, in), dW (in, out) = xᵀ (in, batch) · g (batch, out), db = Σ_batch g; dx
  // last, so that the others are told before
  Tensors vjp(const Call& call) const override {
    if (call.recording()) return recorded(call);
    const Tensor& g = call.cotangent();
    const Tensor& x = call.input(0);
    const Tensor& weight = call.input(1);
    const std::size_t batch = row_count(x), in = weight.extent(0), out = weight.extent(1);
    Tensors gradients(call.input_count());
    visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto made = [&](std::size_t i, const Shape& shape) {
        gradients[i] = Tensor::uninitialized(shape, x.dtype());
        return gradients[i].fresh_data<T>();
      };
      if (gradients.size() == 3 && call.needs(2)) {
        kernels::sum(1, batch, out, g.data<T>(), made(2, {weight.shape()[1]}));
        call.tell_rows(2, gradients[2], out);
      }
      if (call.needs(1)) {
        T* const dw = made(1, weight.shape());
        const auto product = [&](const auto&... done) {
          kernels::gemm(Transpose::yes, Transpose::no, in, out, batch, x.data<T>(), g.data<T>(), dw, done...);
        };
        if (call.tells_rows(1)) {
          const auto tell = [&](std::size_t rows) { call.tell_rows(1, gradients[1], rows); };
          product(tell);
          tell(in);
        } else {
          product();
        }
      }
      if (call.needs(0))
        kernels::gemm(Transpose::no, Transpose::yes, batch, in, out, g.data<T>(), weight.data<T>(), made(0, x.shape()));
    });
    return gradients;
  }

 private:
  static Tensors recorded(const Call& call) {
    const Tensor g = rows(call.cotangent());
    const Tensor& x = call.input(0);
    Tensors gradients(call.input_count());
    if (call.needs(0)) gradients[0] = reshape(matmul(g, call.input(1), false, true), x.shape());
    if (call.needs(1)) gradients[1] = matmul(rows(x), g, true, false);
    if (gradients.size() == 3 && call.needs(2)) gradients[2] = sum(g, {0});
    return gradients;
  }

  static std::size_t row_count(const Tensor& x) {
    std::size_t count = 1;
    for (std::size_t axis = 0; axis + 1 < x.rank(); ++axis) count *= x.shape().extent(axis);
    return count;
  }
  static Tensor rows(const Tensor& x) {
    return x.rank() == 2 ? x : reshape(x, Shape{static_cast<std::int64_t>(row_count(x)), x.shape().back()});
  }
};

void need_vectors(const char* name, const Tensor& x, const Tensor& y) {
  common_floating_dtype(name, x, y);
  if (x.rank() != 1 || y.rank() != 1)
    throw_as<ShapeError>("{}: shapes {} and {}; need two vectors", name, x.shape(), y.shape());
}

}  // namespace

Tensor matmul(const Tensor& x, const Tensor& y, bool transpose_x, bool transpose_y) {
  return apply_operation(Matmul(transpose_x, transpose_y), x, y);
}

Tensor matmul(const Tensor& x, const Tensor& y) {
  common_floating_dtype("matmul", x, y);
  if (x.rank() >= 2 && y.rank() >= 2) return matmul(x, y, false, false);
  if (x.rank() == 0 || y.rank() == 0)
    throw_as<ShapeError>("matmul: a is {}, b is {}; scalars multiply with *", x.shape(), y.shape());
  const bool row = x.rank() == 1;
  const bool column = y.rank() == 1;
  if (x.shape().back() != y.shape()[column ? 0 : y.rank() - 2])
    throw_as<ShapeError>("matmul: a is {}, b is {}; need a.shape[-1] == b.shape[-2], or the length of a vector b",
                         x.shape(), y.shape());
  const Tensor product = matmul(row ? unsqueeze(x, 0) : x, column ? unsqueeze(y, -1) : y, false, false);
  Shape shape = product.shape();
  if (column) shape.erase(shape.rank() - 1);
  if (row) shape.erase(shape.rank() - (column ? 1 : 2));
  return reshape(product, shape);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return apply_operation(Linear(), x, weight, bias);
}
Tensor linear(const Tensor& x, const Tensor& weight) { return apply_operation(Linear(), x, weight); }

Tensor outer(const Tensor& x, const Tensor& y) {
  need_vectors("outer", x, y);
  return unsqueeze(x, 1) * unsqueeze(y, 0);
}

Tensor dot(const Tensor& x, const Tensor& y) {
  need_vectors("dot", x, y);
  if (x.shape() != y.shape()) throw_as<ShapeError>("dot: shapes {} and {}; need equal lengths", x.shape(), y.shape());
  return sum(x * y);
}

Tensor orthonormal_factor(const Tensor& x) {
  check_defined("orthonormal_factor", "x", x);
  if (x.rank() != 2 || x.shape()[1] < 1 || x.shape()[0] < x.shape()[1] || x.dtype() != float64)
    throw_as<ShapeError>("orthonormal_factor: x is {} {}; need float64 (m, n) with m >= n > 0", x.dtype(), x.shape());
  if (x.is_leaf() || is_recorded(x))
    throw TapeError("orthonormal_factor: x needs a gradient, and there is none; pass detach(x)");
  Tensor q = Tensor::uninitialized(x.shape(), float64);
  kernels::orthonormal_factor(x.extent(0), x.extent(1), x.data<double>(), q.fresh_data<double>());
  return q;
}

}  // namespace xgrad
