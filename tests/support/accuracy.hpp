#pragma once

// How far results are from exact ones, in units in the last place, and the exact values and derivatives of the
// elementwise functions in any arithmetic that is wide enough.

#include <autograd/autograd.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

namespace accuracy {

using xgrad::Tensor;

/// The power of two at or below a number's size; 0 for what is denormal.
inline double power_below(double size) {
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(size) & 0x7ff0'0000'0000'0000);
}
inline long double power_below(long double size) {
  int exponent = 0;
  return std::frexp(size, &exponent) == 0 ? 0 : std::ldexp(0.5L, exponent);
}

/// |found - exact| in T's units in the last place of exact, or of the largest term of a sum that cancels; what is
/// beyond the largest number counts as the next one. Infinite for NaN in place of a number, and a number in place of
/// infinity. W, double or long double, holds what T does.
template <class T, class W>
[[gnu::always_inline]] inline double units_of(
    W found, W exact, W largest_term) {  // without branches, so that compilers make vectors of it
  using Limits = std::numeric_limits<T>;
  constexpr W last = W(Limits::max()) / (2 - W(Limits::epsilon())), least = W(Limits::min());  // powers of two
  const auto bounded = [](W x) { return std::clamp(x, -2 * last, 2 * last); };
  const W power = std::clamp(power_below(std::max(std::abs(exact), std::abs(largest_term))), least, last);
  const auto error = static_cast<double>(std::abs(bounded(found) - bounded(exact)) / (power * W(Limits::epsilon())));
  const bool no_number = exact != exact, none_found = found != found;
  const bool wrong = no_number | none_found | (std::abs(exact) > std::numeric_limits<W>::max());
  const bool equal = (found == exact) | (no_number & none_found);
  return equal ? 0 : wrong ? std::numeric_limits<double>::infinity() : error;
}
template <class T>
double units(T found, long double exact, long double largest_term = 0) {
  return units_of<T, long double>(found, exact, largest_term);
}

/// The largest errors seen, of normal and of denormal results, and where.
struct Worst {
  double normal = 0;
  double denormal = 0;
  std::array<double, 2> normal_at{};
  std::array<double, 2> denormal_at{};

