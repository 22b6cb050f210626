#pragma once

#include <autograd/kernels/simd/exponential.hpp>

namespace xgrad::kernels {

// Logarithms by a table (Tang 1990): x = m·2^k, and an entry c next to 1/m of so few bits that r = m·c - 1 is exact;
// log x = k·log 2 - log c + log(1 + r).

/// For the i-th of 16 parts of [55/64, 55/32), which are as wide as 1/16 of an octave of numbers: c, -log c in two
/// parts, the first of which leaves its sum with k·ln2_head exact; and minimax coefficients of
/// (log(1 + r) - r + r²/2)/r³ (tests/reference/elementary_constants.py).
template <class T>
struct Logarithm;
template <>
struct Logarithm<float> {
  static constexpr std::uint32_t low = 0x3f5c0000;  // 55/64
  alignas(64) static constexpr float inverse[] = {0x1.28p+0f, 0x1.18p+0f, 0x1.1p+0f,  0x1.08p+0f, 0x1.p+0f,  0x1.ep-1f,
                                                  0x1.c8p-1f, 0x1.bp-1f,  0x1.98p-1f, 0x1.88p-1f, 0x1.7p-1f, 0x1.6p-1f,
                                                  0x1.58p-1f, 0x1.48p-1f, 0x1.38p-1f, 0x1.3p-1f};
  alignas(64) static constexpr float head[] = {
      -0x1.2958p-3f, -0x1.6f1p-4f, -0x1.f0ap-5f, -0x1.f84p-6f, 0x0p+0f,      0x1.086p-4f, 0x1.da7p-4f,  0x1.5bf8p-3f,
      0x1.d1p-3f,    0x1.1178p-2f, 0x1.522cp-2f, 0x1.7fbp-2f,  0x1.973cp-2f, 0x1.c8p-2f,  0x1.fb34p-2f, 0x1.0ae8p-1f};
  alignas(64) static constexpr float tail[] = {0x1.683fp-18f,    0x1.6ba8d4p-19f,  -0x1.86008cp-20f, 0x1.64f188p-18f,
                                               0x0p+0f,          -0x1.9d2988p-18f, 0x1.3b1c22p-19f,  -0x1.fca55ep-18f,
                                               0x1.bf932ap-18f,  0x1.d044fcp-19f,  -0x1.1f8c76p-18f, -0x1.7109fap-20f,
                                               -0x1.cbcecap-18f, -0x1.8e2eaap-20f, 0x1.8af7a4p-18f,  -0x1.23a5f6p-18f};
  static constexpr float coefficients[] = {0x1.555552p-2f, -0x1.ffff88p-3f, 0x1.9a0462p-3f, -0x1.57ea8p-3f};
  static constexpr float lift = 32;
};
template <>
struct Logarithm<double> {
  static constexpr std::uint64_t low = 0x3feb800000000000;
  alignas(64) static constexpr double inverse[] = {0x1.28p+0, 0x1.18p+0, 0x1.1p+0,  0x1.08p+0, 0x1.p+0,  0x1.ep-1,
                                                   0x1.c8p-1, 0x1.bp-1,  0x1.98p-1, 0x1.88p-1, 0x1.7p-1, 0x1.6p-1,
                                                   0x1.58p-1, 0x1.48p-1, 0x1.38p-1, 0x1.3p-1};
  alignas(64) static constexpr double head[] = {
      -0x1.29552f82p-3,  -0x1.6f0d28ae58p-4, -0x1.f0a30c0118p-5, -0x1.f829b0e78p-6, 0x0p+0,
      0x1.08598b59e4p-4, 0x1.da72763844p-4,  0x1.5bf406b544p-3,  0x1.d1037f2656p-3, 0x1.1178e8227ep-2,
      0x1.522ae0738ap-2, 0x1.7fafa3bd81p-2,  0x1.973a343135p-2,  0x1.c7ff9c7455p-2, 0x1.fb358af7a5p-2,
      0x1.0ae76e2d058p-1};
  alignas(64) static constexpr double tail[] = {0x1.5b967f4471dfcp-44,
                                                0x1.4b4641b664613p-44,
                                                0x1.d599e83368e91p-45,
                                                -0x1.980267c7e09e4p-45,
                                                0x0p+0,
                                                -0x1.7e5dd7009902cp-46,
                                                0x1.a89401fa71733p-46,
                                                -0x1.27023eb68981cp-46,
                                                -0x1.84a7e75b6f6e4p-47,
                                                0x1.1ef78ce2d07f2p-44,
                                                0x1.ebe708164c759p-45,
                                                0x1.46fb79bf6d4cbp-44,
                                                0x1.ab73b16bf4984p-44,
                                                0x1.324911f56db29p-44,
                                                -0x1.def40b87d36d9p-44,
                                                -0x1.82de51de06076p-44};
  static constexpr double coefficients[] = {0x1.5555555555556p-2,  -0x1.ffffffffffe7fp-3, 0x1.99999999937b9p-3,
                                            -0x1.5555555825e97p-3, 0x1.2492497998471p-3,  -0x1.ffffc787c07ecp-4,
                                            0x1.c718eaec9846ap-4,  -0x1.9a82c45fa62c1p-4, 0x1.7af9307987628p-4};
  static constexpr double lift = 64;
};

/// table[i modulo 16] in every lane.
template <class T>
Vec<T> look_up(const T (&table)[16], BitsOf<T> i) {
  using Batch = typename Vec<T>::Batch;
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>)
    return Batch(_mm512_maskz_permutexvar_ps(0xFFFF, i, _mm512_load_ps(table)));
  else
    return Batch(_mm512_permutex2var_pd(_mm512_load_pd(table), i, _mm512_load_pd(table + 8)));
#elif defined(__AVX2__)
  if constexpr (std::is_same_v<T, float>) {
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_load_ps(table), i);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_load_ps(table + 8), i);
    return Batch(_mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(i, 28))));  // by bit 3
  } else {
    return Batch(_mm256_i64gather_pd(table, i & BitsOf<T>(15), 8));
  }
