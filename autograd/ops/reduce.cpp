#include <autograd/kernels/integers.hpp>
#include <autograd/kernels/layout.hpp>
#include <autograd/kernels/reduce.hpp>
#include <autograd/kernels/sum.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/ops/arithmetic.hpp>
#include <autograd/ops/compare.hpp>
#include <autograd/ops/elementary.hpp>
#include <autograd/ops/layout.hpp>
#include <autograd/ops/reduce.hpp>
#include <autograd/pointwise.hpp>
#include <autograd/tape/custom.hpp>
#include <autograd/tensor/format.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace xgrad {

namespace {

using Flags = std::array<bool, Extents::capacity>;

constexpr double infinity = std::numeric_limits<double>::infinity();

Shape kept_shape(const Shape& shape, const Flags& reduced) {
  Shape result = shape;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    if (reduced[axis]) result[axis] = 1;
  return result;
}

Shape dropped_shape(const Shape& shape, const Flags& reduced) {
  Shape result;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    if (!reduced[axis]) result.push_back(shape[axis]);
  return result;
}

std::size_t reduced_count(const Shape& shape, const Flags& reduced) {
  std::size_t count = 1;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    if (reduced[axis]) count *= shape.extent(axis);
  return count;
}

std::vector<std::int64_t> axes_of(const Flags& reduced, std::size_t rank) {
  std::vector<std::int64_t> axes;
  for (std::size_t axis = 0; axis < rank; ++axis)
    if (reduced[axis]) axes.push_back(static_cast<std::int64_t>(axis));
  return axes;
}

OperationDescription of_axes(const Flags& reduced, std::size_t rank, bool keepdims) {
  return {.attributes = {{"axes", axes_of(reduced, rank)}, {"keepdims", {keepdims ? 1 : 0}}}, .known = true};
}

/// Applies reduce(outer, count, inner, x, out) to each run of adjacent reduced axes, innermost first. The result keeps
/// them with extent 1, or not at all.
template <class Reduce>
Tensor reduce_runs(const Tensor& x, const Flags& reduced, bool keepdims, const Reduce& reduce) {
  Tensor current;  // after the first run
  Shape shape = x.shape();
  std::size_t inner = 1;
  for (std::size_t axis = shape.rank(); axis-- > 0;) {
    if (!reduced[axis]) {
      inner *= shape.extent(axis);
      continue;
    }
    std::size_t count = 1;
    std::size_t first = axis + 1;
    while (first > 0 && reduced[first - 1]) {
      --first;
      count *= shape.extent(first);
      shape[first] = 1;
    }
    std::size_t outer = 1;
    for (std::size_t a = 0; a < first; ++a) outer *= shape.extent(a);
    const bool last = std::find(reduced.begin(), reduced.begin() + first, true) == reduced.begin() + first;
    Tensor next = Tensor::uninitialized(last && !keepdims ? dropped_shape(shape, reduced) : shape, x.dtype());
    if (next.size() > 0)
      visit_floating(x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const Tensor& from = current.defined() ? current : x;
        reduce(outer, count, inner, from.data<T>(), next.fresh_data<T>());
      });
    current = std::move(next);
    axis = first;
  }
  if (!current.defined()) return kernels::copy(x);
  return current;
}

/// What every reduction checks first, in its own name and before anything is recorded.
Flags checked_flags(std::string_view name, const Tensor& x, const Axes& axes) {
  common_floating_dtype(name, x);
  return axis_flags(name, axes, x.rank());
}

void need_elements(const char* name, const Tensor& x, const Flags& reduced) {
  if (reduced_count(x.shape(), reduced) == 0)
    throw_as<ShapeError>("{}: shape {} has no elements along the axes; need at least one", name, x.shape());
}

