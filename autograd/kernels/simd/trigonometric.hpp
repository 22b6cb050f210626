#pragma once

#include <autograd/kernels/simd/polynomial.hpp>
#include <autograd/kernels/simd/significand.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace xgrad::kernels {

/// π/2 as a sum of three numbers (Cody and Waite 1980), up to which angle x - n·π/2 by them is exact to rounding, and
/// Cephes's polynomials (Moshier 1989) in z = r² for (sin r - r)/(r·z) and (cos r - 1 + z/2)/z², |r| <= π/4.
template <class T>
struct HalfPi;
template <>
struct HalfPi<float> {
  static constexpr float parts[] = {0x1.921fb6p+0f, -0x1.777a5cp-25f, -0x1.ee59dap-50f};
  static constexpr float largest_angle = 8192;
  static constexpr float sine[] = {-1.6666654611e-1f, 8.3321608736e-3f, -1.9515295891e-4f};
  static constexpr float cosine[] = {4.166664568298827e-2f, -1.388731625493765e-3f, 2.443315711809948e-5f};
};
template <>
struct HalfPi<double> {
  static constexpr double parts[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};
  static constexpr double largest_angle = 0x1p20;
  static constexpr double sine[] = {-1.66666666666666307295e-1, 8.33333333332211858878e-3,  -1.98412698295895385996e-4,
                                    2.75573136213857245213e-6,  -2.50507477628578072866e-8, 1.58962301576546568060e-10};
  static constexpr double cosine[] = {4.16666666666665929218e-2, -1.38888888888730564116e-3,
                                      2.48015872888517045348e-5, -2.75573141792967388112e-7,
                                      2.08757008419747316778e-9, -1.13585365213876817300e-11};
};

/// sin x (quarter 0) or cos x (quarter 1) for angles up to the largest: with n the integer next to 2|x|/π and
/// r = |x| - n·π/2, it is ±sin r or ±cos r as n + quarter modulo 4 has it.
template <int quarter, class T>
Vec<T> sine_of_reducible(Vec<T> x) {
  using Batch = typename Vec<T>::Batch;
  const Vec<T> size = abs(x);  // the sign of 0 would get lost
  const Vec<T> shifted = fma(size, Vec<T>(0.636619772367581343), Vec<T>(Format<T>::to_whole));
  const Vec<T> n = shifted - Format<T>::to_whole;
  Vec<T> r = size;
  for (const T part : HalfPi<T>::parts) r = exact_fma(n, Vec<T>(-part), r);
  const Vec<T> z = r * r;
  const Vec<T> sine = fma(r * z, polynomial(z, HalfPi<T>::sine), r);
  const Vec<T> cosine = fma(z * z, polynomial(z, HalfPi<T>::cosine), fma(z, Vec<T>(-0.5), Vec<T>(1)));
  const BitsOf<T> turns = bits(shifted) + BitsOf<T>(quarter);
  // Bit 0 moved to the exponent makes a positive number.
  const Mask<T> odd = from_bits<T>((turns & BitsOf<T>(1)) << Format<T>::stored_digits) > 0;
  const Vec<T> sign = from_bits<T>((turns & BitsOf<T>(2)) << (8 * static_cast<int>(sizeof(T)) - 2));
  const Batch value = where(odd, cosine, sine).batch ^ sign.batch;
  return quarter == 0 ? value ^ xsimd::bitofsign(x.batch) : value;
}

/// The same for every angle: larger ones, infinities and NaN go through the C library, lane by lane.
template <int quarter, class T, class Scalar>
Vec<T> of_angle(Vec<T> x, const Scalar& scalar) {
  const Mask<T> reducible = abs(x) <= Vec<T>(HalfPi<T>::largest_angle);
  if (all(reducible)) [[likely]]
    return sine_of_reducible<quarter>(x);
  alignas(64) T angles[Vec<T>::width];
  alignas(64) T results[Vec<T>::width];
  where(reducible, Vec<T>(0), x).store(angles);
  for (std::size_t i = 0; i < Vec<T>::width; ++i) results[i] = scalar(angles[i]);
  return where(reducible, sine_of_reducible<quarter>(where(reducible, x, Vec<T>(0))), Vec<T>::load(results));
}

template <class T>
Vec<T> sin(Vec<T> x) {
  return of_angle<0>(x, [](T angle) { return std::sin(angle); });
}
template <class T>
Vec<T> cos(Vec<T> x) {
  return of_angle<1>(x, [](T angle) { return std::cos(angle); });
}

}  // namespace xgrad::kernels
