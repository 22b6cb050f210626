#pragma once

#include <autograd/kernels/simd/polynomial.hpp>
#include <autograd/kernels/simd/significand.hpp>

namespace xgrad::kernels {

// e^x and what is made of it: each within 4 ulp of the exact value, derivatives included, denormal results within one
// unit.

/// log 2 in two parts, the first of so few bits that its product with an exponent is exact (Cody and Waite 1980), and
/// minimax coefficients of (e^r - 1 - r)/r² for |r| <= log 2 / 2 (tests/reference/elementary_constants.py).
template <class T>
struct Exponential;
template <>
struct Exponential<float> {
  static constexpr float ln2_head = 0x1.62e4p-1f, ln2_tail = 0x1.7f7d1cp-20f, log2_e = 0x1.715476p+0f;
  static constexpr float coefficients[] = {0x1.p-1f,      0x1.555554p-3f,  0x1.55548ep-5f,
                                           0x1.11127p-7f, 0x1.6d8cf4p-10f, 0x1.9f08b4p-13f};
  static constexpr float zero_below = -104, infinite_above = 89;
  static constexpr float far = 125;  // from here on x·e^-x is 0
};
template <>
struct Exponential<double> {
  static constexpr double ln2_head = 0x1.62e42fefa4p-1, ln2_tail = -0x1.8432a1b0e2634p-43,
                          log2_e = 0x1.71547652b82fep+0;
  static constexpr double coefficients[] = {0x1.000000000000ap-1,  0x1.55555555554fap-3,  0x1.5555555550888p-5,
                                            0x1.1111111127c51p-7,  0x1.6c16c18427385p-10, 0x1.a01a012a34d2cp-13,
                                            0x1.a0199a14b2be5p-16, 0x1.71df25a0b1cfdp-19, 0x1.28ad6aa49d8adp-22,
                                            0x1.ad7eece82e4bfp-26};
  static constexpr double zero_below = -746, infinite_above = 710;
  static constexpr double far = 800;
};

/// e^x = (1 + rest)·2^exponent with 1 + rest from √½ to √2, for |x| up to some thousands. NaN is in the rest.
template <class T>
struct PowerOfE {
  using Constants = Exponential<T>;
  Vec<T> exponent;
  Vec<T> rest;

  explicit PowerOfE(Vec<T> x) : exponent(nearest_whole(x, Constants::log2_e)), rest(expm1_of(reduced(x))) {}
  /// For every x, with nothing of use in the rest where e^x is 0 or infinite.
  explicit PowerOfE(Pair<T> x)
      : exponent(nearest_whole(x.head + x.tail, Constants::log2_e)),
        rest(expm1_of(within(reduced(x.head, x.tail), T(-0.7), T(0.7)))) {}

  Vec<T> significand() const { return rest + 1; }
  Vec<T> value() const { return times_power_of_two(significand(), exponent); }
  /// For sums with numbers from 1 on: where the power of two is denormal, another one will do.
  Vec<T> value_beside_one() const {
    constexpr T least = std::numeric_limits<T>::min_exponent;
    return has_scalef ? value() : significand() * power_of_two(at_least(exponent, least));
  }

 private:
  template <class... Tail>
  Vec<T> reduced(Vec<T> x, Tail... tail) const {
    const Vec<T> head = (fma(exponent, Vec<T>(-Constants::ln2_head), x) + ... + tail);
    return fma(exponent, Vec<T>(-Constants::ln2_tail), head);
  }
  /// For |r| <= log 2 / 2.
  static Vec<T> expm1_of(Vec<T> r) { return fma(r * r, polynomial(r, Constants::coefficients), r); }
};

template <class T>
Vec<T> exp(Vec<T> x) {
  return PowerOfE<T>(within(x, Exponential<T>::zero_below, Exponential<T>::infinite_above)).value();
}

/// factor·e^x, also where e^x itself is denormal or infinite; a factor between the square roots of the least normal and
/// the largest number.
template <class Scalar, class T>
requires std::is_arithmetic_v<Scalar> Vec<T> scaled_exp(Scalar factor, Vec<T> x) {
  const Vec<T> f(factor);
  const PowerOfE<T> power(within(x, 2 * Exponential<T>::zero_below, 2 * Exponential<T>::infinite_above));
  return times_power_of_two(fma(f, power.rest, f), power.exponent);
}

/// With s = 2^(n-1), 2·(s·(e^r - 1) + (s - ½)), which does not overflow early. e^-40 is below the rounding of 1.
template <class T>
Vec<T> expm1(Vec<T> x) {
  const PowerOfE<T> e(within(x, T(-40), Exponential<T>::infinite_above));
  const Vec<T> s = power_of_two<-1>(e.exponent);
  return where(abs(x) < std::numeric_limits<T>::epsilon() / 4, x, 2 * fma(s, e.rest, s - 0.5));
}

/// e^x for x <= 0, less 1 where the mask is set, which keeps the digits of a difference near 0.
template <class T>
Vec<T> exp_less_one_where(Mask<T> mask, Vec<T> x) {
  const PowerOfE<T> e(at_least(x, Exponential<T>::zero_below));
  if (!any(mask)) return e.value();
  const Vec<T> s = power_of_two(at_least(e.exponent, T(std::numeric_limits<T>::min_exponent)));
  return where(mask, fma(s, e.rest, s - 1), e.value());
}

/// With m = e^(-2|x|) - 1, -m/(2 + m).
template <class T>
Vec<T> tanh(Vec<T> x) {
  const PowerOfE<T> e(at_least(-2 * abs(x), T(-40)));
  const Vec<T> s = power_of_two(e.exponent);
  const Vec<T> m = fma(s, e.rest, s - 1);
  return with_sign_of(x, abs(m)) / (2 + m);
}

// What follows is made of e^-|x| = e, which does not overflow. Where that is a factor of the result, its power of two
// comes last, so that nothing is denormal on the way. (1 + e)² is e·(2 + e) + 1, which is rounded less often.

/// -|x|, but not below -limit, where e^x·x is 0.
template <class T>
Vec<T> minus_size(Vec<T> x) {
  return at_least(-abs(x), -Exponential<T>::far);
}

/// 1 - tanh(x)² = 4e/(1 + e)² with e = e^(-2|x|).
template <class T>
Vec<T> tanh_derivative(Vec<T> x) {
  const PowerOfE<T> power(minus_size(x + x));
  const Vec<T> e = power.value_beside_one();
  return times_power_of_two(4 * power.significand() / fma(e, 2 + e, Vec<T>(1)), power.exponent);
}

/// 1/(1 + e^-x) = 1/(1 + e) or e/(1 + e).
template <class T>
Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> e = PowerOfE<T>(minus_size(x)).value();
  return where(x < 0, e, Vec<T>(1)) / (1 + e);
}

