#include <autograd/ops/random.hpp>
#include <autograd/tensor/error.hpp>

#include <cmath>
#include <string>

namespace xgrad {

namespace {

void require_floating(const char* operation, DType dtype) {
  if (!is_floating(dtype))
    throw TypeError(std::string(operation) + ": asked for int64; need float32 or float64 (integers draws int64)");
}

/// A finite number in the dtype, after its conversion.
void require_finite(const char* operation, const char* what, double value, DType dtype) {
  const double converted = dtype == float32 ? static_cast<double>(static_cast<float>(value)) : value;
  if (!std::isfinite(converted))
    throw ValueError(std::string(operation) + ": " + what + " is " + std::to_string(value) +
                     "; need one that is finite in " + std::string(name_of(dtype)));
}

template <class T>
std::span<T> values_of(const Tensor& tensor) {
  return {static_cast<T*>(tensor.mutable_data()), tensor.size()};
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
  const kernels::PhiloxBlock block =
      kernels::philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                       static_cast<std::uint32_t>(from.stream), static_cast<std::uint32_t>(from.stream >> 32)},
                      kernels::philox_weyl);
  return Generator(from.seed, block[0] | static_cast<std::uint64_t>(block[1]) << 32);
}

Generator::State Generator::take(std::uint64_t positions) {
  const std::lock_guard lock(mutex_);
  const State before = state_;
  state_.position += positions;
  return before;
}

Generator& default_generator() {
  static Generator generator;
  return generator;
}

void seed(std::uint64_t n) { default_generator() = Generator(n); }

Tensor uniform(const Shape& shape, double low, double high, DType dtype, Generator& generator) {
  require_floating("uniform", dtype);
  if (!(low <= high))
    throw ValueError("uniform: low is " + std::to_string(low) + ", high is " + std::to_string(high) +
                     "; need low <= high");
  require_finite("uniform", "low", low, dtype);
  require_finite("uniform", "high", high, dtype);
  require_finite("uniform", "high - low", high - low, dtype);
  const Tensor result = Tensor::uninitialized(shape, dtype);
  visit_floating(dtype, [&]<class T>(T) {
    const auto at = generator.take(kernels::positions_used(result.size(), kernels::words_per_draw<T>));
    kernels::fill_uniform<T>(values_of<T>(result), at, static_cast<T>(low), static_cast<T>(high));
  });
  return result;
}

Tensor normal(const Shape& shape, double mean, double deviation, DType dtype, Generator& generator) {
  require_floating("normal", dtype);
  if (!(deviation >= 0.0))
    throw ValueError("normal: deviation is " + std::to_string(deviation) + "; need a number that is not negative");
  require_finite("normal", "|mean| + 10 deviation", std::abs(mean) + 10 * deviation, dtype);
  const Tensor result = Tensor::uninitialized(shape, dtype);
  visit_floating(dtype, [&]<class T>(T) {
    const auto at = generator.take(kernels::positions_used(result.size(), kernels::words_per_draw<T>));
    kernels::fill_normal<T>(values_of<T>(result), at, static_cast<T>(mean), static_cast<T>(deviation));
  });
  return result;
}

Tensor bernoulli(const Shape& shape, double probability, DType dtype, Generator& generator) {
  if (!(probability >= 0.0 && probability <= 1.0))
    throw ValueError("bernoulli: probability is " + std::to_string(probability) + "; need one in [0, 1]");
  const Tensor result = Tensor::uninitialized(shape, dtype);
  const auto at = generator.take(kernels::positions_used(result.size(), 1));
  visit(dtype, [&]<class T>(T) { kernels::fill_bernoulli<T>(values_of<T>(result), at, probability); });
  return result;
}

Tensor integers(const Shape& shape, std::int64_t low, std::int64_t high, Generator& generator) {
  if (low >= high)
    throw ValueError("integers: low is " + std::to_string(low) + ", high is " + std::to_string(high) +
                     "; need low < high");
  const Tensor result = Tensor::uninitialized(shape, int64);
  kernels::fill_integers(values_of<std::int64_t>(result), generator.take(kernels::positions_used(result.size(), 2)),
                         low, static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low));
  return result;
}

Tensor permutation(std::int64_t count, Generator& generator) {
  const Tensor result = arange(count);
  shuffle(values_of<std::int64_t>(result), generator);
  return result;
}

void shuffle(std::span<std::int64_t> values, Generator& generator) {
  kernels::shuffle(values, generator.take(kernels::positions_used(values.size(), 2)));
}

}  // namespace xgrad
