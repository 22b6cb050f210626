#pragma once

#include <autograd/kernels/simd/xsimd.hpp>

#include <concepts>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

// g++ 12 would otherwise call xsimd's functions out of line. Sanitizers' checks in the inlined code take it minutes.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define XGRAD_FLATTEN
#else
#define XGRAD_FLATTEN [[gnu::flatten]]
#endif

namespace xgrad::kernels {

/// Whether fma rounds once.
#if defined(__FMA__) || defined(__AVX512F__)
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif

// A vector of T in a register, with a vocabulary of our own: literals of any arithmetic type mix in, lookup by argument
// finds exp and where, and comparisons treat NaN as IEEE 754 does.

template <class T>
struct Vec;
template <int Tag, class V, class S>
struct Dual;

template <class T>
struct Mask {
  using Number = Vec<T>;
  xsimd::batch_bool<T> bits;

  /// Defined nowhere: a lambda that branches has been refused with SymbolMask already, once and not for every vector.
  explicit operator bool() const;

  friend Mask operator&(Mask a, Mask b) { return {a.bits & b.bits}; }
  friend Mask operator|(Mask a, Mask b) { return {a.bits | b.bits}; }
  friend Mask operator&&(Mask a, Mask b) { return {a.bits & b.bits}; }
  friend Mask operator||(Mask a, Mask b) { return {a.bits | b.bits}; }
  friend Mask operator!(Mask a) { return {!a.bits}; }
  friend bool all(Mask a) { return xsimd::all(a.bits); }
  friend bool any(Mask a) { return xsimd::any(a.bits); }
};

template <class T>
struct Vec {
  using Element = T;
  using Batch = xsimd::batch<T>;
  static constexpr std::size_t width = Batch::size;

  Batch batch;

  Vec() = default;
  Vec(Batch b) : batch(b) {}
  template <class Scalar>
  requires std::is_arithmetic_v<Scalar> Vec(Scalar scalar) : batch(static_cast<T>(scalar)) {}
  /// Defined nowhere: a lambda that would call it has been refused before.
  template <int Tag, class V, class S>
  Vec& operator=(const Dual<Tag, V, S>&);

  static Vec load(const T* source) { return Batch::load_unaligned(source); }
  void store(T* target) const { batch.store_unaligned(target); }
  /// Past the caches, for what they do not hold anyway: lines are not read before they are written. The target is
  /// aligned to a vector; others see the values after finish_streaming on this thread.
  void stream(T* target) const {
    static_assert(std::is_floating_point_v<T>);
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>)
      _mm512_stream_ps(target, batch);
    else
      _mm512_stream_pd(target, batch);
#elif defined(__AVX__)
    if constexpr (std::is_same_v<T, float>)
      _mm256_stream_ps(target, batch);
    else
      _mm256_stream_pd(target, batch);
#else
    if constexpr (std::is_same_v<T, float>)
      _mm_stream_ps(target, batch);
    else
      _mm_stream_pd(target, batch);
#endif
  }

