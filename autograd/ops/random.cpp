#include <autograd/ops/random.hpp>
#include <autograd/tape/replay.hpp>
#include <autograd/tensor/format.hpp>

#include <cmath>
#include <numeric>
#include <utility>

namespace xgrad {

namespace {

void require_floating(const char* operation, DType dtype) {
  if (!is_floating(dtype))
    throw_as<TypeError>("{}: asked for int64; need float32 or float64 (integers draws int64)", operation);
}

/// A finite number in the dtype, after its conversion.
void require_finite(const char* operation, const char* what, double value, DType dtype) {
  const double converted = dtype == float32 ? static_cast<double>(static_cast<float>(value)) : value;
  if (!std::isfinite(converted))
    throw_as<ValueError>("{}: {} is {}; need one that is finite in {}", operation, what, value, dtype);
}

/// A tensor of the dtype that fill(values, start) fills, with so many words of random bits an element.
template <class T, class Fill>
Tensor drawn(const char* operation, const Shape& shape, std::size_t words, Generator& generator, const Fill& fill) {
  Tensor result = Tensor::uninitialized(shape, dtype_of<T>, operation);
  fill(std::span(result.fresh_data<T>(), result.size()), generator.take(kernels::positions_used(result.size(), words)));
  return result;
}

}  // namespace

Generator& Generator::operator=(const Generator& other) {
  const State state = other.state();
  const std::lock_guard lock(mutex_);
  state_ = state;
  return *this;
}

Generator::State Generator::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

Generator Generator::split(std::uint64_t index) const {
  // The cipher under a key of its own, the first digits of the golden ratio's and of √3's binary fraction.
  const State from = state();
  const kernels::PhiloxBlock block = kernels::philox({kernels::low_word(index), kernels::high_word(index),
                                                      kernels::low_word(from.stream), kernels::high_word(from.stream)},
                                                     kernels::philox_weyl);
  return Generator(from.seed, block[0] | std::uint64_t{block[1]} << 32);
}

Generator::State Generator::take(std::uint64_t positions) {
  return Replay::draw([&] {
    const std::lock_guard lock(mutex_);
    const State before = state_;
    state_.position += positions;
    return before;
  });
}

namespace {

constinit thread_local Generator* generator_of_scope = nullptr;

}  // namespace

Generator& default_generator() {
  static Generator generator;
  return generator_of_scope != nullptr ? *generator_of_scope : generator;
}

DefaultGenerator::DefaultGenerator(const Generator& start)
    : generator_(start), outer_(std::exchange(generator_of_scope, &generator_)) {}
DefaultGenerator::~DefaultGenerator() { generator_of_scope = outer_; }

void seed(std::uint64_t n) { default_generator() = Generator(n); }

Tensor uniform(const Shape& shape, double low, double high, DType dtype, Generator& generator) {
  require_floating("uniform", dtype);
  if (!(low <= high)) throw_as<ValueError>("uniform: low is {}, high is {}; need low <= high", low, high);
  require_finite("uniform", "low", low, dtype);
  require_finite("uniform", "high", high, dtype);
  require_finite("uniform", "high - low", high - low, dtype);
  return visit_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    return drawn<T>("uniform", shape, kernels::words_per_draw<T>, generator, [=](auto values, const auto& at) {
      kernels::fill_uniform(values, at, static_cast<T>(low), static_cast<T>(high));
    });
  });
}

Tensor normal(const Shape& shape, double mean, double std, DType dtype, Generator& generator) {
  require_floating("normal", dtype);
  if (!(std >= 0.0)) throw_as<ValueError>("normal: std is {}; need a number that is not negative", std);
  require_finite("normal", "|mean| + 10 std", std::abs(mean) + 10 * std, dtype);
  return visit_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    return drawn<T>("normal", shape, kernels::words_per_draw<T>, generator, [=](auto values, const auto& at) {
      kernels::fill_normal(values, at, static_cast<T>(mean), static_cast<T>(std));
    });
  });
}

Tensor bernoulli(const Shape& shape, double probability, DType dtype, Generator& generator) {
  if (!(probability >= 0.0 && probability <= 1.0))
    throw_as<ValueError>("bernoulli: probability is {}; need one in [0, 1]", probability);
  return visit(dtype, [&](auto zero) {
    return drawn<decltype(zero)>("bernoulli", shape, 1, generator, [=](auto values, const auto& at) {
      kernels::fill_bernoulli(values, at, probability);
    });
  });
}

Tensor integers(const Shape& shape, std::int64_t low, std::int64_t high, Generator& generator) {
  if (low >= high) throw_as<ValueError>("integers: low is {}, high is {}; need low < high", low, high);
  return drawn<std::int64_t>("integers", shape, 2, generator, [=](auto values, const auto& at) {
    kernels::fill_integers(values, at, low, static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low));
  });
}

Tensor permutation(std::int64_t count, Generator& generator) {
  Tensor result = Tensor::uninitialized({count}, int64, "permutation");
  const std::span values(result.fresh_data<std::int64_t>(), result.size());
  std::iota(values.begin(), values.end(), std::int64_t{0});
  shuffle(values, generator);
  return result;
}

void shuffle(std::span<std::int64_t> values, Generator& generator) {
  kernels::shuffle(values, generator.take(kernels::positions_used(values.size(), 2)));
}

}  // namespace xgrad