#else
  alignas(64) typename Format<T>::Bits places[Vec<T>::width];
  alignas(64) T values[Vec<T>::width];
  (i & BitsOf<T>(15)).store_aligned(places);
  for (std::size_t k = 0; k < Vec<T>::width; ++k) values[k] = table[places[k]];
  return Vec<T>::load(values);
#endif
}

/// log x = base + log(1 + r); x normal and positive.
template <class T>
struct ReducedLogarithm {
  Split<T> split;
  Vec<T> inverse;  // c
  Vec<T> r;
  Pair<T> base;

  /// Of x·2^-lifted.
  explicit ReducedLogarithm(Vec<T> x, Vec<T> lifted = 0) : split(x, Logarithm<T>::low) {
    constexpr int index_bits = 4;
    const BitsOf<T> i = split.place >> (Format<T>::stored_digits - index_bits);
    inverse = look_up(Logarithm<T>::inverse, i);
    r = exactly_reduced(split.significand);
    const Vec<T> exponent = split.exponent - lifted;
    base.head = fma(exponent, Vec<T>(Exponential<T>::ln2_head), look_up(Logarithm<T>::head, i));
    base.tail = fma(exponent, Vec<T>(Exponential<T>::ln2_tail), look_up(Logarithm<T>::tail, i));
  }

  /// base + log(1 + r)
  Vec<T> value() const {
    const Vec<T> square = r * r * fma(r, polynomial(r, Logarithm<T>::coefficients), Vec<T>(-0.5));
    const Vec<T> sum = base.head + r, lost = (base.head - sum) + r;
    return sum + (lost + base.tail + square);
  }