  /// The first count lanes from the source.
  static Vec load_part(const T* source, std::size_t count, T others = 0) {
#if defined(__AVX512F__)
    const Batch rest(others);
    if constexpr (std::is_same_v<T, float>)
      return Batch(_mm512_mask_loadu_ps(rest, static_cast<__mmask16>((1u << count) - 1u), source));
    else if constexpr (std::is_same_v<T, double>)
      return Batch(_mm512_mask_loadu_pd(rest, static_cast<__mmask8>((1u << count) - 1u), source));
    else
      return Batch(_mm512_mask_loadu_epi64(rest, static_cast<__mmask8>((1u << count) - 1u), source));
#elif defined(__AVX2__)
    const auto length = static_cast<int>(count);
    const __m256i first_4 = _mm256_cmpgt_epi32(_mm256_set1_epi32(length), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    const __m256i first_8 = _mm256_cmpgt_epi32(_mm256_set1_epi32(length), _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
    const Batch rest(others);
    if constexpr (std::is_same_v<T, float>)
      return Batch(_mm256_blendv_ps(rest, _mm256_maskload_ps(source, first_4), _mm256_castsi256_ps(first_4)));
    else if constexpr (std::is_same_v<T, double>)
      return Batch(_mm256_blendv_pd(rest, _mm256_maskload_pd(source, first_8), _mm256_castsi256_pd(first_8)));
    else
      return Batch(_mm256_blendv_epi8(rest, _mm256_maskload_epi64(reinterpret_cast<const long long*>(source), first_8),
                                      first_8));
#else
    alignas(64) T lanes[width];
    for (std::size_t i = 0; i < width; ++i) lanes[i] = i < count ? source[i] : others;
    return Batch::load_aligned(lanes);
#endif
  }
  void store_part(T* target, std::size_t count) const {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>)
      _mm512_mask_storeu_ps(target, static_cast<__mmask16>((1u << count) - 1u), batch);
    else if constexpr (std::is_same_v<T, double>)
      _mm512_mask_storeu_pd(target, static_cast<__mmask8>((1u << count) - 1u), batch);
    else
      _mm512_mask_storeu_epi64(target, static_cast<__mmask8>((1u << count) - 1u), batch);
#else
    alignas(64) T lanes[width];
    batch.store_aligned(lanes);
    for (std::size_t i = 0; i < count && i < width; ++i) target[i] = lanes[i];  // g++ 12 is told where it ends
#endif
  }

  friend Vec operator+(Vec a, Vec b) { return a.batch + b.batch; }
  friend Vec operator-(Vec a, Vec b) { return a.batch - b.batch; }
  friend Vec operator*(Vec a, Vec b) { return a.batch * b.batch; }
  friend Vec operator/(Vec a, Vec b) { return a.batch / b.batch; }
  /// With the sign of 0 turned, which xsimd 8.1's 0 - a loses on AVX-512.
  friend Vec operator-(Vec a) {
    if constexpr (std::is_floating_point_v<T>)
      return a.batch ^ Batch(-T(0));
    else
      return -a.batch;
  }
  /// a · b + c, rounded once where the machine can; xsimd 8.1 has no AVX-512 kernel for it.
  friend Vec fma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>)
      return Batch(_mm512_fmadd_ps(a.batch, b.batch, c.batch));
    else if constexpr (std::is_same_v<T, double>)
      return Batch(_mm512_fmadd_pd(a.batch, b.batch, c.batch));
    else
#endif
      return xsimd::fma(a.batch, b.batch, c.batch);
  }

  friend Mask<T> operator<(Vec a, Vec b) { return {a.batch < b.batch}; }
  friend Mask<T> operator<=(Vec a, Vec b) { return {a.batch <= b.batch}; }
  friend Mask<T> operator>(Vec a, Vec b) { return {b.batch < a.batch}; }
  friend Mask<T> operator>=(Vec a, Vec b) { return {b.batch <= a.batch}; }
  friend Mask<T> operator==(Vec a, Vec b) { return {a.batch == b.batch}; }
  friend Mask<T> operator!=(Vec a, Vec b) { return {!(a.batch == b.batch)}; }

  /// a where the mask is set, b elsewhere.
  friend Vec where(Mask<T> mask, Vec a, Vec b) { return xsimd::select(mask.bits, a.batch, b.batch); }
  friend Mask<T> isnan(Vec a) { return {!(a.batch == a.batch)}; }

  friend Vec sqrt(Vec a) { return xsimd::sqrt(a.batch); }
  friend Vec floor(Vec a) { return xsimd::floor(a.batch); }
  friend Vec abs(Vec a) { return xsimd::abs(a.batch); }
  /// Stands in power.hpp; here literals mix in.
  friend Vec pow(Vec a, Vec b) { return power(a, b); }
};

inline void finish_streaming() { _mm_sfence(); }

/// Calls f with 0, 1, ..., count - 1 as types: g++ 12 unrolls loops too late to keep an array of vectors in registers.
template <std::size_t count, class F>
[[gnu::always_inline]] inline void unrolled(const F& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) { (f(std::integral_constant<std::size_t, I>{}), ...); }
  (std::make_index_sequence<count>{});
}

/// Where both branches are plain numbers.
template <class T, class A, class B>
requires(std::is_arithmetic_v<A>&& std::is_arithmetic_v<B>) Vec<T> where(Mask<T> mask, A a, B b) {
  return where(mask, Vec<T>(a), Vec<T>(b));
}

/// g · derivative in the chain rule. A zero cotangent through an infinite or NaN derivative contributes 0, and so does
/// a zero derivative under an infinite cotangent: the branch was not taken. Every other NaN stays.
template <class T>
[[gnu::always_inline]] inline Vec<T> masked_product(Vec<T> g, Vec<T> derivative) {
  const Vec<T> product = g * derivative;
  const Mask<T> lost = isnan(product);
  if (!any(lost)) [[likely]]
    return product;
  return where(lost & ((g == 0) | ((derivative == 0) & !isnan(g))), Vec<T>(0), product);
}

}  // namespace xgrad::kernels
