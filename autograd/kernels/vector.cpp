#include <autograd/kernels/simd/lanes.hpp>
#include <autograd/kernels/vector.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace xgrad::kernels {

namespace {

constexpr std::size_t block_elements = 8192;

/// Calls body(first, count) for each block of [0, elements); serially while there are only two.
template <class Body>
void for_blocks(std::size_t elements, const Body& body) {
  for_units(divide_up(elements, block_elements), block_elements, 2 * block_elements, [&](std::size_t block) {
    const std::size_t first = block * block_elements;
    body(first, std::min(block_elements, elements - first));
  });
}

/// x[k] = f(x[k], vector k of y), where y is a tensor of x's size and dtype.
template <class F>
void update(Tensor& x, const Tensor& y, const F& f) {
  visit_floating(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* const target = x.fresh_data<T>();
    const T* const source = y.data<T>();
    for_blocks(x.size(), [=](std::size_t first, std::size_t count) {
      for_vectors<T>(first, first + count, [=](std::size_t k, auto lanes) {
        store(f(load(target + k, lanes), load(source + k, lanes)), target + k, lanes);
      });
    });
  });
}

/// The sum over blocks of f(values, count), added in the order of the blocks.
template <class Result, class F>
Result sum_blocks(const Tensor& x, const F& f) {
  std::vector<Result, CachedAllocator<Result>> partial(divide_up(x.size(), block_elements));
  visit_floating(x.dtype(), [&](auto zero) {
    const auto* const values = x.data<decltype(zero)>();
    for_blocks(x.size(), [&](std::size_t first, std::size_t count) {
      partial[first / block_elements] = f(values + first, count);
    });
  });
  Result total{};
  for (const Result part : partial) total += part;
  return total;
}

}  // namespace

void add_scaled(Tensor& y, const Tensor& x, double factor) {
  if (factor == 1.0)
    update(y, x, [](auto a, auto b) { return a + b; });
  else
    update(y, x, [factor](auto a, auto b) { return a + b * factor; });
}

template <class T>
void sum_in_tree(T* sum, std::size_t count, std::span<const T* const> terms, std::span<const std::uint8_t> closings) {
  constexpr std::size_t together = 8;  // vectors that share what a step through the tree costs
  // n vectors of so many lanes from number k on.
  const auto add_up = [=](std::size_t k, auto lanes, auto n) {
    using Vectors = std::array<Vec<T>, n>;
    const auto load_from = [&](const T* term) {
      Vectors v;
      unrolled<n>([&](auto i) { v[i] = load(term + k + i * Vec<T>::width, lanes); });
      return v;
    };
    std::array<Vectors, max_open_sums> open;
    std::size_t opened = 0;
    Vectors last = load_from(terms[0]);
    for (std::size_t i = 1; i < terms.size(); ++i) {
      open[opened++] = last;
      last = load_from(terms[i]);
      for (std::size_t closing = closings[i]; closing > 0; --closing) {
        const Vectors& before = open[--opened];
        unrolled<n>([&](auto j) { last[j] = before[j] + last[j]; });
      }
    }
    unrolled<n>([&](auto i) { store(last[i], sum + k + i * Vec<T>::width, lanes); });
  };
  for_blocks(count, [&](std::size_t first, std::size_t elements) {
    constexpr std::size_t step = together * Vec<T>::width;
    const std::size_t end = first + elements;
    std::size_t k = first;
    for (; k + step <= end; k += step) add_up(k, All<T>(), std::integral_constant<std::size_t, together>());
    for_vectors<T>(k, end,
                   [&](std::size_t at, auto lanes) { add_up(at, lanes, std::integral_constant<std::size_t, 1>()); });
  });
}
template void sum_in_tree(float*, std::size_t, std::span<const float* const>, std::span<const std::uint8_t>);
template void sum_in_tree(double*, std::size_t, std::span<const double* const>, std::span<const std::uint8_t>);

void scale(Tensor& x, double factor) {
  update(x, x, [factor](auto a, auto) { return a * factor; });
}

void divide(Tensor& x, double divisor) {
  update(x, x, [divisor](auto a, auto) { return a / divisor; });
}

void clamp(Tensor& x, double low, double high) {
  update(x, x, [low, high](auto a, auto) {
    const decltype(a) lowest(low), highest(high);
    return where(a < lowest, lowest, where(a > highest, highest, a));
  });
}

Tensor copy(const Tensor& x) {
  Tensor result = Tensor::uninitialized(x.shape(), x.dtype());
  const std::size_t element = size_of(x.dtype());
  const auto* const source = static_cast<const char*>(x.untyped_data());
  auto* const target = static_cast<char*>(result.untyped_fresh_data());
  for_blocks(x.size(), [&](std::size_t first, std::size_t count) {
    std::memcpy(target + first * element, source + first * element, count * element);
  });
  return result;
}

Tensor separate(const Tensor& x, const Shape& shape) {
  return x.is_leaf() ? copy(x).alias(shape) : x.alias(shape, Tensor::Storing::borrows);
}

double sum_of_squares(const Tensor& x) {
  return sum_blocks<double>(x, [](const auto* values, std::size_t count) {
    constexpr std::size_t lanes = 8;
    double sums[lanes] = {};
    for (std::size_t k = 0; k < count; ++k) {
      const double value = values[k];
      sums[k % lanes] += value * value;
    }
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  });
}

std::size_t count_nonfinite(const Tensor& x) {
  if (!is_floating(x.dtype())) return 0;
  return sum_blocks<std::size_t>(x, [](const auto* values, std::size_t count) {
    std::size_t found = 0;
    for (std::size_t k = 0; k < count; ++k) found += std::isfinite(values[k]) ? 0u : 1u;
    return found;
  });
}

}  // namespace xgrad::kernels