/// sigmoid(x)·sigmoid(-x) = e/(1 + e)².
template <class T>
Vec<T> sigmoid_derivative(Vec<T> x) {
  const PowerOfE<T> power(minus_size(x));
  const Vec<T> e = power.value_beside_one();
  return times_power_of_two(power.significand() / fma(e, 2 + e, Vec<T>(1)), power.exponent);
}

/// x·sigmoid(x) = x/(1 + e) or x·e/(1 + e).
template <class T>
Vec<T> swish(Vec<T> x) {
  const PowerOfE<T> power(minus_size(x));
  const Mask<T> negative = x < 0;
  const Vec<T> size = at_least(x, -Exponential<T>::far);
  const Vec<T> numerator = where(negative, fma(size, power.rest, size), size);
  return times_power_of_two(numerator / (1 + power.value_beside_one()), where(negative, power.exponent, Vec<T>(0)));
}

/// (1 + e + x·e)/(1 + e)² or e·(1 + e + x)/(1 + e)².
template <class T>
Vec<T> swish_derivative(Vec<T> x) {
  x = within(x, -Exponential<T>::far, Exponential<T>::far);
  const PowerOfE<T> power(-abs(x));
  const Vec<T> e = power.value_beside_one(), sum = 1 + e + x;
  const Mask<T> negative = x < 0;
  const Vec<T> numerator = where(negative, fma(sum, power.rest, sum), fma(x, e, 1 + e));
  return times_power_of_two(numerator / fma(e, 2 + e, Vec<T>(1)), where(negative, power.exponent, Vec<T>(0)));
}

/// x·tanh(log(1 + e^x)) = x·(1 - 2e²/(1 + 2e + 2e²)) or x·e·(1 - e·(1 + e)/(2 + 2e + e²)).
template <class T>
Vec<T> mish(Vec<T> x) {
  const PowerOfE<T> power(minus_size(x));
  const Mask<T> negative = x < 0;
  const Vec<T> e = power.value_beside_one(), size = at_least(x, -Exponential<T>::far);
  const Vec<T> denominator = where(negative, fma(e, 2 + e, Vec<T>(2)), fma(2 * e, 1 + e, Vec<T>(1)));
  const Vec<T> left_out = e * where(negative, 1 + e, 2 * e) / denominator;
  const Vec<T> left = where(negative, fma(size, power.rest, size), size) * (1 - left_out);
  return times_power_of_two(left, where(negative, power.exponent, Vec<T>(0)));
}

/// (1 + 4e + (4x + 6)·e² + 4(x + 1)·e³)/(1 + 2e + 2e²)² or e·(4(x + 1) + (4x + 6)·e + 4e² + e³)/(2 + 2e + e²)², the
/// squares as polynomials, which are rounded less often.
template <class T>
Vec<T> mish_derivative(Vec<T> x) {
  x = within(x, -Exponential<T>::far, Exponential<T>::far);
  const PowerOfE<T> power(-abs(x));
  const Mask<T> negative = x < 0;
  const Vec<T> e = power.value_beside_one(), a = 4 * (x + 1), b = 4 * x + 6;
  const Vec<T> left = fma(e, fma(e, 4 + e, b), a), right = fma(e, fma(e, fma(e, a, b), Vec<T>(4)), Vec<T>(1));
  const auto square = [e](int c4, int c3, int c1, int c0) {
    return fma(e, fma(e, fma(e, fma(e, Vec<T>(c4), Vec<T>(c3)), Vec<T>(8)), Vec<T>(c1)), Vec<T>(c0));
  };
  const Vec<T> numerator = where(negative, fma(left, power.rest, left), right);
  const Vec<T> denominator = where(negative, square(1, 4, 8, 4), square(4, 8, 4, 1));
  return times_power_of_two(numerator / denominator, where(negative, power.exponent, Vec<T>(0)));
}

}  // namespace xgrad::kernels
