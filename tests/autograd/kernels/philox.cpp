#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/kernels/philox.hpp>
#include <autograd/tensor/creation.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

using namespace xgrad;
using namespace xgrad::kernels;

namespace {

struct KnownAnswer {
  PhiloxBlock counter;
  PhiloxKey key;
  PhiloxBlock block;
};

// Random123 1.14, tests/kat_vectors, lines "philox4x32 10".
constexpr std::array<KnownAnswer, 3> known_answers = {{
    {{0, 0, 0, 0}, {0, 0}, {0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}},
    {{0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF},
     {0xFFFFFFFF, 0xFFFFFFFF},
     {0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}},
    {{0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344},
     {0xA4093822, 0x299F31D0},
     {0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}},
}};

std::uint64_t join(std::uint32_t low, std::uint32_t high) { return low | static_cast<std::uint64_t>(high) << 32; }

/// Word `word` of the group's block `lane`, by the scalar cipher.
std::uint32_t word_of(const StreamPosition& at, std::uint64_t group, std::size_t lane, std::size_t word) {
  const std::uint64_t block = (at.position + group) * lanes_per_group + lane;
  return philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                 static_cast<std::uint32_t>(at.stream), static_cast<std::uint32_t>(at.stream >> 32)},
                {static_cast<std::uint32_t>(at.seed), static_cast<std::uint32_t>(at.seed >> 32)})[word];
}

std::uint32_t short_draw(const StreamPosition& at, std::size_t i) {
  const std::size_t in_group = i % 64;
  return word_of(at, i / 64, in_group % 32 / 2, in_group / 32 * 2 + in_group % 2);
}

std::uint64_t long_draw(const StreamPosition& at, std::size_t i) {
  const std::size_t in_group = i % 32;
  const std::size_t word = in_group / 16 * 2;
  return join(word_of(at, i / 32, in_group % 16, word), word_of(at, i / 32, in_group % 16, word + 1));
}

template <class T>
std::vector<T> uniforms(std::size_t count, const StreamPosition& at) {
  std::vector<T> values(count);
  fill_uniform<T>(values, at, 0, 1);
  return values;
}

template <class T>
std::vector<T> normals(std::size_t count, const StreamPosition& at) {
  std::vector<T> values(count);
  fill_normal<T>(values, at, 0, 1);
  return values;
}

template <class T>
std::vector<T> bernoullis(std::size_t count, const StreamPosition& at) {
  std::vector<T> values(count);
  fill_bernoulli<T>(values, at, 0.3);
  return values;
}

std::vector<std::int64_t> whole_numbers(std::size_t count, const StreamPosition& at) {
  std::vector<std::int64_t> values(count);
  fill_integers(values, at, -7, std::uint64_t{3} << 62);  // a quarter of the draws is rejected
  return values;
}

}  // namespace

TEST_CASE("the cipher gives the known answers of Random123") {
  for (const KnownAnswer& known : known_answers) CHECK(philox(known.counter, known.key) == known.block);
  static_assert(philox({0, 0, 0, 0}, {0, 0})[0] == 0x6627E8D5);
}

TEST_CASE("the vectorised cipher gives the known answers of Random123") {
  // The counter is 16 · position + lane below and the stream above. Doubles show 53 of the 64 bits of two words.
  for (const KnownAnswer& known : known_answers) {
    const std::uint64_t block = join(known.counter[0], known.counter[1]);
    const StreamPosition at{join(known.key[0], known.key[1]), join(known.counter[2], known.counter[3]), block / 16};
    const std::vector<double> group = uniforms<double>(32, at);
    const std::size_t lane = block % 16;
    CHECK(group[lane] == std::ldexp(static_cast<double>(join(known.block[0], known.block[1]) >> 11), -53));
    CHECK(group[16 + lane] == std::ldexp(static_cast<double>(join(known.block[2], known.block[3]) >> 11), -53));
  }
}

