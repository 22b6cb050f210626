#pragma once

#include <autograd/kernels/pointwise/symbol.hpp>
#include <autograd/kernels/simd/elementary.hpp>

#include <limits>
#include <type_traits>

namespace xgrad::kernels {

// Forward-mode numbers. Dual<1, V, S> carries the derivative along one input; a function of two perturbed inputs meets
// Dual<2, ...> over Dual<1, ...>, whose derivative's derivative is the mixed second derivative. A number of a lower tag
// (or a plain Vec) is a constant for the higher tag: it has no derivative to multiply, so no 0 · inf arises and no work
// is done for it. Value and derivative are types of their own, since the derivative of a linear term is a plain number.
template <int Tag, class V, class S>
struct Dual;

template <class X>
inline constexpr int tag_of = 0;
template <int Tag, class V, class S>
inline constexpr int tag_of<Dual<Tag, V, S>> = Tag;

/// A number without a perturbation: a vector, or a symbol of a program.
template <class X>
inline constexpr bool is_plain = false;
template <class T>
inline constexpr bool is_plain<Vec<T>> = true;
template <>
inline constexpr bool is_plain<Symbol> = true;
template <class M>
concept AnyMask = requires {
  typename M::Number;
};

template <class X>
concept AnyDual = (tag_of<X> > 0);
template <class X>
concept Number = is_plain<X> || AnyDual<X>;
template <class X>
concept NumberOrScalar = Number<X> || std::is_arithmetic_v<X>;

/// Whether a number of type To has room for all derivatives of a From.
template <class From, class To>
inline constexpr bool fits = is_plain<From> || std::is_arithmetic_v<From>;
template <int A, class AV, class AS, int B, class BV, class BS>
inline constexpr bool fits<Dual<A, AV, AS>, Dual<B, BV, BS>> =
    A == B ? fits<AV, BV>&& fits<AS, BS> : A < B&& fits<Dual<A, AV, AS>, BV>;

template <class To, class From>
To converted(From x) {
  if constexpr (std::is_same_v<From, To> || is_plain<To>)
    return To(x);
  else if constexpr (tag_of<From> == tag_of<To>)
    return {converted<decltype(To::value)>(x.value), converted<decltype(To::derivative)>(x.derivative)};
  else
    return {converted<decltype(To::value)>(x), converted<decltype(To::derivative)>(0)};
}

template <class X>
inline constexpr bool over_symbols = std::is_same_v<X, Symbol>;
template <int Tag, class V, class S>
inline constexpr bool over_symbols<Dual<Tag, V, S>> = over_symbols<V>;

/// Defined nowhere: a lambda that would call it has been refused with symbols.
void refused_with_symbols();

template <int Tag, class V, class S>
struct Dual {
  V value;
  S derivative;

