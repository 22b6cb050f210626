#include <autograd/error.hpp>
#include <autograd/kernels/parallel.hpp>
#include <autograd/kernels/simd.hpp>
#include <autograd/update.hpp>

#include <algorithm>
#include <cstddef>
#include <string>

namespace xgrad {

namespace {

using kernels::Vec;

// Serial steps after parallel products would fetch every line from the other cores, so the threshold is low.
constexpr std::size_t parallel_elements = 32768;
constexpr std::size_t block_elements = 8192;

/// Calls body(first, count) for blocks of [0, elements).
template <class Body>
void for_blocks(std::size_t elements, const Body& body) {
  if (elements < parallel_elements) return body(std::size_t{0}, elements);
  kernels::parallel_blocks((elements + block_elements - 1) / block_elements, [&](std::size_t block) {
    const std::size_t first = block * block_elements;
    body(first, std::min(block_elements, elements - first));
  });
}

/// Calls body(load, store, k) for vectors of [0, count), with the tail as a part of one; load(p) gives the vector at p
/// + k.
template <class T, class Body>
void for_vectors(std::size_t count, const Body& body) {
  constexpr std::size_t width = Vec<T>::width;
  const std::size_t tail = count % width;
  std::size_t k = 0;
  const auto load = [&k](const T* source) { return Vec<T>::load(source + k); };
  const auto store = [&k](T* target, Vec<T> value) { value.store(target + k); };
  for (; k < count - tail; k += width) body(load, store);
  if (tail == 0) return;
  const auto load_tail = [&k, tail](const T* source) { return Vec<T>::load_part(source + k, tail); };
  const auto store_tail = [&k, tail](T* target, Vec<T> value) { value.store_part(target + k, tail); };
  body(load_tail, store_tail);
}

template <class T>
void descend(T* parameter, const T* gradient, std::size_t count, const SgdRule& rule) {
  const Vec<T> rate(rule.learning_rate), decay(rule.weight_decay);
  const bool decays = rule.weight_decay != 0;
  for_vectors<T>(count, [&](const auto& load, const auto& store) {
    const Vec<T> x = load(parameter);
    Vec<T> d = load(gradient);
    if (decays) d = d + decay * x;
    store(parameter, x - rate * d);
  });
}

template <class T>
void descend_with_momentum(T* parameter, const T* gradient, T* velocity, bool at_first, std::size_t count,
                           const SgdRule& rule) {
  const Vec<T> rate(rule.learning_rate), decay(rule.weight_decay), momentum(rule.momentum), gain(1 - rule.dampening);
  const bool decays = rule.weight_decay != 0;
  for_vectors<T>(count, [&](const auto& load, const auto& store) {
    const Vec<T> x = load(parameter);
    Vec<T> d = load(gradient);
    if (decays) d = d + decay * x;
    const Vec<T> v = at_first ? d : momentum * load(velocity) + gain * d;
    store(velocity, v);
    store(parameter, x - rate * (rule.nesterov ? d + momentum * v : v));
  });
}

void check_fits(const char* operation, const char* what, const Tensor& x, const Tensor& reference) {
  if (x.shape() != reference.shape())
    throw ShapeError(std::string(operation) + ": the " + what + " is " + to_string(x.shape()) + ", the target is " +
                     to_string(reference.shape()) + "; need equal shapes");
  if (x.dtype() != reference.dtype() || !is_floating(x.dtype()))
    throw TypeError(std::string(operation) + ": the " + what + " is " + std::string(name_of(x.dtype())) +
                    ", the target is " + std::string(name_of(reference.dtype())) + "; need equal floating dtypes");
}

}  // namespace

void sgd_update(Tensor& parameter, const Tensor& gradient, Tensor& velocity, const SgdRule& rule) {
  check_fits("sgd_update", "gradient", gradient, parameter);
  const bool with_momentum = rule.momentum != 0;
  const bool at_first = !velocity.defined();
  if (with_momentum) {
    if (at_first)
      velocity = Tensor::uninitialized(parameter.shape(), parameter.dtype());
    else
      check_fits("sgd_update", "velocity", velocity, parameter);
  }
  visit_floating(parameter.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* const x = static_cast<T*>(parameter.begin_write());
    const T* const d = gradient.data<T>();
    T* const v = with_momentum ? static_cast<T*>(velocity.begin_write()) : nullptr;
    for_blocks(parameter.size(), [&](std::size_t first, std::size_t count) {
      if (with_momentum)
        descend_with_momentum(x + first, d + first, v + first, at_first, count, rule);
      else
        descend(x + first, d + first, count, rule);
    });
  });
}

void add_in_order(Tensor& sum, std::span<const Tensor* const> terms) {
  for (const Tensor* term : terms) check_fits("add_in_order", "term", *term, sum);
  if (terms.empty()) return;
  visit_floating(sum.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* const target = static_cast<T*>(sum.begin_write());
    for_blocks(sum.size(), [&](std::size_t first, std::size_t count) {
      for_vectors<T>(count, [&](const auto& load, const auto& store) {
        Vec<T> total = load(target + first);
        for (const Tensor* term : terms) total = total + load(static_cast<const T*>(term->mutable_data()) + first);
        store(target + first, total);
      });
    });
  });
}

}  // namespace xgrad