/// Σ x or Σ x / n. A class, which is copied once on its way onto a tape, for every loss ends in one.
class Sum final : public Operation {
 public:
  Sum(const Flags& reduced, bool keepdims, bool mean) : reduced_(reduced), keepdims_(keepdims), mean_(mean) {}
  std::string_view name() const override { return mean_ ? "mean" : "sum"; }
  OperationTraits traits() const override {
    return {Which::none(), Which::none(), Contribution::unbroadcast, true, OperationKind::linear};
  }
  OperationDescription describe() const override { return of_axes(reduced_, rank_, keepdims_); }
  Tensors forward(const Inputs& inputs) override {
    const Tensor& x = inputs[0];
    rank_ = x.rank();
    count_ = static_cast<double>(reduced_count(x.shape(), reduced_));
    return reduce_runs(x, reduced_, keepdims_,
                       [this](auto... arguments) {  // the mean of means of as many is that of all
                         mean_ ? kernels::mean(arguments...) : kernels::sum(arguments...);
                       });
  }
  // dx = g, or g/n, broadcast over the reduced axes: the kept-dimension tensor stands for it.
  Tensors vjp(const Call& call) const override {
    const Tensor& g = call.unbroadcast_cotangent();
    if (keepdims_) return mean_ ? g / count_ : g;
    Shape shape;
    for (std::size_t axis = 0, next = 0; axis < rank_; ++axis) shape.push_back(reduced_[axis] ? 1 : g.shape()[next++]);
    if (mean_) return reshaped(call, g / count_, shape);
    return reshaped(call, g, shape);
  }

 private:
  static Tensor reshaped(const Call& call, const Tensor& g, const Shape& shape) {
    constexpr std::size_t small = 256;  // bytes that are copied sooner than shared
    if (call.recording()) return reshape(g, shape);
    if (g.bytes() > small) return kernels::separate(g, shape);
    Tensor result = Tensor::uninitialized(shape, g.dtype());
    std::memcpy(result.untyped_fresh_data(), g.untyped_data(), g.bytes());
    return result;
  }

  Flags reduced_;
  bool keepdims_;
  bool mean_;
  std::size_t rank_ = 0;  // of x
  double count_ = 0;
};

/// x less its mean over adjacent axes.
Tensor centred_along(const Tensor& x, std::size_t first, std::size_t last) {
  const auto subtract = [=](const Tensor& from) {
    Tensor result = Tensor::uninitialized(from.shape(), from.dtype());
    std::size_t outer = 1, count = 1, inner = 1;
    for (std::size_t axis = 0; axis < from.rank(); ++axis)
      (axis < first ? outer : axis < last ? count : inner) *= from.shape().extent(axis);
    visit_floating(from.dtype(), [&](auto zero) {
      using T = decltype(zero);
      kernels::subtract_mean(outer, count, inner, from.data<T>(), result.fresh_data<T>());
    });
    return result;
  };
  const auto description = [=] {
    Flags reduced{};
    std::fill(reduced.begin() + first, reduced.begin() + last, true);
    return of_axes(reduced, last, true);
  };
  // dx = g - mean g: the operation is its own adjoint.
  const auto back = [=](const Call& call) { return centred_along(call.cotangent(), first, last); };
  return custom_with({Which::none(), Which::none(), Contribution::exact, true, OperationKind::linear}, "centred",
                     described(subtract, description), back, x);
}

Tensor of_integers(const char* name, kernels::IntegerReduction reduction, const Tensor& x, const Axes& axes,
                   bool keepdims) {
  const Flags reduced = axis_flags(name, axes, x.rank());
  const Tensor result = kernels::integer_reduction(name, reduction, x, reduced, kept_shape(x.shape(), reduced));
  return keepdims ? result : result.alias(dropped_shape(x.shape(), reduced));
}

