#pragma once

#include <autograd/kernels/simd/simd.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace xgrad::kernels {

// Elementary functions on vectors where xsimd's are slow or treat the lanes of a vector differently.

/// Σ c_k·x^(n-1-k), the coefficient of the highest power first.
template <class T, std::size_t n>
Vec<T> polynomial(Vec<T> x, const T (&coefficients)[n]) {
  Vec<T> sum = coefficients[0];
  for (std::size_t k = 1; k < n; ++k) sum = fma(sum, x, Vec<T>(coefficients[k]));
  return sum;
}

/// x = n·log 2 + r with n the integer next to x/log 2, |r| <= log 2 / 2, and e^r - 1 (Cephes: Moshier 1989). Beyond
/// [-104, 89] e^x is 0 and infinite in float; NaN stays.
struct ReducedExponent {
  Vec<float> n;
  Vec<float> rest;  // e^r - 1

  explicit ReducedExponent(Vec<float> x) {
    using Batch = Vec<float>::Batch;
    static constexpr float coefficients[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                             4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    x = xsimd::min(Batch(89), xsimd::max(Batch(-104), x.batch));  // the second operand where one is NaN
    n = xsimd::nearbyint(x.batch * Batch(1.44269504088896341f));
    const Vec<float> r = fma(n, Vec<float>(1.90465429995776804e-9f), fma(n, Vec<float>(-0x1.62e430p-1f), x));
    rest = fma(r * r, polynomial(r, coefficients), r);
  }
};

/// x · 2^n for whole n in [-200, 200].
inline Vec<float> times_power_of_two(Vec<float> x, Vec<float> n) {
#if defined(__AVX512F__)
  return Vec<float>::Batch(_mm512_scalef_ps(x.batch, n.batch));
#else
  // In two steps, since neither power may leave the range of exponents.
  const auto whole = xsimd::to_int(n.batch);
  const auto half = whole >> 1;
  const auto power = [](auto k) { return xsimd::bitwise_cast<Vec<float>::Batch>((k + 127) << 23); };
  return x.batch * power(half) * power(whole - half);
#endif
}

inline Vec<float> exp_float(Vec<float> x) {
  const ReducedExponent e(x);
  return times_power_of_two(e.rest + 1, e.n);
}

/// With s = 2^(n-1), 2·(s·(e^r - 1) + (s - ½)), which is exact to rounding for n = 0 and does not overflow early.
inline Vec<float> expm1_float(Vec<float> x) {
  const ReducedExponent e(x);
  const Vec<float> s = times_power_of_two(Vec<float>(0.5f), e.n);
  return where(x == 0, x, 2 * fma(s, e.rest, s - 0.5f));
}

/// π/2 as a sum of three numbers (Cody and Waite 1980), up to which angle x - n·π/2 by them is exact to rounding, and
/// Cephes's polynomials (Moshier 1989) in z = r² for (sin r - r)/(r·z) and (cos r - 1 + z/2)/z², |r| <= π/4.
template <class T>
struct HalfPi;
template <>
struct HalfPi<float> {
  static constexpr float parts[] = {0x1.921fb6p+0f, -0x1.777a5cp-25f, -0x1.ee59dap-50f};
  static constexpr float largest_angle = 8192;
  static constexpr float sine[] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
  static constexpr float cosine[] = {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f};
};
template <>
struct HalfPi<double> {
  static constexpr double parts[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};
  static constexpr double largest_angle = 0x1p20;
  static constexpr double sine[] = {1.58962301576546568060e-10, -2.50507477628578072866e-8, 2.75573136213857245213e-6,
                                    -1.98412698295895385996e-4, 8.33333333332211858878e-3,  -1.66666666666666307295e-1};
  static constexpr double cosine[] = {-1.13585365213876817300e-11, 2.08757008419747316778e-9,
                                      -2.75573141792967388112e-7,  2.48015872888517045348e-5,
                                      -1.38888888888730564116e-3,  4.16666666666665929218e-2};
};

/// sin x (quarter 0) or cos x (quarter 1) for angles up to the largest: with n the integer next to 2|x|/π and
/// r = |x| - n·π/2, it is ±sin r or ±cos r as n + quarter modulo 4 has it.
template <int quarter, class T>
Vec<T> sine_of_reducible(Vec<T> x) {
  using Batch = typename Vec<T>::Batch;
  using Integer = std::conditional_t<std::is_same_v<T, float>, std::int32_t, std::int64_t>;
  const Vec<T> size = abs(x);  // the sign of 0 would get lost
  const Vec<T> n = xsimd::nearbyint(size.batch * Batch(T(0.636619772367581343)));
  Vec<T> r = size;
  for (const T part : HalfPi<T>::parts) r = fma(n, Vec<T>(-part), r);
  const Vec<T> z = r * r;
  const Vec<T> sine = fma(r * z, polynomial(z, HalfPi<T>::sine), r);
  const Vec<T> cosine = fma(z * z, polynomial(z, HalfPi<T>::cosine), fma(z, Vec<T>(-0.5), Vec<T>(1)));
  const auto turns = xsimd::to_int(n.batch) + xsimd::batch<Integer>(quarter);
  // Bit 0 moved to the exponent makes a number that is not 0.
  const auto odd = xsimd::bitwise_cast<Batch>((turns & xsimd::batch<Integer>(1))
                                              << (std::numeric_limits<T>::digits - 1)) != Batch(0);
  const auto sign = (turns & xsimd::batch<Integer>(2)) << (8 * static_cast<int>(sizeof(T)) - 2);
  const Batch value = xsimd::select(odd, cosine.batch, sine.batch) ^ xsimd::bitwise_cast<Batch>(sign);
  return quarter == 0 ? value ^ xsimd::bitofsign(x.batch) : value;
}

/// The same for every angle: larger ones, infinities and NaN go through the C library, lane by lane.
template <int quarter, class T, class Scalar>
Vec<T> of_angle(Vec<T> x, const Scalar& scalar) {
  const Mask<T> reducible = abs(x) <= Vec<T>(HalfPi<T>::largest_angle);
  if (xsimd::all(reducible.bits)) [[likely]]
    return sine_of_reducible<quarter>(x);
  alignas(64) T angles[Vec<T>::width];
  alignas(64) T results[Vec<T>::width];
  where(reducible, Vec<T>(0), x).store(angles);
  for (std::size_t i = 0; i < Vec<T>::width; ++i) results[i] = scalar(angles[i]);
  return where(reducible, sine_of_reducible<quarter>(where(reducible, x, Vec<T>(0))), Vec<T>::load(results));
}

}  // namespace xgrad::kernels
