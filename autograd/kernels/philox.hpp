#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace xgrad::kernels {

// Philox4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC'11 (2011). A block of four 32-bit words is a keyed bijection of its 128-bit counter, so any element of any fill
// can be computed by itself. Here the key is the seed; the counter is the number of the block (low half) and the
// stream.

using PhiloxBlock = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

inline constexpr std::uint64_t philox_multiplier_0 = 0xD2511F53;
inline constexpr std::uint64_t philox_multiplier_1 = 0xCD9E8D57;
inline constexpr PhiloxKey philox_weyl = {0x9E3779B9, 0xBB67AE85};
inline constexpr int philox_rounds = 10;

/// The halves of 64 bits.
constexpr std::uint32_t low_word(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
constexpr std::uint32_t high_word(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

/// One block of random words.
constexpr PhiloxBlock philox(PhiloxBlock counter, PhiloxKey key) {
  for (int round = 0; round < philox_rounds; ++round) {
    const std::uint64_t product_0 = philox_multiplier_0 * counter[0];
    const std::uint64_t product_1 = philox_multiplier_1 * counter[2];
    counter = {high_word(product_1) ^ counter[1] ^ key[0], low_word(product_1),
               high_word(product_0) ^ counter[3] ^ key[1], low_word(product_0)};
    key[0] += philox_weyl[0];
    key[1] += philox_weyl[1];
  }
  return counter;
}

/// Where a fill begins: `position` counts groups of 16 blocks, that is 64 words, from the stream's start.
struct StreamPosition {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  std::uint64_t position = 0;

  friend bool operator==(const StreamPosition&, const StreamPosition&) = default;
};

inline constexpr std::size_t lanes_per_group = 16;
inline constexpr std::size_t words_per_group = 4 * lanes_per_group;

/// Positions that `count` elements of so many words use up.
constexpr std::uint64_t positions_used(std::size_t count, std::size_t words_per_element) {
  const std::size_t per_group = words_per_group / words_per_element;
  return count / per_group + (count % per_group != 0 ? 1 : 0);
}

// Fills. Element i depends on (seed, stream, position, i) alone: the same bits for every number of threads and for
// every way of cutting a fill at a multiple of a group. T is float or double where it is free; doubles use two words.
//
// A group has 32 draws of 64 bits. Draw i < 16 is words 0 and 1 of its block i, the lower half first; draw 16 + i is
// words 2 and 3 of that block. The 64 draws of 32 bits are their halves in order.

template <class T>
inline constexpr std::size_t words_per_draw = sizeof(T) / 4;

/// Uniform on [low, high): low + (high - low) u with 24 (float) or 53 (double) random bits in u.
template <class T>
void fill_uniform(std::span<T> values, const StreamPosition& at, T low, T high);

/// Normal by G. E. P. Box, M. E. Muller (1958): two uniforms in (0, 1] and [0, 1) give two normals. Always finite: at
/// most 6.6 (float) or 8.6 (double) times std from the mean.
template <class T>
void fill_normal(std::span<T> values, const StreamPosition& at, T mean, T std);

/// 1 with the given probability (to 2^-32), else 0; T also int64. One word an element whatever T is: the same mask.
template <class T>
void fill_bernoulli(std::span<T> values, const StreamPosition& at, double probability);

/// Uniform integers in [low, low + range), without bias: D. Lemire, "Fast random integer generation in an interval"
/// (2019). Two words an element. range > 0.
void fill_integers(std::span<std::int64_t> values, const StreamPosition& at, std::int64_t low, std::uint64_t range);

/// Puts values into a random order, each with the same probability (Fisher and Yates). Two words an element.
void shuffle(std::span<std::int64_t> values, const StreamPosition& at);

}  // namespace xgrad::kernels
