#include <autograd/kernels/philox.hpp>
#include <autograd/kernels/simd/logarithm.hpp>
#include <autograd/parallel/parallel.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <type_traits>
#include <utility>

namespace xgrad::kernels {

namespace {

// The draws of a group, in words of 32 or 64 bits.
template <class Word>
inline constexpr std::size_t draws_per_group = words_per_group * sizeof(std::uint32_t) / sizeof(Word);
template <class Word>
using Draws = std::array<Word, draws_per_group<Word>>;

template <class T>
using WordFor = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

using Lanes = xsimd::batch<std::uint64_t>;
constexpr std::uint64_t low_half = 0xFFFFFFFF;

/// The 64-bit product of the lower halves; the upper ones are ignored.
Lanes wide_product(Lanes a, Lanes b) {
#if defined(__AVX512F__)
  return Lanes(_mm512_mul_epu32(a, b));
#elif defined(__AVX2__)
  return Lanes(_mm256_mul_epu32(a, b));
#elif defined(__SSE2__)
  return Lanes(_mm_mul_epu32(a, b));
#else
  return (a & Lanes(low_half)) * (b & Lanes(low_half));
#endif
}

PhiloxKey key_of(std::uint64_t seed) { return {low_word(seed), high_word(seed)}; }

PhiloxBlock counter_of(std::uint64_t block, std::uint64_t stream) {
  return {low_word(block), high_word(block), low_word(stream), high_word(stream)};
}

std::uint64_t long_draw_of(const PhiloxBlock& block, std::size_t half) {
  return block[2 * half] | std::uint64_t{block[2 * half + 1]} << 32;
}

/// The groups of one stream. The words of 16 blocks are computed side by side in the lower halves of 64-bit lanes; what
/// a product leaves in an upper half is ignored by the next product.
class Groups {
 public:
  explicit Groups(const StreamPosition& at) : at_(at) {
    PhiloxKey key = key_of(at.seed);
    for (auto& keys : keys_)
      for (std::size_t i = 0; i < 2; ++i) {
        keys[i] = Lanes(std::uint64_t{key[i]});
        key[i] += philox_weyl[i];
      }
  }

  template <class Word>
  void draw(std::size_t group, Draws<Word>& draws) const {
    constexpr std::size_t registers = lanes_per_group / Lanes::size;
    alignas(64) static constexpr std::array<std::uint64_t, lanes_per_group> lane = {0, 1, 2,  3,  4,  5,  6,  7,
                                                                                    8, 9, 10, 11, 12, 13, 14, 15};
    const Lanes multiplier_0(philox_multiplier_0);
    const Lanes multiplier_1(philox_multiplier_1);
    const PhiloxBlock first = counter_of(first_block(group), at_.stream);
    std::array<Lanes, registers> x0, x1, x2, x3;
    for (std::size_t i = 0; i < registers; ++i) {
      // No carry: the first block is a multiple of 16.
      x0[i] = Lanes(std::uint64_t{first[0]}) | Lanes::load_aligned(&lane[i * Lanes::size]);
      x1[i] = Lanes(std::uint64_t{first[1]});
      x2[i] = Lanes(std::uint64_t{first[2]});
      x3[i] = Lanes(std::uint64_t{first[3]});
    }
    for (const auto& key : keys_) {
      for (std::size_t i = 0; i < registers; ++i) {
        const Lanes product_0 = wide_product(x0[i], multiplier_0);
        const Lanes product_1 = wide_product(x2[i], multiplier_1);
        x0[i] = (product_1 >> 32) ^ x1[i] ^ key[0];
        x1[i] = product_1;
        x2[i] = (product_0 >> 32) ^ x3[i] ^ key[1];
        x3[i] = product_0;
      }
    }
    constexpr std::size_t stride = draws_per_group<Word> / 2 / registers;
    for (std::size_t i = 0; i < registers; ++i) {
      store((x0[i] & Lanes(low_half)) | (x1[i] << 32), &draws[i * stride]);
      store((x2[i] & Lanes(low_half)) | (x3[i] << 32), &draws[(registers + i) * stride]);
    }
  }

