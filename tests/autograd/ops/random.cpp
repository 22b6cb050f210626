#include "tests/support/expect.hpp"
#include "tests/support/statistics.hpp"
#include "tests/support/with_threads.hpp"

#include <doctest/doctest.h>
#include <autograd/ops/random.hpp>
#include <autograd/tensor/creation.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <thread>
#include <vector>

using namespace xgrad;

namespace {

constexpr std::int64_t many = 1 << 20;

std::vector<std::size_t> histogram(const std::vector<double>& units, std::size_t bins) {
  std::vector<std::size_t> counts(bins);
  for (const double u : units) ++counts[static_cast<std::size_t>(u * static_cast<double>(bins))];
  return counts;
}

std::vector<std::int64_t> list(const Tensor& x) {
  const auto values = x.values<std::int64_t>();
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("uniform draws have the moments, the spread and the independence of the uniform distribution") {
  for (const DType dtype : {float32, float64}) {
    CAPTURE(name_of(dtype));
    Generator generator(1);
    const std::vector<double> x = expect::values(uniform({many}, 0, 1, dtype, generator));
    CHECK(*std::min_element(x.begin(), x.end()) >= 0);
    CHECK(*std::max_element(x.begin(), x.end()) < 1);
    CHECK(statistics::mean_error(x, 0.5, 1.0 / 12) < 5);
    CHECK(statistics::variance_error(x, 0.5, 1.0 / 12, 1.0 / 80) < 5);
    CHECK(std::abs(statistics::chi_square_error(histogram(x, 1024))) < 5);
    CHECK(statistics::kolmogorov(x, [](double u) { return u; }) < 1.95);
    for (const std::size_t lag : {1u, 2u, 15u, 16u, 31u, 32u, 63u, 64u, 128u}) {
      const std::vector<double> later(x.begin() + static_cast<std::ptrdiff_t>(lag), x.end());
      CHECK(statistics::correlation_error(x, later, 0.5, 1.0 / 12) < 5);
    }
    // Low bits too: the fraction of 2^12 u.
    std::vector<double> low_bits;
    for (const double u : x) low_bits.push_back(std::fmod(u * 4096, 1.0));
    CHECK(std::abs(statistics::chi_square_error(histogram(low_bits, 256))) < 5);
  }
}

TEST_CASE("uniform stays in its interval, its upper end excluded even when it rounds") {
  Generator generator(2);
  const Tensor narrow = uniform({many}, 1000, 1000.001, float32, generator);  // 16 numbers of float32
  const float high = 1000.001f;
  std::set<float> seen;
  for (const float x : narrow.values<float>()) seen.insert(x);
  CHECK(*seen.begin() == 1000.0f);
  CHECK(*seen.rbegin() == std::nextafter(high, 0.0f));
  const Tensor wide = uniform({10000}, -3, 5, float32, generator);
  for (const float x : wide.values<float>()) {
    CHECK(x >= -3);
    CHECK(x < 5);
  }
  CHECK(expect::values(uniform({2}, 4, 4, float64, generator)) == std::vector<double>{4, 4});
  const std::vector<double> x = expect::values(uniform({many}, -3, 5, float64, generator));
  CHECK(statistics::mean_error(x, 1, 64.0 / 12) < 5);
}

TEST_CASE("normal draws have the moments and the distribution of the normal one") {
  for (const DType dtype : {float32, float64}) {
    CAPTURE(name_of(dtype));
    Generator generator(3);
    const std::vector<double> x = expect::values(normal({many}, 0, 1, dtype, generator));
    const double n = static_cast<double>(many);
    CHECK(statistics::mean_error(x, 0, 1) < 5);
    CHECK(statistics::variance_error(x, 0, 1, 3) < 5);
    CHECK(std::abs(statistics::moment(x, 3, 0)) < 5 * std::sqrt(15 / n));      // Var x³ = 15
    CHECK(std::abs(statistics::moment(x, 4, 0) - 3) < 5 * std::sqrt(96 / n));  // Var x⁴ = 105 - 9
    CHECK(statistics::kolmogorov(x, statistics::normal_distribution) < 1.95);
    for (const std::size_t lag : {1u, 16u, 32u, 64u}) {
      const std::vector<double> later(x.begin() + static_cast<std::ptrdiff_t>(lag), x.end());
      CHECK(statistics::correlation_error(x, later, 0, 1) < 5);
    }
    // Tails: P(|x| > 4) = 6.334e-5, about 66 of 2^20.
    const auto far = static_cast<double>(std::count_if(x.begin(), x.end(), [](double v) { return std::abs(v) > 4; }));
    CHECK(std::abs(far - 6.334e-5 * n) < 5 * std::sqrt(6.334e-5 * n));
  }
}

TEST_CASE("normal draws are finite and take mean and std") {
  Generator generator(4);
  double largest = 0;
  for (int i = 0; i < 8; ++i) {
    const Tensor draws = normal({many}, 0, 1, float32, generator);
    for (const float x : draws.values<float>()) {
      if (!std::isfinite(x)) FAIL("not finite");
      largest = std::max(largest, static_cast<double>(std::abs(x)));
    }
  }
  CHECK(largest > 4.8);   // P(none of 2^23 beyond) = 1.6e-6
  CHECK(largest < 6.56);  // √(2 · 31 · ln 2)
  const std::vector<double> x = expect::values(normal({many}, -2, 3, float32, generator));
  CHECK(statistics::mean_error(x, -2, 9) < 5);
  CHECK(statistics::variance_error(x, -2, 9, 3 * 81) < 5);
  CHECK(expect::values(normal({3}, 7, 0, float64, generator)) == std::vector<double>{7, 7, 7});
}

TEST_CASE("bernoulli gives ones with the probability asked for, the same mask in every dtype") {
  for (const double probability : {0.1, 0.5, 0.8}) {
    Generator generator(5);
    const Tensor single = bernoulli({many}, probability, float32, generator);
    const std::vector<double> x = expect::values(single);
    CHECK(std::all_of(x.begin(), x.end(), [](double v) { return v == 0 || v == 1; }));
    CHECK(statistics::mean_error(x, probability, probability * (1 - probability)) < 5);
    Generator again(5);
    CHECK(expect::values(bernoulli({many}, probability, float64, again)) == x);
    again = Generator(5);
    CHECK(expect::values(bernoulli({many}, probability, int64, again)) == x);
  }
  Generator generator(6);
  CHECK(statistics::mean(expect::values(bernoulli({100000}, 0, float32, generator))) == 0);
  CHECK(statistics::mean(expect::values(bernoulli({100000}, 1, float32, generator))) == 1);
}

TEST_CASE("integers are uniform on [low, high)") {
  Generator generator(7);
  std::vector<std::size_t> counts(10);
  for (const std::int64_t value : list(integers({many}, -3, 7, generator))) {
    REQUIRE(value >= -3);
    REQUIRE(value < 7);
    ++counts[static_cast<std::size_t>(value + 3)];
  }
  CHECK(std::abs(statistics::chi_square_error(counts)) < 5);
  CHECK(list(integers({3}, 5, 6, generator)) == std::vector<std::int64_t>{5, 5, 5});
}

TEST_CASE("integers have no bias where the range does not divide 2^64") {
  // Of a range of 3 · 2^62, one draw in four is rejected. Taken without rejection, half of the numbers above low would
  // be multiples of 3 (two of the 2^64 draws lead to each) instead of a third.
  Generator generator(8);
  const std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::vector<std::size_t> counts(3);
  for (const std::int64_t value : list(integers({1 << 18}, low, low / 2 * -1, generator))) {
    REQUIRE(value < low / 2 * -1);
    ++counts[(static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(low)) % 3];
  }
  CHECK(std::abs(statistics::chi_square_error(counts)) < 5);
  // The widest range.
  const std::vector<std::int64_t> wide =
      list(integers({1000}, low, std::numeric_limits<std::int64_t>::max(), generator));
  CHECK(*std::min_element(wide.begin(), wide.end()) < low / 2);
  CHECK(*std::max_element(wide.begin(), wide.end()) > -(low / 2));
}

TEST_CASE("a permutation has every number once, and every order is equally likely") {
  Generator generator(9);
  for (const std::int64_t count : {0, 1, 2, 31, 32, 33, 1000}) {
    std::vector<std::int64_t> order = list(permutation(count, generator));
    CHECK(order.size() == static_cast<std::size_t>(count));
    std::sort(order.begin(), order.end());
    CHECK(order == list(arange(count)));
  }
  std::vector<std::size_t> counts(24);
  for (int trial = 0; trial < 48000; ++trial) {
    std::array<std::int64_t, 4> order = {0, 1, 2, 3};
    shuffle(order, generator);
    std::size_t rank = 0;  // Lehmer code
    for (std::size_t i = 0; i < 4; ++i) {
      std::size_t smaller = 0;
      for (std::size_t j = i + 1; j < 4; ++j) smaller += order[j] < order[i];
      rank = rank * (4 - i) + smaller;
    }
    ++counts[rank];
  }
  CHECK(std::abs(statistics::chi_square_error(counts)) < 5);
  // A long one: the mean of i · order[i] against that of independent places; Var = (n²-1)²/(144 (n-1)) / n² for the
  // mean.
  const std::int64_t n = 60000;
  const std::vector<std::int64_t> order = list(permutation(n, generator));
  const double center = static_cast<double>(n - 1) / 2;
  double covariance = 0;
  for (std::size_t i = 0; i < order.size(); ++i)
    covariance += (static_cast<double>(i) - center) * (static_cast<double>(order[i]) - center);
  const double variance = (static_cast<double>(n) * static_cast<double>(n) - 1) / 12;
  CHECK(std::abs(covariance / static_cast<double>(n)) < 5 * variance / std::sqrt(static_cast<double>(n - 1)));
}

TEST_CASE("draws depend on seed and stream, and follow one another in a generator") {
  Generator a(1), b(1), other_seed(2), other_stream(1, 1);
  const std::vector<double> first = expect::values(uniform({1000}, 0, 1, float64, a));
  CHECK(expect::values(uniform({1000}, 0, 1, float64, b)) == first);
  CHECK(expect::values(uniform({1000}, 0, 1, float64, a)) == expect::values(uniform({1000}, 0, 1, float64, b)));
  for (Generator* other : {&a, &other_seed, &other_stream}) {
    const std::vector<double> x = expect::values(uniform({1000}, 0, 1, float64, *other));
    CHECK(x != first);
    CHECK(statistics::correlation_error(first, x, 0.5, 1.0 / 12) < 5);
  }
}

TEST_CASE("neighbouring seeds, streams and splits are independent") {
  const std::int64_t n = 100;
  std::vector<double> seeds, streams, splits;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    Generator by_seed(i), by_stream(0, i), by_split = Generator(0).split(i);
    for (const auto& [generator, values] :
         {std::pair(&by_seed, &seeds), std::pair(&by_stream, &streams), std::pair(&by_split, &splits)})
      for (const double x : expect::values(uniform({n}, 0, 1, float64, *generator))) values->push_back(x);
  }
  for (const auto& x : {seeds, streams, splits}) {
    CHECK(std::abs(statistics::chi_square_error(histogram(x, 256))) < 5);
    const std::vector<double> next(x.begin() + n, x.end());
    CHECK(statistics::correlation_error(x, next, 0.5, 1.0 / 12) < 5);
  }
}

TEST_CASE("a copy and a restored state draw the same numbers") {
  Generator generator(10, 3);
  uniform({77}, 0, 1, float32, generator);
  Generator copy = generator;
  const Generator::State state = generator.state();
  CHECK(state.seed == 10);
  CHECK(state.stream == 3);
  CHECK(state.position == 2);  // 77 words are two groups of 64
  const std::vector<double> x = expect::values(normal({33}, 0, 1, float64, generator));
  CHECK(expect::values(normal({33}, 0, 1, float64, copy)) == x);
  Generator restored(state);
  CHECK(expect::values(normal({33}, 0, 1, float64, restored)) == x);
  CHECK(restored.state() == generator.state());
}

TEST_CASE("a draw uses up the words of its elements, in whole groups of 64") {
  Generator generator(16);
  const auto used = [&](const auto& draw) {
    const std::uint64_t before = generator.state().position;
    draw();
    return generator.state().position - before;
  };
  const Shape shape{1001};  // 1001 words are 15.6 groups, 2002 are 31.3
  CHECK(used([&] { uniform(shape, 0, 1, float32, generator); }) == 16);
  CHECK(used([&] { uniform(shape, 0, 1, float64, generator); }) == 32);
  CHECK(used([&] { normal(shape, 0, 1, float32, generator); }) == 16);
  CHECK(used([&] { normal(shape, 0, 1, float64, generator); }) == 32);
  CHECK(used([&] { bernoulli(shape, 0.5, float64, generator); }) == 16);
  CHECK(used([&] { integers(shape, 0, 7, generator); }) == 32);
  CHECK(used([&] { permutation(1001, generator); }) == 32);
  CHECK(used([&] { uniform({0}, 0, 1, float32, generator); }) == 0);
}

TEST_CASE("split depends on stream and index only and gives a stream of its own") {
  Generator generator(11);
  const Generator::State before = generator.split(4).state();
  uniform({100}, 0, 1, float32, generator);
  CHECK(generator.split(4).state() == before);
  CHECK(before.seed == 11);
  CHECK(before.position == 0);
  std::set<std::uint64_t> streams;
  for (std::uint64_t step = 0; step < 100; ++step)
    for (std::uint64_t part = 0; part < 100; ++part)
      streams.insert(Generator(11).split(step).split(part).state().stream);
  for (std::uint64_t stream = 0; stream < 100; ++stream) streams.insert(Generator(11, stream).split(0).state().stream);
  CHECK(streams.size() == 10100);
}

TEST_CASE("seed sets the program's generator, whose state can be saved") {
  const Generator::State saved = default_generator().state();
  seed(12);
  const std::vector<double> x = expect::values(uniform({10}));
  const std::vector<double> y = expect::values(normal({10}));
  seed(12);
  CHECK(expect::values(uniform({10})) == x);
  const Generator::State between = default_generator().state();
  CHECK(expect::values(normal({10})) == y);
  default_generator() = Generator(between);
  CHECK(expect::values(normal({10})) == y);
  Generator explicit_generator(12);
  CHECK(expect::values(uniform({10}, 0, 1, float32, explicit_generator)) == x);
  default_generator() = Generator(saved);
}

TEST_CASE("threads that share a generator never get the same numbers") {
  Generator generator(13);
  std::array<std::vector<double>, 4> drawn;
  std::vector<std::thread> threads;
  for (auto& numbers : drawn)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i)
        for (const double x : expect::values(uniform({20}, 0, 1, float64, generator))) numbers.push_back(x);
    });
  for (std::thread& thread : threads) thread.join();
  std::set<double> different;
  for (const auto& numbers : drawn) different.insert(numbers.begin(), numbers.end());
  CHECK(different.size() == 8000);  // 53 bits: two equal ones by chance have probability 4e-9
  CHECK(generator.state().position == 400);
}

