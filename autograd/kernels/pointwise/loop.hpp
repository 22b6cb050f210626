#pragma once

#include <autograd/kernels/pointwise/dual.hpp>
#include <autograd/kernels/pointwise/rule.hpp>

#include <cstdint>
#include <utility>

namespace xgrad::kernels {

// The loops behind PointwiseRule: one lambda, evaluated on vectors for its value and on duals over vectors for its
// derivatives. Tails are vectors with unused lanes, so that an element's bits do not depend on its place.

template <class T, std::size_t N, class Body>
void pointwise_loop(const void* const* inputs, const bool* splat, void* output, std::size_t count, std::size_t room,
                    const Body& body) {
  constexpr std::size_t width = Vec<T>::width;
  std::array<const T*, N> source;
  std::array<std::size_t, N> step;
  alignas(64) std::array<std::array<T, width>, N> splats;
  for (std::size_t i = 0; i < N; ++i) {
    source[i] = static_cast<const T*>(inputs[i]);
    step[i] = splat[i] ? 0 : width;
    if (splat[i]) {
      splats[i].fill(*source[i]);
      source[i] = splats[i].data();
    }
  }
  T* target = static_cast<T*>(output);
  std::array<Vec<T>, N> x;
  const std::size_t tail = count % width;
  for (const T* const end = target + (count - tail); target != end; target += width) {
    for (std::size_t i = 0; i < N; ++i) {
      x[i] = Vec<T>::load(source[i]);
      source[i] += step[i];
    }
    body(x).store(target);
  }
  if (tail != 0) {
    // Unused lanes are 1, where no function takes its longer path.
    for (std::size_t i = 0; i < N; ++i)
      x[i] = step[i] == 0 ? Vec<T>::load(source[i]) : Vec<T>::load_part(source[i], tail, T(1));
    // A whole vector where there is room: what is stored in part stalls the next one who loads it.
    const Vec<T> y = body(x);
    if (room - count >= width - tail)
      y.store(target);
    else
      y.store_part(target, tail);
  }
}

/// f of the numbers that `lift(index)` gives.
template <class F, class Lift, std::size_t... I>
auto evaluate(const F& f, const Lift& lift, std::index_sequence<I...>) {
  return f(lift(std::integral_constant<std::size_t, I>{})...);
}

/// f with input i perturbed once, or inputs i and j for the mixed second derivative.
template <class T, class F, std::size_t N, std::size_t I>
auto with_derivative_along(const F& f, const Vec<T>* x) {
  const auto lift = [x](auto k) {
    if constexpr (k == I)
      return dual<1>(x[k], Vec<T>(1));
    else
      return x[k];
  };
  return evaluate(f, lift, std::make_index_sequence<N>{});
}

template <class T, class F, std::size_t N, std::size_t I, std::size_t J>
auto with_second_derivative_along(const F& f, const Vec<T>* x) {
  const auto lift = [x](auto k) {
    if constexpr (k == I && I == J)
      return dual<2>(dual<1>(x[k], Vec<T>(1)), Vec<T>(1));
    else if constexpr (k == I)
      return dual<1>(x[k], Vec<T>(1));
    else if constexpr (k == J)
      return dual<2>(x[k], Vec<T>(1));
    else
      return x[k];
  };
  return evaluate(f, lift, std::make_index_sequence<N>{});
}

/// Of what f gives for symbols.
template <class Result>
constexpr bool gives_number() {
  constexpr bool is_number = NumberOrScalar<Result>;
  static_assert(is_number, "a pointwise lambda gives a number: for `x > 0` write where(x > 0, 1, 0)");
  return is_number;
}
/// Makes f's body for duals over symbols, of which nothing is evaluated, with input I perturbed twice and the others
/// once: what a body cannot assign is said here, once, and not for every vector.
template <class F, std::size_t I, std::size_t... K>
constexpr bool is_tried_along(std::index_sequence<K...>) {
  using Once = Dual<1, Symbol, Symbol>;
  using Twice = Dual<2, Once, Symbol>;
  return sizeof(std::declval<const F&>()(std::declval<std::conditional_t<K == I, Twice, Once>>()...)) != 0;
}
template <class F, std::size_t N>
inline constexpr bool is_tried = []<std::size_t... I>(std::index_sequence<I...> inputs) {
  return (is_tried_along<F, I>(inputs) && ...);
}
(std::make_index_sequence<N>());

template <class R>
inline constexpr bool has_second_derivative = false;
template <class V, int Tag, class SV, class SS>
inline constexpr bool has_second_derivative<Dual<2, V, Dual<Tag, SV, SS>>> = true;

/// The kernels of the lambda type F of N arguments for elements T.
template <class F, std::size_t N, class T>
struct PointwiseKernels {
  // Flattened: a call in the loop, with vectors and duals passed through memory, costs more than most functions do.
  XGRAD_FLATTEN static void value(const void* closure, const void* const* inputs, const bool* splat, void* output,
                                  std::size_t count, std::size_t room) {
    const F& f = *static_cast<const F*>(closure);
    pointwise_loop<T, N>(inputs, splat, output, count, room, [&f](const std::array<Vec<T>, N>& x) {
      return Vec<T>(evaluate(
          f, [&x](auto k) { return x[k]; }, std::make_index_sequence<N>{}));
    });
  }