  void look(double error, bool is_denormal, double x, double y = 0) {
    double& worst = is_denormal ? denormal : normal;
    if (!(error > worst)) return;
    worst = error;
    (is_denormal ? denormal_at : normal_at) = {x, y};
  }
  void join(const Worst& other) {
    if (other.normal > normal) normal = other.normal, normal_at = other.normal_at;
    if (other.denormal > denormal) denormal = other.denormal, denormal_at = other.denormal_at;
  }
};

// Exact values. W is double for float, long double or a multiple-precision number for double; functions are found by
// their argument or in std.

template <class W>
W sigmoid(W x) {
  using std::abs, std::exp;
  const W e = exp(-abs(x));
  return (x < 0 ? e : W(1)) / (1 + e);
}
/// e/(1 + e)² with e = exp(-|x|).
template <class W>
W sigmoid_derivative(W x) {
  using std::abs, std::exp;
  const W e = exp(-abs(x));
  return e / ((1 + e) * (1 + e));
}
template <class W>
W softplus(W x) {
  using std::abs, std::exp, std::log1p;
  return (x > 0 ? x : W(0)) + log1p(exp(-abs(x)));
}
template <class W>
W swish(W x) {
  using std::isinf;
  return isinf(x) ? (x > 0 ? x : W(0)) : x * sigmoid(x);
}
template <class W>
W swish_derivative(W x) {
  using std::isinf;
  return isinf(x) ? W(x > 0) : sigmoid(x) + x * sigmoid_derivative(x);
}
/// The larger one of two terms, which cancel at -1.278.
template <class W>
W swish_derivative_term(W x) {
  using std::abs, std::isinf;
  if (isinf(x)) return W(0);
  const W one = sigmoid(x), other = abs(x * sigmoid_derivative(x));
  return one < other ? other : one;
}

template <class W>
W mish_derivative(W x) {
  using std::isinf, std::tanh;
  if (isinf(x)) return W(x > 0);
  const W s = softplus(x);
  return tanh(s) + x * (4 * sigmoid_derivative(2 * s) * sigmoid(x));
}
/// The larger one of two terms, which cancel at -1.192.
template <class W>
W mish_derivative_term(W x) {
  using std::abs, std::isinf, std::tanh;
  if (isinf(x)) return W(0);
  const W s = softplus(x), one = tanh(s), other = abs(x * (4 * sigmoid_derivative(2 * s) * sigmoid(x)));
  return one < other ? other : one;
}

constexpr auto nothing = [](auto...) { return 0; };

/// Calls visit(name, function, value, derivative, largest term of the derivative) for functions of one argument.
template <class Visit>
void for_functions_of_one(const Visit& visit) {
  using namespace std;
  const auto step = [](auto x) { return decltype(x)(x > 0 ? 1 : x < 0 ? -1 : 0); };
  const auto keep_nan = [](auto x, auto y) { return x != x ? x : decltype(x)(y); };
  visit(
      "exp", [](const Tensor& x) { return xgrad::exp(x); }, [](auto x) { return exp(x); },
      [](auto x) { return exp(x); }, nothing);
  visit(
      "expm1", [](const Tensor& x) { return xgrad::expm1(x); }, [](auto x) { return expm1(x); },
      [](auto x) { return exp(x); }, nothing);
  visit(
      "log", [](const Tensor& x) { return xgrad::log(x); }, [](auto x) { return log(x); }, [](auto x) { return 1 / x; },
      nothing);
  visit(
      "log1p", [](const Tensor& x) { return xgrad::log1p(x); }, [](auto x) { return log1p(x); },
      [](auto x) { return 1 / (1 + x); }, nothing);
  visit(
      "sqrt", [](const Tensor& x) { return xgrad::sqrt(x); }, [](auto x) { return sqrt(x); },
      [](auto x) { return 1 / (2 * sqrt(x)); }, nothing);
  visit(
      "pow(x, 0.5)", [](const Tensor& x) { return xgrad::pow(x, 0.5); },
      [](auto x) { return isinf(x) ? abs(x) : sqrt(x + 0); },
      [](auto x) { return isinf(x) ? decltype(x)(0) : 1 / (2 * sqrt(x + 0)); }, nothing);
  visit(
      "pow(x, 3)", [](const Tensor& x) { return xgrad::pow(x, 3); }, [](auto x) { return x * x * x; },
      [](auto x) { return 3 * x * x; }, nothing);
  visit(
      "square", [](const Tensor& x) { return xgrad::square(x); }, [](auto x) { return x * x; },
      [](auto x) { return 2 * x; }, nothing);
  visit(
      "sin", [](const Tensor& x) { return xgrad::sin(x); }, [](auto x) { return sin(x); },
      [](auto x) { return cos(x); }, nothing);
  visit(
      "cos", [](const Tensor& x) { return xgrad::cos(x); }, [](auto x) { return cos(x); },
      [](auto x) { return -sin(x); }, nothing);
  visit(
      "tanh", [](const Tensor& x) { return xgrad::tanh(x); }, [](auto x) { return tanh(x); },
      [](auto x) { return 4 * sigmoid_derivative(2 * x); }, nothing);
  visit(
      "sigmoid", [](const Tensor& x) { return xgrad::sigmoid(x); }, [](auto x) { return sigmoid(x); },
      [](auto x) { return sigmoid_derivative(x); }, nothing);
  visit(
      "log_sigmoid", [](const Tensor& x) { return xgrad::log_sigmoid(x); }, [](auto x) { return -softplus(-x); },
      [](auto x) { return sigmoid(-x); }, nothing);
  visit(
      "softplus", [](const Tensor& x) { return xgrad::softplus(x); }, [=](auto x) { return keep_nan(x, softplus(x)); },
      [](auto x) { return sigmoid(x); }, nothing);
  visit(
      "swish", [](const Tensor& x) { return xgrad::swish(x); }, [](auto x) { return swish(x); },
      [](auto x) { return swish_derivative(x); }, [](auto x) { return swish_derivative_term(x); });
  visit(
      "mish", [](const Tensor& x) { return xgrad::mish(x); },
      [](auto x) { return isinf(x) ? (x > 0 ? x : decltype(x)(0)) : x * tanh(softplus(x)); },
      [](auto x) { return mish_derivative(x); }, [](auto x) { return mish_derivative_term(x); });
  visit(
      "elu", [](const Tensor& x) { return xgrad::elu(x); }, [](auto x) { return x > 0 ? x : expm1(x); },
      [](auto x) { return x > 0 ? decltype(x)(1) : exp(x); }, nothing);
  visit(
      "elu, alpha 5", [](const Tensor& x) { return xgrad::elu(x, 5); }, [](auto x) { return x > 0 ? x : 5 * expm1(x); },
      [](auto x) { return x > 0 ? decltype(x)(1) : 5 * exp(x); }, nothing);
  visit(
      "abs", [](const Tensor& x) { return xgrad::abs(x); }, [](auto x) { return abs(x); },
      [=](auto x) { return keep_nan(x, step(x)); }, nothing);
  visit(
      "relu", [](const Tensor& x) { return xgrad::relu(x); }, [](auto x) { return x <= 0 ? decltype(x)(0) : x; },
      [](auto x) { return decltype(x)(x <= 0 ? 0 : 1); }, nothing);
  visit(
      "leaky_relu", [](const Tensor& x) { return xgrad::leaky_relu(x, 0.25); },
      [](auto x) { return x > 0 ? x : x / 4; }, [](auto x) { return decltype(x)(x > 0 ? 1 : 0.25); }, nothing);
  visit(
      "hard_tanh", [](const Tensor& x) { return xgrad::hard_tanh(x); },
      [](auto x) { return x <= -1  ? decltype(x)(-1)
                          : x >= 1 ? decltype(x)(1)
                                   : x; },
      [](auto x) { return decltype(x)(x <= -1 || x >= 1 ? 0 : 1); }, nothing);
}

template <class W>
W power(W x, W y) {
  using std::pow;
  return pow(x, y);
}
/// y·x^(y-1), 0 for y = 0; limits for infinite y.
template <class W>
W power_along_base(W x, W y) {
  using std::abs, std::floor, std::isinf, std::pow;
  if (y == 0 || y == 1) return y;
  const bool whole = floor(y) == y, even = floor(y / 2) == y / 2;
  if (x < 0 && !isinf(x) && !whole) return W(NAN);
  const W size = pow(abs(x), y - 1), derivative = size == 0 ? size : y * size;
  return x < 0 && whole && even ? W(-derivative) : derivative;
}
/// x^y·log x, 0 at x = 0 for y >= 0; limits for infinite x.
template <class W>
W power_along_exponent(W x, W y) {
  using std::log, std::pow;
  if (x < 0 || y != y) return W(NAN);
  const W size = pow(x, y);
  return size == 0 ? size : size * log(x);
}

/// Calls visit(name, function, value, derivative along x, along y) for functions of two arguments.
template <class Visit>
void for_functions_of_two(const Visit& visit) {
  visit(
      "add", [](const Tensor& x, const Tensor& y) { return x + y; }, [](auto x, auto y) { return x + y; },
      [](auto x, auto) { return decltype(x)(1); }, [](auto x, auto) { return decltype(x)(1); });
  visit(
      "sub", [](const Tensor& x, const Tensor& y) { return x - y; }, [](auto x, auto y) { return x - y; },
      [](auto x, auto) { return decltype(x)(1); }, [](auto x, auto) { return decltype(x)(-1); });
  visit(
      "mul", [](const Tensor& x, const Tensor& y) { return x * y; }, [](auto x, auto y) { return x * y; },
      [](auto, auto y) { return y; }, [](auto x, auto) { return x; });
  visit(
      "div", [](const Tensor& x, const Tensor& y) { return x / y; }, [](auto x, auto y) { return x / y; },
      [](auto, auto y) { return 1 / y; }, [](auto x, auto y) { return -x / y / y; });
  visit(
      "pow", [](const Tensor& x, const Tensor& y) { return xgrad::pow(x, y); },
      [](auto x, auto y) { return power(x, y); }, [](auto x, auto y) { return power_along_base(x, y); },
      [](auto x, auto y) { return power_along_exponent(x, y); });
  visit(
      "prelu", [](const Tensor& x, const Tensor& y) { return xgrad::prelu(x, y); },
      [](auto x, auto y) { return x > 0 ? x : y * x; }, [](auto x, auto y) { return x > 0 ? decltype(x)(1) : y; },
      [](auto x, auto) { return x > 0 ? decltype(x)(0) : x; });
}

// Arguments.

template <class T, std::size_t arity>
using Arguments = std::array<std::vector<T>, arity>;

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// Both signs of zeros, ends of ranges, their neighbours, powers of two and NaN.
template <class T>
std::vector<T> special_arguments() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> sizes = {
      0, Limits::denorm_min(), Limits::min(), std::nextafter(Limits::min(), T(0)), Limits::max(), Limits::infinity()};
  for (int e = Limits::min_exponent - Limits::digits; e < Limits::max_exponent; ++e) {
    const T x = std::ldexp(T(1), e);
    for (const T near : {std::nextafter(x, T(0)), x, std::nextafter(x, Limits::max()), x * T(1.3)})
      sizes.push_back(near);
  }
  std::vector<T> result = {Limits::quiet_NaN()};
  for (const T x : sizes)
    for (const T y : {x, -x}) result.push_back(y);
  return result;
}