  /// Defined nowhere: a lambda that needs it has been refused with symbols alone.
  operator double() const requires(over_symbols<V>);
  template <class Other>
  Dual& operator=(const Other& x) {
    static_assert(fits<Other, Dual> || !over_symbols<V>,
                  "results have types of their own: write `auto y = x * x;`, or in loops `auto y = variable(x);`");
    if constexpr (fits<Other, Dual>)
      *this = converted<Dual>(x);
    else if constexpr (!over_symbols<V>)
      refused_with_symbols();
    return *this;
  }
};

template <int Tag, class V, class S>
Dual<Tag, V, S> dual(V value, S derivative) {
  return {value, derivative};
}

/// At least one dual, and anything that mixes with it.
template <class A, class B>
concept DualPair = NumberOrScalar<A> && NumberOrScalar<B> &&(AnyDual<A> || AnyDual<B>);

/// The value without any perturbation.
template <class T>
Vec<T> primal(Vec<T> x) {
  return x;
}
inline Symbol primal(Symbol x) { return x; }
template <class Scalar>
requires std::is_arithmetic_v<Scalar> Scalar primal(Scalar x) { return x; }
template <AnyDual X>
auto primal(X x) {
  return primal(x.value);
}

/// Whether X has a derivative along the first perturbation.
template <class X>
inline constexpr bool has_first = tag_of<X> == 1;
template <class V, class S>
inline constexpr bool has_first<Dual<2, V, S>> = has_first<V> || has_first<S>;

/// `start` with room for all derivatives of what is computed from it and x...: a variable to which a pointwise lambda
/// assigns again. Every other result has the type of its own derivatives: `auto y = x;` has no room for those of x * x.
template <NumberOrScalar Start, NumberOrScalar... X>
requires(Number<Start> || ... || Number<X>) auto variable(Start start, X... x) {
  using Plain = decltype((primal(start) + ... + primal(x)));
  using First = std::conditional_t<(has_first<Start> || ... || has_first<X>), Dual<1, Plain, Plain>, Plain>;
  constexpr bool second = ((tag_of<Start> == 2) || ... || (tag_of<X> == 2));
  return converted<std::conditional_t<second, Dual<2, First, First>, First>>(start);
}
template <Number A, NumberOrScalar B>
A& operator+=(A& a, B b) {
  return a = a + b;
}
template <Number A, NumberOrScalar B>
A& operator-=(A& a, B b) {
  return a = a - b;
}
template <Number A, NumberOrScalar B>
A& operator*=(A& a, B b) {
  return a = a * b;
}
template <Number A, NumberOrScalar B>
A& operator/=(A& a, B b) {
  return a = a / b;
}

// Each rule reads: same tag, then only a perturbed, then only b.

template <class A, class B>
requires DualPair<A, B>
auto operator+(A a, B b) {
  if constexpr (tag_of<A> == tag_of<B>)
    return dual<tag_of<A>>(a.value + b.value, a.derivative + b.derivative);
  else if constexpr (tag_of<A> > tag_of<B>)
    return dual<tag_of<A>>(a.value + b, a.derivative);
  else
    return dual<tag_of<B>>(a + b.value, b.derivative);
}

template <AnyDual A>
auto operator-(A a) {
  return dual<tag_of<A>>(-a.value, -a.derivative);
}

template <class A, class B>
requires DualPair<A, B>
auto operator-(A a, B b) {
  if constexpr (tag_of<A> == tag_of<B>)
    return dual<tag_of<A>>(a.value - b.value, a.derivative - b.derivative);
  else if constexpr (tag_of<A> > tag_of<B>)
    return dual<tag_of<A>>(a.value - b, a.derivative);
  else
    return dual<tag_of<B>>(a - b.value, -b.derivative);
}

template <class A, class B>
requires DualPair<A, B>
auto operator*(A a, B b) {
  if constexpr (tag_of<A> == tag_of<B>)
    return dual<tag_of<A>>(a.value * b.value, a.derivative * b.value + a.value * b.derivative);
  else if constexpr (tag_of<A> > tag_of<B>)
    return dual<tag_of<A>>(a.value * b, a.derivative * b);
  else
    return dual<tag_of<B>>(a * b.value, a * b.derivative);
}

/// -a/b². Where a is denormal, a/b may have lost digits: both get factors that cancel.
template <class A, class B>
auto quotient_derivative(A a, B b) {
  if constexpr (std::is_arithmetic_v<A> || std::is_same_v<decltype(primal(a)), Symbol>) {
    return -(a / b) / b;
  } else {
    using T = typename decltype(primal(a))::Element;
    constexpr T spacing_one = Format<T>::spacing_one;
    const auto lift = where(abs(primal(a)) < std::numeric_limits<T>::min(), Vec<T>(spacing_one), Vec<T>(1));
    return -(a * lift / b) / (b * lift);
  }
}

template <class A, class B>
requires DualPair<A, B>
auto operator/(A a, B b) {
  if constexpr (tag_of<A> == tag_of<B>) {
    const auto quotient = a.value / b.value;
    return dual<tag_of<A>>(quotient, (a.derivative - quotient * b.derivative) / b.value);
  } else if constexpr (tag_of<A> > tag_of<B>) {
    return dual<tag_of<A>>(a.value / b, a.derivative / b);
  } else {
    return dual<tag_of<B>>(a / b.value, quotient_derivative(a, b.value) * b.derivative);
  }
}

template <class A, class B>
requires DualPair<A, B>
auto operator<(A a, B b) { return primal(a) < primal(b); }
template <class A, class B>
requires DualPair<A, B>
auto operator<=(A a, B b) { return primal(a) <= primal(b); }
template <class A, class B>
requires DualPair<A, B>
auto operator>(A a, B b) { return primal(a) > primal(b); }
template <class A, class B>
requires DualPair<A, B>
auto operator>=(A a, B b) { return primal(a) >= primal(b); }
template <class A, class B>
requires DualPair<A, B>
auto operator==(A a, B b) { return primal(a) == primal(b); }
template <class A, class B>
requires DualPair<A, B>
auto operator!=(A a, B b) { return primal(a) != primal(b); }
template <AnyDual X>
auto isnan(X x) {
  return isnan(primal(x));
}

/// Picks value and derivative alike.
template <AnyMask M, class A, class B>
requires DualPair<A, B>
auto where(M mask, A a, B b) {
  const typename M::Number zero(0);
  if constexpr (tag_of<A> == tag_of<B>)
    return dual<tag_of<A>>(where(mask, a.value, b.value), where(mask, a.derivative, b.derivative));
  else if constexpr (tag_of<A> > tag_of<B>)
    return dual<tag_of<A>>(where(mask, a.value, b), where(mask, a.derivative, zero));
  else
    return dual<tag_of<B>>(where(mask, a, b.value), where(mask, zero, b.derivative));
}

// Functions of one number: f(x) has the derivative f'(x.value) · x.derivative.

template <AnyDual X>
auto exp(X x) {
  const auto value = exp(x.value);
  return dual<tag_of<X>>(value, x.derivative * value);
}
template <class Scalar, AnyDual X>
auto scaled_exp(Scalar factor, X x) {
  const auto value = scaled_exp(factor, x.value);
  return dual<tag_of<X>>(value, x.derivative * value);
}
template <AnyDual X>
auto expm1(X x) {
  return dual<tag_of<X>>(expm1(x.value), x.derivative * exp(x.value));
}
template <AnyDual X>
auto log(X x) {
  return dual<tag_of<X>>(log(x.value), x.derivative / x.value);
}
template <AnyDual X>
auto log1p(X x) {
  return dual<tag_of<X>>(log1p(x.value), x.derivative / (1 + x.value));
}
template <AnyDual X>
auto sqrt(X x) {
  const auto value = sqrt(x.value);
  return dual<tag_of<X>>(value, x.derivative * (0.5 / value));
}
template <AnyDual X>
auto sin(X x) {
  return dual<tag_of<X>>(sin(x.value), x.derivative * cos(x.value));
}
template <AnyDual X>
auto cos(X x) {
  return dual<tag_of<X>>(cos(x.value), -(x.derivative * sin(x.value)));
}
template <AnyDual X>
auto tanh_derivative(X x) {
  const auto derivative = tanh_derivative(x.value);
  return dual<tag_of<X>>(derivative, x.derivative * (-2 * tanh(x.value) * derivative));
}
template <AnyDual X>
auto tanh(X x) {
  return dual<tag_of<X>>(tanh(x.value), x.derivative * tanh_derivative(x.value));
}

/// -1, 0 or 1; NaN stays. Its derivative is 0 everywhere, so duals lose theirs.
template <class T>
Vec<T> sign(Vec<T> x) {
  return where(x > 0, Vec<T>(1), where(x < 0, Vec<T>(-1), x));
}
template <AnyDual X>
auto sign(X x) {
  return sign(primal(x));
}
template <AnyDual X>
auto floor(X x) {
  return floor(primal(x));
}
template <AnyDual X>
auto abs(X x) {
  return dual<tag_of<X>>(abs(x.value), x.derivative * sign(x.value));
}

template <AnyDual X>
auto sigmoid_derivative(X x) {
  return sigmoid(x) * sigmoid(-x);
}
template <AnyDual X>
auto sigmoid(X x) {
  return dual<tag_of<X>>(sigmoid(x.value), x.derivative * sigmoid_derivative(x.value));
}
template <AnyDual X>
auto softplus(X x) {
  return dual<tag_of<X>>(softplus(x.value), x.derivative * sigmoid(x.value));
}

/// sigmoid(x)·(1 + x·sigmoid(-x))
template <AnyDual X>
auto swish_derivative(X x) {
  return sigmoid(x) + x * sigmoid_derivative(x);
}
/// x·sigmoid(x), with its limits at ±infinity.
template <AnyDual X>
auto swish(X x) {
  return dual<tag_of<X>>(swish(x.value), x.derivative * swish_derivative(x.value));
}

template <AnyDual X>
auto mish_derivative(X x) {
  const auto s = softplus(x);
  return tanh(s) + x * (tanh_derivative(s) * sigmoid(x));
}
/// x·tanh(softplus(x)), with its limits at ±infinity.
template <AnyDual X>
auto mish(X x) {
  return dual<tag_of<X>>(mish(x.value), x.derivative * mish_derivative(x.value));
}

/// Where a and b are equal: their value, with the mean of their derivatives.
template <class T>
Vec<T> tie(Vec<T> a, Vec<T>) {
  return a;
}
template <class A, class B>
requires DualPair<A, B>
auto tie(A a, B b) {
  if constexpr (tag_of<A> == tag_of<B>)
    return dual<tag_of<A>>(tie(a.value, b.value), 0.5 * (a.derivative + b.derivative));
  else if constexpr (tag_of<A> > tag_of<B>)
    return dual<tag_of<A>>(tie(a.value, b), 0.5 * a.derivative);
  else
    return dual<tag_of<B>>(tie(a, b.value), 0.5 * b.derivative);
}

// The derivatives of x^y, as functions of their own where no further derivative is asked for.

template <class X, class Y>
requires DualPair<X, Y>
auto power_derivative_by_base(X x, Y y) {
  constexpr bool constant = !AnyDual<Y> && !std::is_same_v<Y, Symbol>;  // a symbol may be perturbed later
  const auto flat = constant ? primal(y) == 0 : (primal(y) == 0) & (primal(x) == 0);
  return where(flat, decltype(primal(x))(0), y * pow(x, y - 1));
}
template <class X, class Y>
requires DualPair<X, Y>
auto power_derivative_by_exponent(X x, Y y) {
  const auto flat = (primal(x) == 0) & (primal(y) >= 0);
  return where(flat, decltype(primal(x))(0), pow(x, y) * log(x));
}

template <class A, class B>
requires DualPair<A, B>
auto pow(A a, B b) {
  if constexpr (std::is_arithmetic_v<A>)
    return pow(decltype(primal(b))(a), b);
  else if constexpr (std::is_arithmetic_v<B>)
    return pow(a, decltype(primal(a))(b));
  else if constexpr (tag_of<A> == tag_of<B>)
    return dual<tag_of<A>>(pow(a.value, b.value), a.derivative * power_derivative_by_base(a.value, b.value) +
                                                      b.derivative * power_derivative_by_exponent(a.value, b.value));
  else if constexpr (tag_of<A> > tag_of<B>)
    return dual<tag_of<A>>(pow(a.value, b), a.derivative * power_derivative_by_base(a.value, b));
  else
    return dual<tag_of<B>>(pow(a, b.value), b.derivative * power_derivative_by_exponent(a, b.value));
}

/// f(x) with a derivative of the author's own: cheaper, or stable where the derivative of f's formula is not. Both are
/// functions of one number; the second derivative is the derivative's own.
template <class F, class Derivative, Number X>
auto with_derivative(F f, Derivative derivative, X x) {
  if constexpr (AnyDual<X>)
    return dual<tag_of<X>>(with_derivative(f, derivative, x.value), x.derivative * derivative(x.value));
  else
    return f(x);
}

}  // namespace xgrad::kernels
