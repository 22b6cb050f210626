#pragma once

#include <autograd/kernels/simd/simd.hpp>

#include <cstdint>
#include <limits>
#include <type_traits>

namespace xgrad::kernels {

// Significands and exponents of numbers, and products with what their rounding loses.

template <class T>
struct Format {
  using Bits = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;
  static constexpr int stored_digits = std::numeric_limits<T>::digits - 1;
  static constexpr int bias = std::numeric_limits<T>::max_exponent - 1;
  static constexpr Bits one = static_cast<Bits>(bias) << stored_digits;  // the bits of 1
  static constexpr Bits exponent = (static_cast<Bits>(2) * bias + 1) << stored_digits;
  static constexpr T spacing_one = static_cast<T>(Bits{1} << stored_digits);  // from here numbers are 1 apart
  static constexpr T to_whole = spacing_one * T(1.5);  // x + to_whole is x rounded to a whole number in the last bits
};

template <class T>
using BitsOf = xsimd::batch<typename Format<T>::Bits>;

template <class T>
BitsOf<T> bits(Vec<T> x) {
  return xsimd::bitwise_cast<BitsOf<T>>(x.batch);
}
template <class T>
Vec<T> from_bits(BitsOf<T> b) {
  return xsimd::bitwise_cast<typename Vec<T>::Batch>(b);
}

/// size with the sign of x; size >= 0.
template <class T>
Vec<T> with_sign_of(Vec<T> x, Vec<T> size) {
  return size.batch | xsimd::bitofsign(x.batch);
}

/// x, or the bound; NaN stays.
template <class T>
Vec<T> at_least(Vec<T> x, T bound) {
  return xsimd::max(typename Vec<T>::Batch(bound), x.batch);  // the second operand where one is NaN
}
template <class T>
Vec<T> at_most(Vec<T> x, T bound) {
  return xsimd::min(typename Vec<T>::Batch(bound), x.batch);
}
template <class T>
Vec<T> within(Vec<T> x, T low, T high) {
  return at_most(at_least(x, low), high);
}

/// The nearest whole number to x·factor, of at most so many digits as a significand has less 2.
template <class T>
Vec<T> nearest_whole(Vec<T> x, T factor) {
  return fma(x, Vec<T>(factor), Vec<T>(Format<T>::to_whole)) - Format<T>::to_whole;
}

#if defined(__AVX512F__)
// Instructions for x·2^n and for exponents, masked: g++ 12 warns of the undefined registers in the plain intrinsics.
inline constexpr bool has_scalef = true;
inline Vec<float> scalef(Vec<float> x, Vec<float> n) {
  return Vec<float>::Batch(_mm512_maskz_scalef_ps(0xFFFF, x.batch, n.batch));
}
inline Vec<double> scalef(Vec<double> x, Vec<double> n) {
  return Vec<double>::Batch(_mm512_maskz_scalef_pd(0xFF, x.batch, n.batch));
}
inline Vec<float> getexp(Vec<float> x) { return Vec<float>::Batch(_mm512_maskz_getexp_ps(0xFFFF, x.batch)); }
inline Vec<double> getexp(Vec<double> x) { return Vec<double>::Batch(_mm512_maskz_getexp_pd(0xFF, x.batch)); }
#else
inline constexpr bool has_scalef = false;
#endif

/// 2^(n + more) for whole n, where that is a normal number.
template <int more = 0, class T>
Vec<T> power_of_two(Vec<T> n) {
  using F = Format<T>;
  const BitsOf<T> of_more(F::one + (static_cast<typename F::Bits>(more) << F::stored_digits));
  if constexpr (has_scalef)
    return scalef(from_bits<T>(of_more), n);
  else
    return from_bits<T>((bits(n + F::to_whole) << F::stored_digits) + of_more);
}

/// x·2^n, rounded once, for whole n and x that neither is denormal nor exceeds the square root of the largest number.
template <class T>
Vec<T> times_power_of_two(Vec<T> x, Vec<T> n) {
  constexpr T limit = Format<T>::bias - 1;
  if constexpr (has_scalef) return scalef(x, n);
  if (all(abs(n) <= limit)) [[likely]]
    return x * power_of_two(n);
  n = within(n, -2 * limit, 2 * limit);
  const Vec<T> half = nearest_whole(n, T(0.5));
  return x * power_of_two(half) * power_of_two(n - half);
}

/// x = significand·2^exponent, the significand from low to 2·low, for normal x > 0. 1/2 < low <= 1.
template <class T>
struct Split {
  using F = Format<T>;
  BitsOf<T> place;  // of the significand above low, in steps of the format, from the bits of 1 on
  Vec<T> exponent;
  Vec<T> significand;

  Split(Vec<T> x, typename F::Bits bits_of_low) : place(bits(x) + BitsOf<T>(F::one - bits_of_low)) {
    if constexpr (has_scalef) {
      exponent = getexp(from_bits<T>(place));
      significand = scalef(x, -exponent);
    } else {
      const BitsOf<T> biased = (place >> F::stored_digits) | bits(Vec<T>(F::spacing_one));
      exponent = from_bits<T>(biased) - (F::spacing_one + F::bias);
      significand = from_bits<T>(bits(x) - power() + BitsOf<T>(F::one));
    }
  }

  /// 2^-exponent, or 0 where that is denormal.
  Vec<T> scale() const { return has_scalef ? power_of_two(-exponent) : from_bits<T>(BitsOf<T>(2 * F::one) - power()); }

 private:
  BitsOf<T> power() const { return place & BitsOf<T>(F::exponent); }  // the bits of 2^exponent
};

/// head + tail, the tail within the rounding error of the head.
template <class T>
struct Pair {
  Vec<T> head;
  Vec<T> tail;
};

/// x·y exactly, unless it overflows or its tail is denormal (Dekker 1971 without FMA).
template <class T>
Pair<T> exact_product(Vec<T> x, Vec<T> y) {
  const Vec<T> p = x * y;
  if constexpr (has_fma) {
    return {p, fma(x, y, -p)};
  } else {
    constexpr T divider = static_cast<T>((typename Format<T>::Bits{1} << (std::numeric_limits<T>::digits + 1) / 2) + 1);
    const auto upper = [](Vec<T> z) {
      const Vec<T> t = z * divider;
      return t - (t - z);
    };
    const Vec<T> x1 = upper(x), x2 = x - x1, y1 = upper(y), y2 = y - y1;
    return {p, ((x1 * y1 - p) + x1 * y2 + x2 * y1) + x2 * y2};
  }
}

/// x·y + z where that is a number of the format, and z near -x·y.
template <class T>
Vec<T> exact_fma(Vec<T> x, Vec<T> y, Vec<T> z) {
  if constexpr (has_fma) {
    return fma(x, y, z);
  } else {
    const Pair<T> p = exact_product(x, y);
    return (z + p.head) + p.tail;
  }
}

}  // namespace xgrad::kernels