TEST_CASE("the bits of a draw are the same for 1, 2, 3 and 8 threads") {
  const auto draw = [] {
    Generator generator(14);
    std::vector<double> all;
    for (const Tensor& x :
         {uniform({512, 131}, -1, 1, float32, generator), normal({512, 131}, 0, 1, float64, generator),
          bernoulli({512, 131}, 0.8, float32, generator), integers({512, 131}, 0, 1000, generator)})
      for (const double value : expect::values(x)) all.push_back(value);
    return all;
  };
  const std::vector<double> serial = with_threads(1, draw);
  for (const int threads : {2, 3, 8}) CHECK(with_threads(threads, draw) == serial);
}

TEST_CASE("draws follow the default dtype and take any shape") {
  CHECK(uniform({2}).dtype() == float32);
  const DefaultDType scope(float64);
  CHECK(uniform({2}).dtype() == float64);
  CHECK(normal({2, 3}).shape() == Shape{2, 3});
  CHECK(normal({}).size() == 1);
  CHECK(uniform({0, 3}).size() == 0);
  CHECK(bernoulli({4}, 0.5).dtype() == float64);
  CHECK(integers({4}, 0, 2).dtype() == int64);
}

TEST_CASE("random draws refuse bad arguments") {
  using expect::error_of;
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(error_of([&] { uniform({2}, 1, 0); }) == "ValueError: uniform: low is 1, high is 0; need low <= high");
  CHECK(error_of([&] { uniform({2}, nan, 0); }).starts_with("ValueError: uniform: "));
  CHECK(error_of([&] { uniform({2}, 0, infinity); }).starts_with("ValueError: uniform: high is inf"));
  CHECK(error_of([&] { uniform({2}, -3e38, 3e38, float32); }).starts_with("ValueError: uniform: high - low is "));
  CHECK(error_of([&] { uniform({2}, -3e38, 3e38, float64); }) == "no error");
  CHECK(error_of([&] { uniform({2}, 0, 1, int64); }).starts_with("TypeError: uniform: "));
  CHECK(error_of([&] { uniform({-2}); }).starts_with("ShapeError: "));
  CHECK(error_of([&] { normal({2}, 0, -1); }).starts_with("ValueError: normal: std is -1"));
  CHECK(error_of([&] { normal({2}, 0, nan); }).starts_with("ValueError: normal: "));
  CHECK(error_of([&] { normal({2}, 0, 1e38, float32); }).starts_with("ValueError: normal: "));
  CHECK(error_of([&] { normal({2}, 0, 1, int64); }).starts_with("TypeError: normal: "));
  CHECK(error_of([&] { bernoulli({2}, 1.5); }).starts_with("ValueError: bernoulli: probability is 1.5"));
  CHECK(error_of([&] { bernoulli({2}, nan); }).starts_with("ValueError: bernoulli: "));
  CHECK(error_of([&] { integers({2}, 3, 3); }) == "ValueError: integers: low is 3, high is 3; need low < high");
  CHECK(error_of([&] { permutation(-1); }).starts_with("ShapeError: "));
}