Tensor extreme(const char* name, const Tensor& x, const Axes& axes, bool keepdims, bool largest) {
  const bool integers = kernels::holds_integers(x);
  const Flags reduced = integers ? axis_flags(name, axes, x.rank()) : checked_flags(name, x, axes);
  need_elements(name, x, reduced);
  if (integers)
    return of_integers(name, largest ? kernels::IntegerReduction::max : kernels::IntegerReduction::min, x, axes,
                       keepdims);
  const auto find = [=](const Tensor& from) {
    return reduce_runs(from, reduced, keepdims, [largest](auto... arguments) {
      largest ? kernels::max(arguments...) : kernels::min(arguments...);
    });
  };
  const auto description = [=, rank = x.rank()] { return of_axes(reduced, rank, keepdims); };
  // dx = g/k at the k elements that equal the extremum.
  const auto back = [=](const Call& call) {
    const Tensor& from = call.input(0);
    const Shape kept = kept_shape(from.shape(), reduced);
    Axes summed;
    for (std::size_t axis = 0; axis < kept.rank(); ++axis)
      if (reduced[axis]) summed.push_back(static_cast<std::int64_t>(axis));
    const Tensor hits = eq(from, reshape(call.output(), kept));
    const Tensor count = summed.empty() ? hits : sum(hits, summed, true);
    return hits * (reshape(call.cotangent(), kept) / count);
  };
  return custom_with({Which::all(), Which::all(), Contribution::exact, true}, name, described(find, description), back,
                     x);
}

template <class Kernel>
Tensor arg_extreme(const char* name, const Tensor& x, std::int64_t axis, bool keepdims, const Kernel& kernel) {
  common_floating_dtype(name, x);
  const std::size_t position = normalize_axis(name, axis, x.rank());
  if (x.shape()[position] == 0)
    throw_as<ShapeError>("{}: shape {} has no elements along axis {}; need at least one", name, x.shape(), position);
  Shape shape = x.shape();
  if (keepdims)
    shape[position] = 1;
  else
    shape.erase(position);
  Tensor result = Tensor::uninitialized(shape, DType::int64);
  if (result.size() > 0)
    visit_floating(x.dtype(), [&](auto zero) {
      const kernels::Around around(x.shape(), position);
      kernel(around.outer, around.count, around.inner, x.data<decltype(zero)>(), result.fresh_data<std::int64_t>());
    });
  return result;
}

/// g (extent 1 along the axis) times the product of the others along it, for each element of x: by halves, without a
/// division, so that it is exact where elements are 0.
Tensor products_of_others(const Tensor& x, const Tensor& g, std::int64_t axis) {
  const std::int64_t count = x.shape(axis), half = count / 2;
  if (count <= 1) return count == 0 ? x : g;
  const bool odd = count % 2 != 0;
  const Tensor a = slice(x, axis, 0, half), b = slice(x, axis, half, 2 * half);
  Tensor products = a * b;
  if (odd) products = concatenate({products, slice(x, axis, 2 * half, count)}, axis);
  const Tensor outside = products_of_others(products, g, axis);  // of each pair, and of the odd one
  const Tensor of_pairs = odd ? slice(outside, axis, 0, half) : outside;
  std::vector<Tensor> parts = {of_pairs * b, of_pairs * a};
  if (odd) parts.push_back(slice(outside, axis, half, half + 1));
  return concatenate(parts, axis);
}

/// 1 for numbers that are neither 0 nor denormal, infinite or NaN.
Tensor is_normal(const Tensor& x) {
  return visit_floating(x.dtype(), [&](auto zero) {
    using Limits = std::numeric_limits<decltype(zero)>;
    const Tensor size = abs(detach(x));
    return ge(size, Limits::min()) * le(size, Limits::max());
  });
}