/// Of any size, and where functions of one argument change.
template <class T>
std::vector<T> random_arguments(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  const auto whole = [&](std::uint64_t end) { return static_cast<int>(random() % end); };
  std::vector<T> result(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double u = unit(), around = 2 * u - 1;
    const double choices[] = {2 * around,
                              5 * around,
                              50 * around,
                              800 * around,
                              std::ldexp(around, -whole(80)),
                              1 + std::ldexp(around, -whole(50)),
                              std::ldexp(around, whole(70))};
    result[i] = i % 8 == 7 ? std::bit_cast<T>(static_cast<BitsOf<T>>(random())) : static_cast<T>(choices[i % 8]);
  }
  return result;
}

/// Pairs of which most have a power that is a number of the format.
template <class T>
Arguments<T, 2> random_pairs(std::size_t count, std::uint64_t seed) {
  constexpr int range = std::numeric_limits<T>::max_exponent;
  std::mt19937_64 random(seed);
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  const auto whole = [&](int end) { return static_cast<int>(random() % static_cast<std::uint64_t>(end)); };
  const auto any_size = [&] { return static_cast<T>(std::ldexp(1 + unit(), whole(2 * range) - range)); };
  const auto any_bits = [&] { return std::bit_cast<T>(static_cast<BitsOf<T>>(random())); };
  Arguments<T, 2> result{std::vector<T>(count), std::vector<T>(count)};
  for (std::size_t i = 0; i < count; ++i) {
    T& x = result[0][i];
    T& y = result[1][i];
    const double around = 2 * unit() - 1;
    switch (i % 8) {
      case 0:
        x = any_bits(), y = any_bits();
        break;
      case 1:
        x = any_size(), y = static_cast<T>(2 * around);
        break;
      case 2:
        x = static_cast<T>(10 * unit()), y = static_cast<T>(20 * around);
        break;
      case 3:  // (1 + δ)^y
        x = static_cast<T>(1 + std::ldexp(around, -whole(22))), y = static_cast<T>(std::ldexp(around, whole(30)));
        break;
      case 4:  // to the ends of the range
        x = any_size(), y = static_cast<T>(around * 1.1 * range / std::log2(static_cast<double>(x)));
        break;
      case 5:
        x = static_cast<T>(-std::ldexp(1 + unit(), whole(20) - 10)), y = static_cast<T>(whole(41) - 20);
        break;
      case 6:  // denormal
        x = std::numeric_limits<T>::denorm_min() * static_cast<T>(whole(1 << 20)), y = static_cast<T>(2 * around);
        break;
      default:
        x = any_size(), y = static_cast<T>(std::ldexp(around, -whole(range)));
    }
  }
  return result;
}