  template <std::size_t I>
  XGRAD_FLATTEN static void derivative(const void* closure, const void* const* inputs, const bool* splat, void* output,
                                       std::size_t count, std::size_t room) {
    const F& f = *static_cast<const F*>(closure);
    pointwise_loop<T, N + 1>(inputs, splat, output, count, room, [&f](const std::array<Vec<T>, N + 1>& gx) {
      return masked_product<T>(gx[0], with_derivative_along<T, F, N, I>(f, gx.data() + 1).derivative);
    });
  }

  template <std::size_t I, std::size_t J>
  static void second_derivative(const void* closure, const void* const* inputs, const bool* splat, void* output,
                                std::size_t count, std::size_t room) {
    const F& f = *static_cast<const F*>(closure);
    pointwise_loop<T, N + 2>(inputs, splat, output, count, room, [&f](const std::array<Vec<T>, N + 2>& hgx) {
      return masked_product<T>(masked_product<T>(hgx[0], hgx[1]),
                               with_second_derivative_along<T, F, N, I, J>(f, hgx.data() + 2).derivative.derivative);
    });
  }

  template <std::size_t I>
  static constexpr PointwiseKernel derivative_or_null() {
    using Result = decltype(with_derivative_along<T, F, N, I>(std::declval<const F&>(), nullptr));
    if constexpr (AnyDual<Result>)
      return &derivative<I>;
    else
      return nullptr;
  }

  template <std::size_t I, std::size_t J>
  static constexpr PointwiseKernel second_derivative_or_null() {
    if constexpr (I > J) {
      return nullptr;
    } else {
      using Result = decltype(with_second_derivative_along<T, F, N, I, J>(std::declval<const F&>(), nullptr));
      if constexpr (has_second_derivative<Result>)
        return &second_derivative<I, J>;
      else
        return nullptr;
    }
  }
};

template <class F, std::size_t N>
Symbol trace(const void* closure, const Symbol* x) {
  return Symbol(evaluate(
      *static_cast<const F*>(closure), [x](auto k) { return x[k]; }, std::make_index_sequence<N>{}));
}

template <class F, std::size_t N>
constexpr PointwiseRule make_rule() {
  PointwiseRule rule;
  rule.arity = N;
  rule.trace = &trace<F, N>;
  using Single = PointwiseKernels<F, N, float>;
  using Double = PointwiseKernels<F, N, double>;
  rule.value = {&Single::value, &Double::value, nullptr};
  const auto second = [&rule]<std::size_t I, std::size_t... J>(std::index_sequence<J...>) {
    ((rule.second_derivative[I][J] = {Single::template second_derivative_or_null<I, J>(),
                                      Double::template second_derivative_or_null<I, J>(), nullptr}),
     ...);
  };
  const auto first = [&]<std::size_t... I>(std::index_sequence<I...> indices) {
    ((rule.derivative[I] = {Single::template derivative_or_null<I>(), Double::template derivative_or_null<I>(),
                            nullptr}),
     ...);
    (second.template operator()<I>(indices), ...);
  };
  first(std::make_index_sequence<N>{});
  return rule;
}

template <class F, std::size_t N>
inline constexpr PointwiseRule rule_of = make_rule<F, N>();

}  // namespace xgrad::kernels