  /// Another 64 bits for draw i of a group, when it was rejected so many times: its block goes through the cipher
  /// again.
  std::uint64_t redraw(std::size_t group, std::size_t i, int rejections) const {
    PhiloxBlock block = counter_of(first_block(group) + i % lanes_per_group, at_.stream);
    for (int n = 0; n <= rejections; ++n) block = philox(block, key_of(at_.seed));
    return long_draw_of(block, i / lanes_per_group);
  }

 private:
  template <class Word>
  static void store(Lanes words, Word* target) {
    xsimd::bitwise_cast<xsimd::batch<Word>>(words).store_aligned(target);
  }
  std::uint64_t first_block(std::size_t group) const { return (at_.position + group) * lanes_per_group; }

  StreamPosition at_;
  std::array<std::array<Lanes, 2>, philox_rounds> keys_;
};

/// Calls `convert(groups, group, draws, target)` for each group of `Draws<Word>::size` elements, in parallel. The last
/// group may be converted beyond the end, elsewhere, so that every element goes through the same code.
template <class Word, class T, class Convert>
void fill(std::span<T> values, const StreamPosition& at, const Convert& convert) {
  constexpr std::size_t per_group = draws_per_group<Word>;
  constexpr std::size_t groups_per_block = 256;
  constexpr std::size_t block_size = groups_per_block * per_group;
  parallel_blocks(divide_up(values.size(), block_size), [&](std::size_t block) {
    const Groups groups(at);
    const Convert convert_here = convert;  // a local copy: what is written cannot alias what it captured
    alignas(64) Draws<Word> draws;
    const std::size_t end = std::min(values.size(), (block + 1) * block_size);
    std::size_t group = block * groups_per_block;
    std::size_t first = block * block_size;
    for (; first + per_group <= end; first += per_group, ++group) {
      groups.draw<Word>(group, draws);
      convert_here(groups, group, draws, &values[first]);
    }
    if (first < end) {
      alignas(64) std::array<T, per_group> last;
      groups.draw<Word>(group, draws);
      convert_here(groups, group, draws, last.data());
      std::copy_n(last.data(), end - first, &values[first]);
    }
  });
}

/// A uniform integer below range from 64 random bits; `redraw(n)` gives others after the n-th rejection. Lemire (2019),
/// algorithm 5.
template <class Redraw>
std::uint64_t bounded(std::uint64_t draw, std::uint64_t range, const Redraw& redraw) {
  __extension__ using Product = unsigned __int128;
  Product product = static_cast<Product>(draw) * range;
  if (static_cast<std::uint64_t>(product) < range) [[unlikely]] {
    const std::uint64_t threshold = (0 - range) % range;  // 2^64 mod range
    for (int rejections = 1; static_cast<std::uint64_t>(product) < threshold; ++rejections)
      product = static_cast<Product>(redraw(rejections)) * range;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

/// Uniforms of one group in [0, 1), with the 24 or 53 bits that T holds exactly.
inline float unit(std::uint32_t draw) { return static_cast<float>(static_cast<std::int32_t>(draw >> 8)) * 0x1p-24f; }
inline double unit(std::uint64_t draw) { return static_cast<double>(static_cast<std::int64_t>(draw >> 11)) * 0x1p-53; }

/// Uniforms in (0, 1]. float takes 31 bits, rounded: the smallest one decides how far the normal distribution reaches.
inline float positive_unit(std::uint32_t draw) {
  return (static_cast<float>(static_cast<std::int32_t>(draw >> 1)) + 1.0f) * 0x1p-31f;
}
inline double positive_unit(std::uint64_t draw) {
  return static_cast<double>(static_cast<std::int64_t>(draw >> 11) + 1) * 0x1p-53;
}

}  // namespace

template <class T>
void fill_uniform(std::span<T> values, const StreamPosition& at, T low, T high) {
  const T range = high - low;
  const T largest = std::nextafter(high, low);  // rounding may reach high
  fill<WordFor<T>>(values, at, [=](const Groups&, std::size_t, const auto& draws, T* target) {
    for (std::size_t i = 0; i < draws.size(); ++i) {
      const T value = low + range * unit(draws[i]);
      target[i] = value < largest ? value : largest;
    }
  });
}

template <class T>
void fill_normal(std::span<T> values, const StreamPosition& at, T mean, T std) {
  fill<WordFor<T>>(values, at, [=](const Groups&, std::size_t, const auto& draws, T* target) {
    constexpr std::size_t pairs = draws_per_group<WordFor<T>> / 2;
    alignas(64) std::array<T, pairs> first, second;
    for (std::size_t i = 0; i < pairs; ++i) first[i] = positive_unit(draws[i]);
    for (std::size_t i = 0; i < pairs; ++i) second[i] = unit(draws[pairs + i]);
    for (std::size_t i = 0; i < pairs; i += Vec<T>::width) {
      // √(-2 log u₁) (cos 2πu₂, sin 2πu₂); log must not be above 0 where it rounds.
      const Vec<T> logarithm = log(Vec<T>::load(&first[i]));
      const Vec<T> radius = sqrt(-2.0 * where(logarithm < 0, logarithm, Vec<T>(0))) * Vec<T>(std);
      const Vec<T> angle = Vec<T>(2 * std::numbers::pi_v<T>) * Vec<T>::load(&second[i]);
      // xsimd reduces all angles of a vector as the largest demands; here a vector always holds the same elements.
      const auto [sine, cosine] = xsimd::sincos(angle.batch);
      (mean + radius * Vec<T>(cosine)).store(target + i);
      (mean + radius * Vec<T>(sine)).store(target + pairs + i);
    }
  });
}

template <class T>
void fill_bernoulli(std::span<T> values, const StreamPosition& at, double probability) {
  const auto threshold = static_cast<std::uint64_t>(std::ldexp(probability, 32));
  // An unsigned draw is below the threshold when it is at most the threshold less 1, which fits 32 bits.
  const auto limit = static_cast<std::uint32_t>(threshold - 1);
  const T one = threshold == 0 ? T(0) : T(1);
  fill<std::uint32_t>(values, at, [=](const Groups&, std::size_t, const auto& draws, T* target) {
    for (std::size_t i = 0; i < draws.size(); ++i) target[i] = draws[i] <= limit ? one : T(0);
  });
}

void fill_integers(std::span<std::int64_t> values, const StreamPosition& at, std::int64_t low, std::uint64_t range) {
  fill<std::uint64_t>(
      values, at, [=](const Groups& groups, std::size_t group, const auto& draws, std::int64_t* target) {
        for (std::size_t i = 0; i < draws.size(); ++i) {
          const std::uint64_t above =
              bounded(draws[i], range, [&](int rejections) { return groups.redraw(group, i, rejections); });
          target[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + above);
        }
      });
}

void shuffle(std::span<std::int64_t> values, const StreamPosition& at) {
  const Groups groups(at);
  alignas(64) Draws<std::uint64_t> draws;
  for (std::size_t k = 0; k < values.size(); ++k) {
    const std::size_t group = k / draws.size();
    const std::size_t i = k % draws.size();
    if (i == 0) groups.draw<std::uint64_t>(group, draws);
    // The last of the values without a place yet swaps with any of them.
    const std::size_t last = values.size() - 1 - k;
    const std::uint64_t chosen =
        bounded(draws[i], last + 1, [&](int rejections) { return groups.redraw(group, i, rejections); });
    std::swap(values[last], values[chosen]);
  }
}

#define XGRAD_INSTANTIATE(T)                                             \
  template void fill_uniform(std::span<T>, const StreamPosition&, T, T); \
  template void fill_normal(std::span<T>, const StreamPosition&, T, T);  \
  template void fill_bernoulli(std::span<T>, const StreamPosition&, double);
XGRAD_INSTANTIATE(float)
XGRAD_INSTANTIATE(double)
#undef XGRAD_INSTANTIATE
template void fill_bernoulli(std::span<std::int64_t>, const StreamPosition&, double);

}  // namespace xgrad::kernels