TEST_CASE("a draw that is refused uses up no numbers") {
  Generator generator(15);
  expect::error_of([&] { uniform({2}, 1, 0, float32, generator); });
  expect::error_of([&] { normal({-2}, 0, 1, float32, generator); });
  CHECK(generator.state().position == 0);
}

TEST_CASE("a generator of a scope is this thread's default, and models made by threads are the same in every run") {
  const Generator::State before = default_generator().state();
  const auto drawn = [](std::uint64_t i) {
    const DefaultGenerator numbers(Generator(7).split(i));
    return expect::values(normal({5}));
  };
  std::vector<std::vector<double>> side_by_side(8);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < side_by_side.size(); ++i) threads.emplace_back([&, i] { side_by_side[i] = drawn(i); });
  }
  for (std::size_t i = 0; i < side_by_side.size(); ++i) CHECK(side_by_side[i] == drawn(i));
  CHECK(side_by_side[0] != side_by_side[1]);
  {
    const DefaultGenerator outer(Generator(1));
    seed(3);
    const std::vector<double> of_three = expect::values(uniform({4}));
    {
      const DefaultGenerator inner(Generator(3));
      CHECK(expect::values(uniform({4})) == of_three);
    }
    CHECK(expect::values(uniform({4})) != of_three);
  }
  CHECK(default_generator().state() == before);
}