// Measuring.

template <class T>
using Wide = std::conditional_t<sizeof(T) == 4, double, long double>;

template <class T>
Tensor leaf(const std::vector<T>& values) {
  Tensor x = xgrad::zeros({static_cast<std::int64_t>(values.size())}, xgrad::dtype_of<T>);
  x.modify([&](std::span<T> target) { std::copy(values.begin(), values.end(), target.begin()); });
  return x.requires_gradient();
}

/// The function's value and its derivative along each argument; nothing where it has none.
template <class T, class F, class... X>
auto evaluate(const F& f, const X&... x) {
  const std::array<Tensor, sizeof...(X)> leaves{leaf<T>(x)...};
  std::array<std::vector<T>, 1 + sizeof...(X)> results;
  const auto copy = [](const Tensor& from) {
    return std::vector<T>(from.template values<T>().begin(), from.template values<T>().end());
  };
  xgrad::Tape tape;
  const Tensor y = std::apply(f, leaves);
  results[0] = copy(y);
  const xgrad::Gradients gradients = tape.backward(y, xgrad::ones(y.shape(), y.dtype()));
  for (std::size_t i = 0; i < sizeof...(X); ++i)
    if (const Tensor* const g = gradients.find(leaves[i])) results[1 + i] = copy(*g);
  return results;
}

