#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace xgrad::kernels {

// A number without a value: the vocabulary of Vec, noted step by step in the program that this thread traces
// (program.hpp). Literals stay double until the program runs.

struct Symbol {
  std::uint32_t step;

  struct At {
    std::uint32_t step;
  };
  explicit Symbol(At at) : step(at.step) {}
  template <class Scalar>
  requires std::is_arithmetic_v<Scalar> Symbol(Scalar x) : step(literal(static_cast<double>(x))) {}
  /// Compilers show this line to whoever hands an argument of a pointwise lambda to a function of double.
  operator double() const = delete;  // for std::tanh(x) write tanh(x); a lambda's x fits no function of double

 private:
  static std::uint32_t literal(double x);
};

/// Where nothing is evaluated: the argument for an input.
template <class Input>
Symbol symbol_for();

/// 1 where it holds, 0 elsewhere.
struct SymbolMask {
  using Number = Symbol;
  std::uint32_t step;

  /// For `if` and `?:`, which a pointwise lambda cannot use.
  template <std::same_as<bool> B>
  explicit operator B() const {
    static_assert(!std::same_as<B, bool>,
                  "a pointwise lambda works on many numbers at once and takes no branch: for "
                  "`if (x > 0)` and `x > 0 ? a : b` write where(x > 0, a, b)");
    return false;
  }
};

Symbol operator-(Symbol a);
Symbol operator+(Symbol a, Symbol b);
Symbol operator-(Symbol a, Symbol b);
Symbol operator*(Symbol a, Symbol b);
Symbol operator/(Symbol a, Symbol b);

SymbolMask operator<(Symbol a, Symbol b);
SymbolMask operator<=(Symbol a, Symbol b);
SymbolMask operator==(Symbol a, Symbol b);
SymbolMask operator&(SymbolMask a, SymbolMask b);
SymbolMask operator|(SymbolMask a, SymbolMask b);
SymbolMask operator!(SymbolMask a);
inline SymbolMask operator>(Symbol a, Symbol b) { return b < a; }
inline SymbolMask operator>=(Symbol a, Symbol b) { return b <= a; }
inline SymbolMask operator!=(Symbol a, Symbol b) { return !(a == b); }
inline SymbolMask operator&&(SymbolMask a, SymbolMask b) { return a & b; }
inline SymbolMask operator||(SymbolMask a, SymbolMask b) { return a | b; }

// With a number beside it, exactly: C++'s own operators, by way of double, would fit as well.
template <class A, class B>
concept SymbolAndNumber = (std::same_as<A, Symbol> && std::is_arithmetic_v<B>) ||
                          (std::is_arithmetic_v<A> && std::same_as<B, Symbol>);
template <class A, class B>
requires SymbolAndNumber<A, B> Symbol operator+(A a, B b) { return Symbol(a) + Symbol(b); }
template <class A, class B>
requires SymbolAndNumber<A, B> Symbol operator-(A a, B b) { return Symbol(a) - Symbol(b); }
template <class A, class B>
requires SymbolAndNumber<A, B> Symbol operator*(A a, B b) { return Symbol(a) * Symbol(b); }
template <class A, class B>
requires SymbolAndNumber<A, B> Symbol operator/(A a, B b) { return Symbol(a) / Symbol(b); }
template <class A, class B>
requires SymbolAndNumber<A, B> SymbolMask operator<(A a, B b) { return Symbol(a) < Symbol(b); }
template <class A, class B>
requires SymbolAndNumber<A, B> SymbolMask operator<=(A a, B b) { return Symbol(a) <= Symbol(b); }
template <class A, class B>
requires SymbolAndNumber<A, B> SymbolMask operator>(A a, B b) { return Symbol(a) > Symbol(b); }
template <class A, class B>
requires SymbolAndNumber<A, B> SymbolMask operator>=(A a, B b) { return Symbol(a) >= Symbol(b); }
template <class A, class B>
requires SymbolAndNumber<A, B> SymbolMask operator==(A a, B b) { return Symbol(a) == Symbol(b); }
template <class A, class B>
requires SymbolAndNumber<A, B> SymbolMask operator!=(A a, B b) { return Symbol(a) != Symbol(b); }

inline SymbolMask isnan(Symbol a) { return a != a; }
Symbol where(SymbolMask mask, Symbol a, Symbol b);

Symbol exp(Symbol a);
Symbol expm1(Symbol a);
Symbol log(Symbol a);
Symbol log1p(Symbol a);
Symbol sqrt(Symbol a);
Symbol sin(Symbol a);
Symbol cos(Symbol a);
Symbol tanh(Symbol a);
Symbol abs(Symbol a);
Symbol sign(Symbol a);
Symbol floor(Symbol a);
Symbol sigmoid(Symbol a);
Symbol sigmoid_derivative(Symbol a);
Symbol softplus(Symbol a);
Symbol tanh_derivative(Symbol a);
Symbol swish(Symbol a);
Symbol swish_derivative(Symbol a);
Symbol mish(Symbol a);
Symbol mish_derivative(Symbol a);
inline Symbol scaled_exp(double factor, Symbol a) { return factor * exp(a); }
Symbol pow(Symbol a, Symbol b);
template <class A, class B>
requires SymbolAndNumber<A, B> Symbol pow(A a, B b) { return pow(Symbol(a), Symbol(b)); }
Symbol power_derivative_by_base(Symbol a, Symbol b);
Symbol power_derivative_by_exponent(Symbol a, Symbol b);
Symbol tie(Symbol a, Symbol b);

/// `value`, whose derivative along x is `derivative` instead of that of its own steps.
Symbol with_known_derivative(Symbol value, Symbol derivative, Symbol x);
template <class F, class Derivative>
Symbol with_derivative(F f, Derivative derivative, Symbol x) {
  return with_known_derivative(f(x), derivative(x), x);
}

}  // namespace xgrad::kernels
