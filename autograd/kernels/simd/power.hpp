#pragma once

#include <autograd/kernels/simd/logarithm.hpp>

namespace xgrad::kernels {

// x^y = e^(y·log x) and its derivatives, with log x and y·log x as sums of two numbers, since an error of y·log x is a
// relative one of its exponential. A factor of a derivative takes part before the power of two, so that nothing
// overflows on the way. Ordinary arguments are computed at once; a vector with others among them goes through
// complete_power, which gives ordinary ones the same bits.

enum class PowerPart { value, derivative_by_base, derivative_by_exponent };  // x^y, y·x^(y-1), x^y·log x

/// From this size of y on x^y is 0, 1 or infinite.
template <class T>
inline constexpr T decisive_exponent = sizeof(T) == 4 ? T(0x1p40) : T(0x1p66);
/// For smaller y, y·x^(y-1) is y/x to rounding.
template <class T>
inline constexpr T negligible_exponent = T(0x1p-100);

/// For an ordinary x > 0, which stands for x·2^-lifted, and |y| that are not decisive, nor negligible for
/// derivative_by_base.
template <PowerPart part, class T>
Vec<T> ordinary_power(Vec<T> x, Vec<T> lifted, Vec<T> y) {
  const Pair<T> log = ReducedLogarithm<T>(x, lifted).pair();
  if constexpr (part == PowerPart::derivative_by_base) {
    const Vec<T> m = y - 1, back = m - y, lost = (y - (m - back)) + (-1 - back);  // m + lost = y - 1 (Knuth's sum)
    Pair<T> z = exact_product(m, log.head);
    z.tail = fma(lost, log.head, fma(m, log.tail, z.tail));
    const PowerOfE<T> power(z);
    return times_power_of_two(fma(y, power.rest, y), power.exponent);
  } else {
    Pair<T> z = exact_product(y, log.head);
    z.tail = fma(y, log.tail, z.tail);
    const PowerOfE<T> power(z);
    if constexpr (part == PowerPart::value) return power.value();
    const Vec<T> tail = fma(log.head, power.rest, fma(log.tail, power.rest, log.tail));
    return times_power_of_two(log.head + tail, power.exponent);
  }
}

template <PowerPart part, class T>
Mask<T> is_ordinary_for_power(Vec<T> x, Vec<T> y) {
  const Mask<T> ordinary = is_ordinary(x) & (abs(y) < decisive_exponent<T>);
  return part == PowerPart::derivative_by_base ? ordinary & (abs(y) >= negligible_exponent<T>) : ordinary;
}

/// of_size is |x|^y or a derivative of it: the same of x, where x has a minus sign, and where it is a number below 0,
/// which has whole powers only, and no derivative along y.
template <PowerPart part, class T>
Vec<T> with_sign(Vec<T> of_size, Vec<T> y, Mask<T> minus, Mask<T> below_zero) {
  const Vec<T> nan(std::numeric_limits<T>::quiet_NaN());
  if constexpr (part == PowerPart::derivative_by_exponent) return where(below_zero, nan, of_size);
  // y is whole where floor(y) = y, and odd where y/2 is not whole as well; y - 1 is odd where y is even.
  const Vec<T> half = 0.5 * y;
  const Mask<T> whole = floor(y) == y, even = floor(half) == half;
  const Mask<T> odd = whole & (part == PowerPart::derivative_by_base ? even : !even);
  return where(below_zero & !whole, nan, where(minus & odd, -of_size, of_size));
}

/// Every argument as IEEE 754-2008, 9.2.1, has it; the derivatives at its ends are limits.
template <PowerPart part, class T>
[[gnu::noinline]] Vec<T> complete_power(Vec<T> x, Vec<T> y) {
  constexpr bool of_base = part == PowerPart::derivative_by_base,
                 of_exponent = part == PowerPart::derivative_by_exponent;
  const Vec<T> infinity(std::numeric_limits<T>::infinity()), size = abs(x);
  const Mask<T> zero = size == 0, infinite = size == infinity;

  const Lifted<T> lifted(size);
  Vec<T> v = ordinary_power<part>(lifted.x, lifted.lifted, within(y, -decisive_exponent<T>, decisive_exponent<T>));
  if constexpr (of_base) v = where(abs(y) < negligible_exponent<T>, y / size, where(size == 1, y, v));

  const Vec<T> power = of_base ? y - 1 : y, end = of_base ? y * infinity : infinity;
  v = where(zero | infinite, where((zero & (power < 0)) | (infinite & (power > 0)), end, Vec<T>(0)), v);
  if constexpr (of_exponent) v = where(zero, -v, where(infinite & (y == 0), infinity, v));

  const Mask<T> minus = with_sign_of(x, Vec<T>(1)) < 0;
  v = with_sign<part>(v, y, minus, of_exponent ? x < 0 : (x < 0) & !infinite);
  v = where(isnan(x) | isnan(y), x + y, v);
  if constexpr (of_base) return where(y == 0, Vec<T>(0), where(y == 1, Vec<T>(1), v));
  return of_exponent ? v : where((y == 0) | (x == 1), Vec<T>(1), v);
}

template <PowerPart part, class T>
Vec<T> any_power(Vec<T> x, Vec<T> y) {
  const Vec<T> size = abs(x);
  if (!all(is_ordinary_for_power<part>(size, y))) [[unlikely]]
    return complete_power<part>(x, y);
  const Vec<T> v = ordinary_power<part>(size, Vec<T>(0), y);
  return any(x < 0) ? with_sign<part>(v, y, x < 0, x < 0) : v;
}

/// x^y.
template <class T>
Vec<T> power(Vec<T> x, Vec<T> y) {
  return any_power<PowerPart::value>(x, y);
}

/// y·x^(y-1), which is 0 for y = 0.
template <class T>
Vec<T> power_derivative_by_base(Vec<T> x, Vec<T> y) {
  return any_power<PowerPart::derivative_by_base>(x, y);
}

/// x^y·log x, which is 0 at x = 0 for y >= 0.
template <class T>
Vec<T> power_derivative_by_exponent(Vec<T> x, Vec<T> y) {
  return any_power<PowerPart::derivative_by_exponent>(x, y);
}

}  // namespace xgrad::kernels