/// Π along one axis, which stays with extent 1.
Tensor prod_along(const Tensor& x, std::size_t axis) {
  const auto multiply = [axis](const Tensor& factors) {
    Shape shape = factors.shape();
    shape[axis] = 1;
    Tensor result = Tensor::uninitialized(shape, factors.dtype());
    visit_floating(factors.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const kernels::Around around(factors.shape(), axis);
      kernels::prod(around.outer, around.count, around.inner, factors.data<T>(), result.fresh_data<T>());
    });
    return result;
  };
  const auto description = [axis, rank = x.rank()] {
    Flags reduced{};
    reduced[axis] = true;
    return of_axes(reduced, rank, true);
  };
  const auto back = [axis](const Call& call) {
    const Tensor& factors = call.input(0);
    const Tensor others = products_of_others(factors, call.cotangent(), static_cast<std::int64_t>(axis));
    if (kernels::count_nonfinite(others) == 0) return others;
    // Some of these may be out of range where the product of all is not: they are that one less a factor.
    const Tensor product = prod_along(factors, axis);
    return where(is_normal(product), call.cotangent() * (product / factors), others);
  };
  return custom_with({Which::all(), Which::none(), Contribution::exact, true}, "prod", described(multiply, description),
                     back, x);
}

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, bool keepdims) {
  if (kernels::holds_integers(x)) return of_integers("sum", kernels::IntegerReduction::sum, x, axes, keepdims);
  return apply_operation(Sum(checked_flags("sum", x, axes), keepdims, false), x);
}
Tensor mean(const Tensor& x, const Axes& axes, bool keepdims) {
  return apply_operation(Sum(checked_flags("mean", x, axes), keepdims, true), x);
}
Tensor max(const Tensor& x, const Axes& axes, bool keepdims) { return extreme("max", x, axes, keepdims, true); }
Tensor min(const Tensor& x, const Axes& axes, bool keepdims) { return extreme("min", x, axes, keepdims, false); }

Tensor prod(const Tensor& x, const Axes& axes, bool keepdims) {
  const Flags reduced = checked_flags("prod", x, axes);
  Tensor result = x;
  for (std::size_t axis = 0; axis < x.rank(); ++axis)
    if (reduced[axis]) result = prod_along(result, axis);
  return reshape(result, keepdims ? kept_shape(x.shape(), reduced) : dropped_shape(x.shape(), reduced));
}

Tensor centred(const Tensor& x, const Axes& axes) {
  const Flags reduced = checked_flags("centred", x, axes);
  const auto begin = reduced.begin(), end = begin + static_cast<std::ptrdiff_t>(x.rank());
  const auto first = std::find(begin, end, true), last = std::find(first, end, false);
  if (std::find(last, end, true) == end)  // they are adjacent
    return centred_along(x, static_cast<std::size_t>(first - begin), static_cast<std::size_t>(last - begin));
  // To the last axes, and back.
  const std::size_t kept = x.rank() - static_cast<std::size_t>(std::count(begin, end, true));
  Axes order, back;
  for (const bool wanted : {false, true})
    for (std::size_t axis = 0; axis < x.rank(); ++axis)
      if (reduced[axis] == wanted) order.push_back(static_cast<std::int64_t>(axis));
  for (std::size_t axis = 0; axis < x.rank(); ++axis)
    back.push_back(std::find(order.begin(), order.end(), static_cast<std::int64_t>(axis)) - order.begin());
  return permute(centred_along(permute(x, order), kept, x.rank()), back);
}

Tensor var(const Tensor& x, const Axes& axes, bool keepdims) {
  checked_flags("var", x, axes);
  const Tensor differences = centred(x, axes);
  const Tensor variance = mean(square(differences), axes, keepdims);
  if (kernels::count_nonfinite(variance) == 0) return variance;
  // Beside a variance that overflows the slope of a square may, too, where its share does not: a product has two
  // halves.
  return mean(differences * differences, axes, keepdims);
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdims) {
  const Flags reduced = checked_flags("logsumexp", x, axes);
  need_elements("logsumexp", x, reduced);
  const auto term = [](auto a, auto s) { return exp(a - s); };
  const auto compute = [=](const Tensor& from) {
    // The largest element as a shift; 0 in place of an infinite one, which would give inf - inf.
    const Tensor largest = max(from, axes, true);
    const Tensor shift = where(lt(abs(largest), infinity), largest, 0.0);
    const auto smaller_term = [](auto a, auto s) { return where(a == s, 0, exp(a - s)); };
    const Tensor total = sum(pointwise("logsumexp", term, from, shift), axes, true);
    Tensor logarithm = log(total);
    if (total.size() > 0 && !(min(total).item() >= 1.5)) {  // the largest once and little beside, whose digits count
      const Tensor rest = sum(pointwise("logsumexp", smaller_term, from, shift), axes, true);
      logarithm = where(ge(total, 1.0) * lt(total, 1.5), log1p(rest), logarithm);
    }
    const Tensor result = logarithm + shift;
    return keepdims ? result : reshape(result, dropped_shape(from.shape(), reduced));
  };
  const auto description = [=, rank = x.rank()] { return of_axes(reduced, rank, keepdims); };
  // dx = g·e^x / Σ e^x, both less the shift. An infinite result is that of its largest elements, which share it.
  const auto back = [=](const Call& call) {
    const Tensor& from = call.input(0);
    const Tensor g = reshape(call.cotangent(), kept_shape(from.shape(), reduced));
    const Tensor largest = max(detach(from), axes, true), finite = lt(abs(largest), infinity);
    const Tensor terms = pointwise("logsumexp", term, from, where(finite, largest, 0.0));
    const Tensor total = sum(terms, axes, true);
    if (kernels::count_nonfinite(largest) == 0)
      return pointwise(
          "logsumexp", [](auto h, auto t, auto n) { return h * (t / n); }, g, terms, total);
    const Tensor hits = eq(from, largest);
    return g * where(finite, terms / total, hits / sum(hits, axes, true));
  };
  return custom_with({Which::all(), Which::none(), Contribution::exact, true}, "logsumexp",
                     described(compute, description), back, x);
}