TEST_CASE("every element of a fill is the scalar cipher's word of its place") {
  for (const StreamPosition& at : {StreamPosition{1, 0, 0}, StreamPosition{0x123456789ABCDEF0, 0xFEDCBA9876543210, 77},
                                   StreamPosition{5, 6, (std::uint64_t{1} << 28) - 1}}) {
    const std::size_t count = 3 * 64 + 17;
    const std::vector<float> singles = uniforms<float>(count, at);
    const std::vector<double> doubles = uniforms<double>(count, at);
    std::vector<std::int64_t> ones(count);
    fill_bernoulli<std::int64_t>(ones, at, 0.25);
    std::vector<std::int64_t> wide(count);
    fill_integers(wide, at, std::numeric_limits<std::int64_t>::min(), std::uint64_t{1} << 63);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) {
      wrong += singles[i] != std::ldexp(static_cast<float>(short_draw(at, i) >> 8), -24);
      wrong += doubles[i] != std::ldexp(static_cast<double>(long_draw(at, i) >> 11), -53);
      wrong += (ones[i] == 1) != (short_draw(at, i) < (1u << 30));
      // A range of 2^63 keeps the upper 63 bits.
      wrong += static_cast<std::uint64_t>(wide[i]) != (long_draw(at, i) >> 1) + (std::uint64_t{1} << 63);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("normal draws are Box and Muller's of the uniforms") {
  const StreamPosition at{3, 4, 5};
  const std::vector<float> singles = normals<float>(128, at);
  const std::vector<double> doubles = normals<double>(64, at);
  for (std::size_t group = 0; group < 2; ++group) {
    for (std::size_t i = 0; i < 32; ++i) {
      const std::size_t k = 64 * group + i;
      const double u = (static_cast<double>(short_draw(at, k) >> 1) + 1) * 0x1p-31;
      const double v = static_cast<double>(short_draw(at, k + 32) >> 8) * 0x1p-24;
      const double radius = std::sqrt(-2 * std::log(u));
      CHECK(singles[k] == doctest::Approx(radius * std::cos(2 * M_PI * v)).epsilon(1e-5));
      CHECK(singles[k + 32] == doctest::Approx(radius * std::sin(2 * M_PI * v)).epsilon(1e-5));
    }
    for (std::size_t i = 0; i < 16; ++i) {
      const std::size_t k = 32 * group + i;
      const double u = static_cast<double>((long_draw(at, k) >> 11) + 1) * 0x1p-53;
      const double v = static_cast<double>(long_draw(at, k + 16) >> 11) * 0x1p-53;
      const double radius = std::sqrt(-2 * std::log(u));
      CHECK(doubles[k] == doctest::Approx(radius * std::cos(2 * M_PI * v)).epsilon(1e-13));
      CHECK(doubles[k + 16] == doctest::Approx(radius * std::sin(2 * M_PI * v)).epsilon(1e-13));
    }
  }
}

TEST_CASE("normal draws stay finite where the radius' uniform is smallest and largest") {
  // Two places of seed 0, found by search, where 31 bits are all 0 and all 1.
  const StreamPosition smallest{0, 0, 315360118};
  REQUIRE((short_draw(smallest, 6) >> 1) == 0);
  const std::vector<float> far = normals<float>(64, smallest);
  CHECK(std::hypot(far[6], far[38]) == doctest::Approx(std::sqrt(62 * std::log(2.0))).epsilon(1e-6));
  const StreamPosition largest{0, 0, 25668906};
  REQUIRE((short_draw(largest, 12) >> 1) == 0x7FFFFFFF);
  const std::vector<float> near = normals<float>(64, largest);
  CHECK(near[12] == 0);
  CHECK(near[44] == 0);
}

TEST_CASE("a fill is the same however it is cut and for every number of threads") {
  const std::size_t count = 100'000 + 37;
  const StreamPosition at{11, 12, 13};
  const auto check = [&](const auto& draw, std::size_t per_group) {
    const auto whole = with_threads(1, [&] { return draw(count, at); });
    for (const int threads : {2, 3, 8}) CHECK(with_threads(threads, [&] { return draw(count, at); }) == whole);
    // Shorter fills are beginnings; a fill from a later position is an end.
    for (const std::size_t shorter : {0u, 1u, 15u, 31u, 32u, 33u, 63u, 64u, 65u, 1000u}) {
      const auto beginning = draw(shorter, at);
      CHECK(std::equal(beginning.begin(), beginning.end(), whole.begin()));
    }
    for (const std::size_t groups : {1u, 255u, 256u, 1000u}) {
      const std::size_t skipped = groups * per_group;
      const auto end = draw(count - skipped, {at.seed, at.stream, at.position + groups});
      CHECK(std::equal(end.begin(), end.end(), whole.begin() + static_cast<std::ptrdiff_t>(skipped)));
    }
  };
  check(uniforms<float>, 64);
  check(uniforms<double>, 32);
  check(normals<float>, 64);
  check(normals<double>, 32);
  check(bernoullis<float>, 64);
  check(bernoullis<double>, 64);
  check(bernoullis<std::int64_t>, 64);
  check(whole_numbers, 32);
}

TEST_CASE("fills write nothing beyond their end") {
  for (const std::size_t count : {0u, 1u, 31u, 63u, 64u, 65u}) {
    std::vector<float> values(count + 64, -5.0f);
    fill_normal<float>(std::span(values).first(count), {1, 2, 3}, 0, 1);
    for (std::size_t i = count; i < values.size(); ++i) CHECK(values[i] == -5.0f);
  }
}

TEST_CASE("positions used are groups of 64 words, rounded up") {
  CHECK(positions_used(0, 1) == 0);
  CHECK(positions_used(1, 1) == 1);
  CHECK(positions_used(64, 1) == 1);
  CHECK(positions_used(65, 1) == 2);
  CHECK(positions_used(32, 2) == 1);
  CHECK(positions_used(33, 2) == 2);
}