  /// The same with twice as many digits, less some.
  Pair<T> pair() const {
    const Vec<T> sum = base.head + r, lost = (base.head - sum) + r;
    const Pair<T> square = exact_product(-0.5 * r, r);
    const Vec<T> head = sum + square.head, lost_again = (sum - head) + square.head;
    const Vec<T> cube = -2 * r * square.head * polynomial(r, Logarithm<T>::coefficients);
    return {head, ((lost + base.tail) + (lost_again + square.tail)) + cube};
  }

 private:
  Vec<T> exactly_reduced(Vec<T> m) const {
    if constexpr (has_fma) {
      return fma(m, inverse, Vec<T>(-1));
    } else {
      const Vec<T> upper = from_bits<T>(bits(m) & BitsOf<T>(~typename Format<T>::Bits{127}));
      return (upper * inverse - 1) + (m - upper) * inverse;
    }
  }
};

/// Whether x is so far from the ends of its range that it can be taken apart and multiplied by 2.
template <class T>
Mask<T> is_ordinary(Vec<T> x) {
  return (x >= std::numeric_limits<T>::min()) & (x < std::numeric_limits<T>::max() / 2);
}

/// x·2^lifted, which is ordinary.
template <class T>
struct Lifted {
  Vec<T> x;
  Vec<T> lifted;
  explicit Lifted(Vec<T> size) {
    constexpr T lift = Logarithm<T>::lift;
    const Mask<T> small = size < 1;
    lifted = where(small, Vec<T>(lift), Vec<T>(-lift));
    x = size * power_of_two(lifted);
  }
};

/// log of denormal and of the largest numbers, 0, negative ones, infinity and NaN.
template <class T>
[[gnu::noinline]] Vec<T> complete_log(Vec<T> x) {
  const Vec<T> infinity(std::numeric_limits<T>::infinity());
  const Lifted<T> lifted(x);
  Vec<T> y = ReducedLogarithm<T>(lifted.x, lifted.lifted).value();
  y = where(x == 0, -infinity, y);
  y = where(x < 0, Vec<T>(std::numeric_limits<T>::quiet_NaN()), y);
  return where((x == infinity) | isnan(x), x, y);
}

template <class T>
Vec<T> log(Vec<T> x) {
  return all(is_ordinary(x)) ? ReducedLogarithm<T>(x).value() : complete_log(x);
}

/// log(x + lost) for an ordinary x > 0 whose rounding has lost the rest.
template <class T>
Vec<T> log_of_sum(Vec<T> x, Vec<T> lost) {
  ReducedLogarithm<T> reduced(x);
  reduced.r = fma(lost * reduced.split.scale(), reduced.inverse, reduced.r);
  return reduced.value();
}
template <class T>
Vec<T> ordinary_log1p(Vec<T> x) {
  const Vec<T> sum = 1 + x, back = sum - 1;
  return log_of_sum(sum, (x - back) + (1 - (sum - back)));  // Knuth's sum
}

template <class T>
Mask<T> is_ordinary_for_log1p(Vec<T> x) {
  return (x > -1) & (x < std::numeric_limits<T>::max() / 2);
}

template <class T>
[[gnu::noinline]] Vec<T> complete_log1p(Vec<T> x) {
  return where(is_ordinary_for_log1p(x), ordinary_log1p(x), complete_log(1 + x));
}

template <class T>
Vec<T> log1p(Vec<T> x) {
  const Vec<T> y = all(is_ordinary_for_log1p(x)) ? ordinary_log1p(x) : complete_log1p(x);
  return where(x == 0, x, y);
}

/// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|); derivative sigmoid(x).
template <class T>
Vec<T> softplus(Vec<T> x) {
  const Vec<T> e = PowerOfE<T>(minus_size(x)).value(), sum = 1 + e;
  return at_least(x, T(0)) + log_of_sum(sum, e - (sum - 1));  // Dekker's sum
}

}  // namespace xgrad::kernels