namespace {

bool all_normal_or_zero(const Tensor& x) {
  return visit_floating(x.dtype(), [&](auto zero) {
    const auto all = x.values<decltype(zero)>();
    return std::all_of(all.begin(), all.end(), [](auto value) { return value == 0 || std::isnormal(value); });
  });
}

/// What brings numbers of that norm to where norms are normal: a power of two, 1 for most.
Tensor scale_of_norm(const Tensor& norm) {
  return visit_floating(norm.dtype(), [&](auto zero) {
    using Limits = std::numeric_limits<decltype(zero)>;
    const auto scale = [](auto n) { return where(n > Limits::max(), 0x1p-64, where(n < Limits::min(), 0x1p64, 1)); };
    return pointwise("norm", scale, detach(norm));
  });
}

}  // namespace

Tensor norm(const Tensor& x, const Axes& axes, bool keepdims) {
  const Flags reduced = checked_flags("norm", x, axes);
  const auto compute = [=](const Tensor& from) {  // the norm of norms is the norm of all
    return reduce_runs(from, reduced, keepdims, [](auto... arguments) { kernels::norm(arguments...); });
  };
  const auto description = [=, rank = x.rank()] { return of_axes(reduced, rank, keepdims); };
  // dx = g·x/norm, 0 for a norm of 0. The quotient is at most 1 and comes first.
  const auto slope = [](auto g, auto a, auto n) { return where(n == 0, 0, g * (a / n)); };
  const auto limit = [](auto a, auto n) { return where(n < infinity, a, where(abs(a) < infinity, 0, sign(a))); };
  const auto back = [=](const Call& call) {
    const Tensor& from = call.input(0);
    const Shape kept = kept_shape(from.shape(), reduced);
    const Tensor g = reshape(call.cotangent(), kept), n = reshape(call.output(), kept);
    if (all_normal_or_zero(n)) return pointwise("norm", slope, g, from, n);
    Tensor scaled = from * scale_of_norm(n), length = norm(scaled, axes, true);
    if (kernels::count_nonfinite(length) > 0) {  // the limit for infinite elements that grow together
      scaled = pointwise("norm", limit, scaled, detach(length));
      length = norm(scaled, axes, true);
    }
    return pointwise("norm", slope, g, scaled, length);
  };
  return custom_with({Which::all(), Which::all(), Contribution::exact, true}, "norm", described(compute, description),
                     back, x);
}

Tensor argmax(const Tensor& x, std::int64_t axis, bool keepdims) {
  return arg_extreme("argmax", x, axis, keepdims, [](auto... arguments) { kernels::arg_max(arguments...); });
}

Tensor argmin(const Tensor& x, std::int64_t axis, bool keepdims) {
  return arg_extreme("argmin", x, axis, keepdims, [](auto... arguments) { kernels::arg_min(arguments...); });
}

}  // namespace xgrad