/// The value of each formula at each argument, or arguments, in the arithmetic W, in one loop, where formulas share
/// what they have in common.
template <class W, class T, std::size_t arity, class... Formula>
auto exact_results(const Arguments<T, arity>& x, const Formula&... formulas) {
  const std::size_t count = x[0].size();
  std::array<std::vector<Wide<T>>, sizeof...(Formula)> results;
  for (auto& result : results) result.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t next = 0;
    const auto at = [&](const auto&... argument) {
      ((results[next++][i] = static_cast<Wide<T>>(formulas(argument...))), ...);
    };
    std::apply([&](const auto&... of) { at(W(of[i])...); }, x);
  }
  return results;
}

/// The largest of the errors of results found at x.
template <class T, class Found, std::size_t arity>
Worst worst_of(const Arguments<T, arity>& x, const std::vector<Found>& found, const std::vector<Wide<T>>& exact,
               const std::vector<Wide<T>>& largest_term) {
  std::vector<double> errors(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) errors[i] = units_of<T, Wide<T>>(found[i], exact[i], largest_term[i]);
  Worst worst;
  for (std::size_t i = 0; i < found.size(); ++i)
    worst.look(errors[i], std::abs(exact[i]) < std::numeric_limits<T>::min(), x.front()[i],
               arity == 1 ? 0 : x.back()[i]);
  return worst;
}

/// The largest errors of the value and of the derivative; W is the arithmetic of the exact ones.
template <class T, class W = Wide<T>, class F, class Value, class Derivative, class Term>
std::array<Worst, 2> measure(const Arguments<T, 1>& x, const F& f, const Value& value, const Derivative& derivative,
                             const Term& largest_term) {
  const auto found = evaluate<T>(f, x[0]);
  const auto [values, derivatives, terms] = exact_results<W>(x, value, derivative, largest_term);
  return {worst_of(x, found[0], values, std::vector<Wide<T>>(values.size())),
          worst_of(x, found[1], derivatives, terms)};
}

/// The same for two arguments: the value and both derivatives.
template <class T, class W = Wide<T>, class F, class Value, class AlongX, class AlongY>
std::array<Worst, 3> measure(const Arguments<T, 2>& x, const F& f, const Value& value, const AlongX& along_x,
                             const AlongY& along_y) {
  const auto found = evaluate<T>(f, x[0], x[1]);
  const auto exact = exact_results<W>(x, value, along_x, along_y);
  const std::vector<Wide<T>> no_terms(x[0].size());
  return {worst_of(x, found[0], exact[0], no_terms), worst_of(x, found[1], exact[1], no_terms),
          worst_of(x, found[2], exact[2], no_terms)};
}

}  // namespace accuracy
